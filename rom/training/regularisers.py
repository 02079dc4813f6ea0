"""What an autoencoder is asked for beside small errors: pure functions that return unweighted scalars.

Notation as in `rom/training/losses.py`: POD coordinates w (B, r), z = phi(w) (B, d), psi the decoder; `spread` is the mean variance of
a coordinate of w over the training data (`LossScales.coordinates`). An autoencoder is free to write z in another unit, c phi(w)
and psi(z / c), and means the same. So does every function here, but for the Kullback-Leibler divergence, whose purpose is to
fix that unit: sizes in z are measured by the batch, and that measure is part of the graph. Otherwise training would lower a
penalty by shrinking the latent space, and nothing would be gained.
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

Map = Callable[[Tensor], Tensor]

EXACT_UP_TO = 4  # latent states, for which the Frobenius norm costs no more than a few vector-Jacobian products
FIRST_LOG_VARIANCE = -4.0  # of the Gaussian encoder: a standard deviation of about an eighth of the prior's
FLOOR = 1e-12  # of a mean square: keeps roots and quotients differentiable on a batch that does not vary


def denoising(encoder: Map, decoder: Map, w: Tensor, noise: Tensor, spread: float) -> Tensor:
    """|psi(phi(w + noise)) - w|^2 in shares of the variance: the autoencoder is to find back to the data.

    w, noise: (B, r). For noise of a small variance s^2, and small errors, this is the reconstruction plus
    s^2 |d(psi phi)/dw|^2: a penalty on what the autoencoder lets through that the data do not need, across their manifold.

    Vincent, Larochelle, Bengio & Manzagol 2008, ICML; the expansion is that of Bishop 1995, Neural Comput. 7.
    """
    return (decoder(encoder(w + noise)) - w).square().mean() / spread


def contractive(encoder: Map, w: Tensor, spread: float, probes: Tensor | None = None) -> Tensor:
    """|dphi/dw|_F^2, mean over the batch, times `spread` over the variance of z summed over its coordinates.

    w: (B, r). probes: (B, r), independent numbers of mean 0 and variance 1, one jvp along which gives an unbiased estimate of
    the norm: that by random signs varies least (Hutchinson 1990, Commun. Stat. 19). None: the exact norm by one vjp for each
    latent coordinate, in arrays (B, d, r); the better choice up to d = 4 or so.

    It has a least value, and that is no collapse: for w normally distributed with covariance C, the variance of any
    function is at most the mean of grad^T C grad (Poincare's inequality), so this is at least `spread` over the largest
    eigenvalue of C, and linear encoders of the leading POD coordinate attain it. Bends of the encoder lie above.

    Rifai, Vincent, Muller, Glorot & Bengio 2011, ICML, eq. 3; there z is bounded by a sigmoid, here by the quotient.
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
    return spread * square / (latent.var(dim=0, unbiased=False).sum() + FLOOR)


def sparse_l1(z: Tensor) -> Tensor:
    """The mean of |z| over its root mean square, z (B, d): 1 where all have one size, less the fewer differ from zero.

    If a share p of the numbers is of one size and the others are zero, this is sqrt(p); of a normal distribution,
    sqrt(2 / pi). A plain |z| is lowered by shrinking z; the quotient is that of the sparseness of Hoyer 2004,
    J. Mach. Learn. Res. 5, sec. 3.1, taken over coordinates and batch at once, so that a coordinate may also fall silent.
    """
    return z.abs().mean() / root_mean_square(z, dim=None)


def sparse_kl(z: Tensor, target: float) -> Tensor:
    """KL(target || mean activation over the batch), mean over the latent coordinates of z (B, d).

    target: share of the states at which a coordinate is to be active, 0 < target < 1/2.

    A sparse autoencoder (Ng 2011, CS294A lecture notes) has sigmoids as latent states, in [0, 1] with 0 for inactive, and
    KL(p || q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q)) holds the mean of each at the target. Unbounded latent states
    become such activations by a = s^2 / (1 + s^2), s = z_k / rms(z_k): zero at z = 0, even, one half at the root mean square
    and one far beyond. Since s has mean square 1 whatever the unit of z_k, the mean of a tells the shape of its distribution:
    near 0 where few states hold all of it, 0.344 for a normal one, and 1/2, the most by Jensen's inequality, where |z_k| is
    constant. No coordinate can be silenced by shrinking it.
    """
    square = (z / root_mean_square(z, dim=0)).square()
    active = (square / (1.0 + square)).mean(dim=0)
    active = active.clamp(min=torch.finfo(z.dtype).eps)  # of a coordinate that is zero throughout
    entropy = target * math.log(target) + (1.0 - target) * math.log1p(-target)
    return (entropy - target * active.log() - (1.0 - target) * torch.log1p(-active)).mean()


def reparametrised(mean: Tensor, log_variance: Tensor, standard_normal: Tensor) -> Tensor:
    """Samples mean + sigma epsilon of a Gaussian encoder, all (B, d): gradients reach mean and variance.

    Kingma & Welling 2014, ICLR, sec. 2.4.
    """
    return mean + (0.5 * log_variance).exp() * standard_normal


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, sigma^2) || N(0, 1)), mean over batch and latent coordinates, of means and log-variances (B, d).

    -1/2 (1 + log sigma^2 - mean^2 - sigma^2) for each coordinate (Kingma & Welling 2014, ICLR, appendix B). Unlike the others
    it fixes the unit of z: that of the prior.

    In front of a reconstruction in shares of the variance, |w - psi(z)|^2 / (r spread), it belongs with the weight
    beta = 2 (noise / spread) (d / r): then both together are the negative evidence lower bound, times 2 noise / (r spread), of
    w = psi(z) + Gaussian noise of variance `noise` in each of the r coordinates. The most likely noise is the error
    that remains (Rybkin, Daniilidis & Levine 2021, ICML, sec. 3), so a reconstruction expected at the share R asks for
    beta = 2 R d / r. More trades accuracy for order in z (Higgins et al. 2017, ICLR).
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()


def beta_factor(progress: float, warm_up: float) -> float:
    """The share of beta that counts when the share `progress` of the training is over: from 0, linearly, to 1 at `warm_up`.

    With all of beta from the start, the latent states follow the prior before the decoder has learned to use them, and
    stay there (Bowman et al. 2016, CoNLL, sec. 3.1; Sonderby et al. 2016, NeurIPS). A `warm_up` of 0 is none.
    """
    return min(1.0, progress / warm_up) if warm_up > 0.0 else 1.0


def smoothness(decoder: Map, z: Tensor, directions: Tensor, spread: float) -> Tensor:
    """Mean square of the second derivative of psi along `directions`, in shares of the variance of w.

    z: (B, d). directions: (B, d), standard normal numbers; they are taken in units of the standard deviation of each
    coordinate of z over the batch, so this is the change of slope over the width of the data. Zero for a linear decoder,
    and where there is none a decoder's gradient says as much about neighbours as about the state that it was taken at.
    By a jvp of a jvp, exact and without a Hessian.

    Second derivatives along random directions as a penalty: Rifai et al. 2011, ECML PKDD (of the encoder, by differences).
    """
    along = directions * (z.var(dim=0, unbiased=False) + FLOOR).sqrt()

    def slope(latent: Tensor) -> Tensor:
        return push_forward(decoder, latent, along)[1]

    return push_forward(slope, z, along)[1].square().mean() / spread


def root_mean_square(z: Tensor, dim: int | None) -> Tensor:
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
    spread : float
        Mean variance of a POD coordinate over the training data.
    n_states : int
        Number of components of a state.
    """

    weights: LossWeights
    config: FitConfig
    spread: float
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
        weights, config, spread = self.weights, self.config, self.spread
        encoder, decoder = networks.encoder, networks.decoder
        losses: dict[str, Tensor] = {}
        if weights.denoising > 0.0:
            size = config.noise * component_spread(spread, w.shape[-1], self.n_states)
            losses["denoising"] = denoising(encoder, decoder, w, size * normal_like(w, generator), spread)
        latent = encoder(w) if weights.of_latent_states else w
        if weights.contractive > 0.0:
            signs = None if latent.shape[-1] <= EXACT_UP_TO else normal_like(w, generator).sign()
            losses["contractive"] = contractive(encoder, w, spread, signs)
        if weights.sparse > 0.0:
            losses["sparse"] = sparse_l1(latent)
        if weights.sparse_kl > 0.0:
            losses["sparse_kl"] = sparse_kl(latent, config.active_share)
        if weights.smoothness > 0.0:
            losses["smoothness"] = smoothness(decoder, latent, normal_like(latent, generator), spread)
        if weights.variational > 0.0:
            assert networks.posterior is not None
            log_variance = FIRST_LOG_VARIANCE + networks.posterior(w)
            sample = reparametrised(latent, log_variance, normal_like(latent, generator))
            losses[reconstruction] = mean_square(decoder(sample) - w) / spread
            losses["variational"] = beta_factor(progress, config.warm_up) * kl_to_standard_normal(latent, log_variance)
        return losses


def component_spread(spread: float, rank: int, n_states: int) -> float:
    """Root mean square spread of a component of the state, in units of POD coordinates, whose mean variance is `spread`.

    The r coordinates hold the variance of all n components; and noise that is alike in these is alike in every coordinate.
    """
    return (spread * rank / n_states) ** 0.5


def normal_like(values: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers, drawn on the CPU."""
    return torch.randn(values.shape, generator=generator).to(values)
