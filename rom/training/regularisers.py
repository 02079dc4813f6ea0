"""Regularisers of encoder and decoder: pure functions that return unweighted scalars.

Notation as in `rom/training/losses.py`: w are POD coordinates ``(B, r)``, z = phi(w) latent states ``(B, d)``, psi is the
decoder. `variance` is the mean variance of a coordinate of w over the training data (`LossScales.coordinates`).

An autoencoder may write z in another unit, as c phi(w) and psi(z / c), without any change of its reconstructions. No
regulariser depends on that unit, except the Kullback-Leibler divergence, whose purpose is to fix it. Sizes in z are
divided by those of the batch, and the divisor is part of the graph: otherwise training could lower a penalty by shrinking
the latent space.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rom.config import FitConfig, LossWeights
from rom.networks.encoder_decoder import EncoderDecoder
from rom.networks.jvp import push_forward
from rom.training.losses import mean_square

__all__ = [
    "Regularisation",
    "beta_factor",
    "contractive",
    "denoising",
    "kl_to_standard_normal",
    "reparametrised",
    "smoothness",
    "sparse_kl",
    "sparse_l1",
]

EXACT_UP_TO = 4  # latent states, for which the Frobenius norm costs no more than a few vector-Jacobian products
FIRST_LOG_VARIANCE = -4.0  # of the Gaussian encoder: a standard deviation of about an eighth of the prior's
FLOOR = 1e-12  # of a mean square: keeps roots and quotients differentiable on a batch that does not vary

Map = Callable[[Tensor], Tensor]


def denoising(encoder: Map, decoder: Map, w: Tensor, noise: Tensor, variance: float) -> Tensor:
    """Compute ``|psi(phi(w + noise)) - w|^2`` as a share of the variance.

    For noise of a small variance s^2 and small errors, this is the reconstruction error plus
    ``s^2 |d(psi phi)/dw|^2``: a penalty on directions that the autoencoder preserves although the data do not need them.

    Parameters
    ----------
    encoder, decoder : callable
        phi and psi.
    w : Tensor
        POD coordinates ``(B, r)``.
    noise : Tensor
        Noise ``(B, r)`` in the unit of w.
    variance : float
        Mean variance of a coordinate of w.

    References
    ----------
    Vincent, Larochelle, Bengio & Manzagol 2008, ICML. The expansion is that of Bishop 1995, Neural Comput. 7.
    """
    return (decoder(encoder(w + noise)) - w).square().mean() / variance


def contractive(encoder: Map, w: Tensor, variance: float, probes: Tensor | None = None) -> Tensor:
    """Compute the batch mean of ``|dphi/dw|_F^2``, relative to the variance of z.

    The norm is multiplied by `variance` and divided by the variance of z summed over its coordinates. For w normally
    distributed with covariance C, the variance of any function is at most the mean of ``grad^T C grad`` (Poincare's
    inequality). The result is therefore at least `variance` over the largest eigenvalue of C. Linear encoders of the
    leading POD coordinate attain this minimum, and curved encoders lie above it.

    Parameters
    ----------
    encoder : callable
        phi.
    w : Tensor
        POD coordinates ``(B, r)``.
    variance : float
        Mean variance of a coordinate of w.
    probes : Tensor or None
        Independent numbers ``(B, r)`` of mean 0 and variance 1, which give an unbiased estimate by one Jacobian-vector
        product. Random signs give the smallest variance (Hutchinson 1990, Commun. Stat. 19). None for the exact norm by
        one vector-Jacobian product for each latent coordinate, in arrays ``(B, d, r)``, which is better up to about
        d = 4.

    References
    ----------
    Rifai, Vincent, Muller, Glorot & Bengio 2011, ICML, eq. 3, where z is bounded by a sigmoid in place of the quotient.
    """
    if probes is None:
        latent, pull_back = torch.func.vjp(encoder, w)[:2]
        d = latent.shape[-1]
        covectors = torch.eye(d, dtype=latent.dtype, device=latent.device)[:, None].expand(d, *latent.shape)
        (gradients,) = torch.func.vmap(pull_back)(covectors)  # (d, B, r)
        square = gradients.square().sum(dim=(0, 2)).mean()
    else:
        latent, along = push_forward(encoder, w, probes)
        square = along.square().sum(dim=-1).mean()
    return variance * square / (latent.var(dim=0, unbiased=False).sum() + FLOOR)


def sparse_l1(z: Tensor) -> Tensor:
    """Compute the mean of ``|z|`` over the root mean square of z, of shape ``(B, d)``.

    The result is 1 if all numbers have the same size, and smaller the fewer of them differ from zero: sqrt(p) if a share p
    has one size and the others are zero, and sqrt(2 / pi) for normally distributed numbers. The mean of ``|z|`` alone
    could be lowered by shrinking z. The mean is over coordinates and batch, so a coordinate may also become zero
    throughout.

    References
    ----------
    Hoyer 2004, J. Mach. Learn. Res. 5, sec. 3.1.
    """
    return z.abs().mean() / root_mean_square(z, dim=None)


def sparse_kl(z: Tensor, target: float) -> Tensor:
    """Compute the divergence of the mean activation of each latent coordinate from a target, mean over coordinates.

    A sparse autoencoder has sigmoids as latent states, and the divergence
    ``KL(p || q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q))`` holds the mean q of each at the target p. Here z is not
    bounded. Its activation is ``a = s^2 / (1 + s^2)`` with ``s = z_k / rms(z_k)``: zero at z = 0, one half at the root
    mean square, and one far beyond. Since s has mean square 1, the mean of a depends on the shape of the distribution
    alone: it is near 0 if few states hold all of it, 0.344 for a normal distribution, and 1/2, the largest value, if
    ``|z_k|`` is constant. Shrinking a coordinate does not lower its activation.

    Parameters
    ----------
    z : Tensor
        Latent states ``(B, d)``.
    target : float
        Share of the states at which a coordinate is to be active, above 0 and below 1/2.

    References
    ----------
    Ng 2011, CS294A lecture notes: sparse autoencoder.
    """
    square = (z / root_mean_square(z, dim=0)).square()
    active = (square / (1.0 + square)).mean(dim=0)
    active = active.clamp(min=torch.finfo(z.dtype).eps)  # of a coordinate that is zero throughout
    entropy = target * math.log(target) + (1.0 - target) * math.log1p(-target)
    return (entropy - target * active.log() - (1.0 - target) * torch.log1p(-active)).mean()


def reparametrised(mean: Tensor, log_variance: Tensor, standard_normal: Tensor) -> Tensor:
    """Return samples of a Gaussian encoder, whose gradients reach its mean and variance; all arrays are ``(B, d)``.

    References
    ----------
    Kingma & Welling 2014, ICLR, sec. 2.4.
    """
    return mean + (0.5 * log_variance).exp() * standard_normal


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Compute ``KL(N(mean, sigma^2) || N(0, 1))``, mean over batch and latent coordinates.

    It is ``-1/2 (1 + log sigma^2 - mean^2 - sigma^2)`` for each coordinate, and fixes the unit of z.

    Parameters
    ----------
    mean, log_variance : Tensor
        Of a Gaussian encoder, both ``(B, d)``.

    Notes
    -----
    Beside a reconstruction ``|w - psi(z)|^2 / (r v)``, with v the mean variance of a coordinate of w, take the weight
    ``beta = 2 (noise / v) (d / r)``. Both together are then the negative evidence lower bound, times ``2 noise / (r v)``,
    of w = psi(z) + Gaussian noise of variance `noise` in each of the r coordinates. The most likely noise is the
    remaining error (Rybkin, Daniilidis & Levine 2021, ICML, sec. 3), so an expected reconstruction error R, as a share of
    the variance, gives ``beta = 2 R d / r``. A larger weight makes z more orderly and reconstructions less accurate
    (Higgins et al. 2017, ICLR).

    References
    ----------
    Kingma & Welling 2014, ICLR, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()


def beta_factor(progress: float, warm_up: float) -> float:
    """Return the share of the weight beta that counts: it grows linearly from 0 to 1.

    With all of beta from the start, latent states would follow the prior before the decoder has learned to use them, and
    would stay there.

    Parameters
    ----------
    progress : float
        Progress of the training, from 0 to 1.
    warm_up : float
        Progress at which the share is 1; 0 for no warm-up.

    References
    ----------
    Bowman et al. 2016, CoNLL, sec. 3.1. Sonderby et al. 2016, NeurIPS.
    """
    return min(1.0, progress / warm_up) if warm_up > 0.0 else 1.0


def smoothness(decoder: Map, z: Tensor, directions: Tensor, variance: float) -> Tensor:
    """Compute the mean square second derivative of psi along random directions, as a share of the variance of w.

    It is zero for a linear decoder. Directions are scaled by the standard deviation of each coordinate of z over the
    batch, so the result is the change of slope over the width of the data. It is computed by a Jacobian-vector product of
    a Jacobian-vector product, exactly and without a Hessian.

    Parameters
    ----------
    decoder : callable
        psi.
    z : Tensor
        Latent states ``(B, d)``.
    directions : Tensor
        Standard normal numbers ``(B, d)``.
    variance : float
        Mean variance of a coordinate of w.

    References
    ----------
    Rifai et al. 2011, ECML PKDD: second derivatives of the encoder along random directions, by differences.
    """
    along = directions * (z.var(dim=0, unbiased=False) + FLOOR).sqrt()

    def slope(latent: Tensor) -> Tensor:
        return push_forward(decoder, latent, along)[1]

    return push_forward(slope, z, along)[1].square().mean() / variance


def root_mean_square(z: Tensor, dim: int | None) -> Tensor:
    """Return the root mean square along an axis, or of all numbers; never zero."""
    return (z.square().mean(dim=dim) + FLOOR).sqrt()


@dataclass(frozen=True)
class Regularisation:
    """The regularisers with positive weight.

    Attributes
    ----------
    weights : LossWeights
        Says which regularisers are computed.
    config : FitConfig
        Their settings.
    variance : float
        Mean variance of a POD coordinate over the training data.
    n_states : int
        Number of components of a state.
    """

    weights: LossWeights
    config: FitConfig
    variance: float
    n_states: int

    def losses(
        self,
        networks: EncoderDecoder,
        w: Tensor,
        generator: torch.Generator,
        progress: float,
        reconstruction: str = "reconstruction",
    ) -> dict[str, Tensor]:
        """Compute the unweighted regularisers.

        Parameters
        ----------
        networks : EncoderDecoder
            The networks in training.
        w : Tensor
            POD coordinates ``(B, r)``.
        generator : torch.Generator
            Generator of this step, on the CPU.
        progress : float
            Progress of the training, from 0 to 1.
        reconstruction : str
            Name of the reconstruction loss at `w`. With a Gaussian encoder it is returned here, for samples of the latent
            state, and replaces that of the means.

        Returns
        -------
        dict of str to Tensor
            Scalars by the names of their weights; empty if no regulariser has a positive weight.
        """
        weights, config, variance = self.weights, self.config, self.variance
        encoder, decoder = networks.encoder, networks.decoder
        losses: dict[str, Tensor] = {}
        if weights.denoising > 0.0:
            size = config.noise * component_std(variance, w.shape[-1], self.n_states)
            losses["denoising"] = denoising(encoder, decoder, w, size * normal_like(w, generator), variance)
        latent = encoder(w) if weights.of_latent_states else w
        if weights.contractive > 0.0:
            signs = None if latent.shape[-1] <= EXACT_UP_TO else normal_like(w, generator).sign()
            losses["contractive"] = contractive(encoder, w, variance, signs)
        if weights.sparse > 0.0:
            losses["sparse"] = sparse_l1(latent)
        if weights.sparse_kl > 0.0:
            losses["sparse_kl"] = sparse_kl(latent, config.active_share)
        if weights.smoothness > 0.0:
            losses["smoothness"] = smoothness(decoder, latent, normal_like(latent, generator), variance)
        if weights.variational > 0.0:
            assert networks.posterior is not None
            log_variance = FIRST_LOG_VARIANCE + networks.posterior(w)
            sample = reparametrised(latent, log_variance, normal_like(latent, generator))
            losses[reconstruction] = mean_square(decoder(sample) - w) / variance
            losses["variational"] = beta_factor(progress, config.warm_up) * kl_to_standard_normal(latent, log_variance)
        return losses


def component_std(variance: float, rank: int, n_states: int) -> float:
    """Return the root mean square standard deviation of a component of the state, in the unit of POD coordinates.

    The r coordinates hold the variance of all n components. Noise of equal size in all components has the same size in
    every coordinate.
    """
    return (variance * rank / n_states) ** 0.5


def normal_like(values: Tensor, generator: torch.Generator) -> Tensor:
    """Return standard normal numbers, drawn on the CPU, in the shape, type and place of `values`."""
    return torch.randn(values.shape, generator=generator).to(values)
