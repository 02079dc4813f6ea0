"""rom.fit_autoencoder: an encoder and a decoder alone, from data to a model that knows how well it reconstructs."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from rom.architecture import EncoderDecoder, add_posterior, build_encoder_decoder, require_network, scale_correction
from rom.arguments import checked_device
from rom.autoencoder import Autoencoder, AutoencoderState
from rom.clock import Clock
from rom.config import FitConfig, LossWeights
from rom.errors import RomValueError
from rom.field_correction import attach
from rom.fit_arguments import checked, training_seconds
from rom.latent_quality import complaints, measured
from rom.losses import mean_square
from rom.own_modules import OwnModules, own_modules, require_rank
from rom.projection import MAX_SNAPSHOTS, Projection, fit_projection
from rom.quadratic import n_products, packed
from rom.regularisation import regularisation
from rom.samples import Samples, as_samples
from rom.settings import require_choice, require_integer
from rom.training import Plan, train
from rom.training_record import Progress, Training
from rom.unfolding import unfold
from rom.validation import Validation, bounded
from rom.warm_start import RIDGES, Manifold, distinct_coefficients, distinct_products, quadratic_manifold

__all__ = ["fit_autoencoder"]

log = logging.getLogger("rom")

STARTS = ("pod", "isomap")
ENOUGH_FOR_NEIGHBOURS = 50  # samples, to judge a latent space by who lies beside whom
MOST_PRODUCTS = 2112  # of latent coordinates, those of 64: their regression takes some seconds
TOGETHER = 512  # samples reconstructed at a time
LARGE_CORRECTION = 0.25  # of the spread of the states: from here on training takes the whole learning rate


def fit_autoencoder(
    data: Any,
    latent_dim: int,
    *,
    sample_dims: Sequence[str] | None = None,
    weights: LossWeights = LossWeights(),  # noqa: B008 - frozen
    config: FitConfig = FitConfig(),  # noqa: B008 - frozen
    modules: tuple[nn.Module, nn.Module] | None = None,
    start: str = "pod",
    seed: int = 0,
    device: str | torch.device = "auto",
    max_seconds: float | None = None,
    checkpoint: str | os.PathLike | None = None,
    callbacks: Sequence[Callable[[Progress], Any]] = (),
    verbose: bool | None = None,
) -> Autoencoder:
    """Fit an encoder z = phi(x) and a decoder x = psi(z) to data, without dynamics.

    data: samples (N, *shape), NumPy or torch, or a DataArray whose `sample_dims` tell samples apart; by default those of
        `sample`, `trajectory`, `time` and `point` that it has, or else its first. They are taken into memory.
    latent_dim: d. More than a sample has components (an over-complete autoencoder) only with a weight for `sparse` or
        `sparse_kl`.
    weights: `reconstruction`, and the regularisers; those of rollouts and physics play no role.
    config: the networks and the training, as for `rom.fit`; `collocation_batch` samples make a batch. With hidden=() and
        quadratic_decoder=False this is principal component analysis, in closed form.
    start: where training starts. "pod": from POD and a quadratic manifold, in closed form. "isomap": encoder and decoder first
        learn, in up to 400 steps, coordinates in which distances are those along the sheet of the data (Tenenbaum, de Silva &
        Langford 2000), found for at most 1,600 samples. It unfolds sheets that are rolled or bent over, if the samples lie
        closer to their neighbours than one layer to the next. "pod" is better for closed curves and surfaces, which no such
        coordinates hold, and is kept wherever it reconstructs better. With "isomap", `FitConfig(multiscale=False)` is best: there
        are no layers left to tell apart.
    modules, seed, device, max_seconds, checkpoint, callbacks, verbose: as for `rom.fit`.

    A tenth of the samples validates, and another tenth calibrates `anomaly_score`: whole trajectories of ten
    or more, stretches of time of fewer. What is kept is the state with the least weighted
    sum of losses on the samples that validate. A latent coordinate that these do not use, or a latent space that folds, is
    reported; `history` tells the effective dimension.

    Raises `RomValueError` or `RomTypeError` for arguments and data that cannot be used, `RomReadError` where a computation of
    dask fails.
    """
    clock = Clock(max_seconds)
    latent_dim = require_integer("latent_dim", latent_dim, low=1)
    path, seed = checked(latent_dim, weights, config, seed, max_seconds, checkpoint, callbacks), int(seed)
    if config.space is not None:
        raise RomValueError(
            "config: an autoencoder alone takes states on one grid; leave FitConfig.space out, or use rom.fit"
        )
    require_weight(weights)
    require_start(start, config, modules)
    target = checked_device(device)
    samples = as_samples(data, sample_dims, seed)
    require_sparse(latent_dim, samples.layout.n_states, weights)
    own = own_modules(modules, samples.layout, latent_dim, config)
    require_network(config, samples.layout)

    projection = fit_projection(
        pod_sample(samples.training, seed), config.energy_tolerance, latent_dim, config.max_rank
    )
    d = dimension(latent_dim, projection.rank, weights)
    if own is not None:
        require_rank(d, latent_dim)
    config = without_many_products(config, d)
    training, validating = (projection.project(torch.from_numpy(x)) for x in (samples.training, samples.validating))
    closed = closed_form(training, validating, d, config)
    parts = build_encoder_decoder(config, projection.rank, d, generator_of(seed), samples.layout, own)
    networks = EncoderDecoder(*parts).to(getattr(torch, config.dtype))
    attach(networks, projection.basis)
    start_from(networks, closed.manifold, training, seed)
    if weights.variational > 0.0:
        add_posterior(networks, config, training, seed)
    networks.to(target)

    kind = {"device": target, "dtype": getattr(torch, config.dtype)}
    objective = AutoencoderObjective(
        training.to(**kind), validating.to(**kind), weights, config, samples.layout.n_states, seed
    )
    linear = own is None and config.network is None and not config.hidden and not config.quadratic_decoder
    plan = Plan(
        objective,
        weights,
        config,
        seed=seed,
        checkpoint=path,
        fingerprint="" if path is None else fingerprint((training, validating), weights, config, d, seed, own, start),
        callbacks=tuple(callbacks),
        verbose=sys.stderr.isatty() if verbose is None else verbose,
    )
    preparation = clock.elapsed
    begun = objective.validate(networks)
    unfolding = None
    if start == "isomap" and (path is None or not path.exists()):  # a checkpoint has it behind it
        unfolding = unfold(networks, objective.training, objective.spread, plan, clock)
    correction = expected_correction(begun if unfolding is None else unfolding.best, weights)
    if unfolding is None or unfolding.best_step == 0:
        expect(networks, correction)
    interrupted = unfolding is not None and unfolding.stopped == "interrupted"
    # Of linear maps none reconstructs better than POD (Baldi & Hornik 1989).
    optimal = linear and not weights.regularised
    seconds = 0.0 if optimal or interrupted else training_seconds(clock, preparation)
    done = train(networks, replace(plan, proportion=min(1.0, correction / LARGE_CORRECTION), seconds=seconds))
    done.start = begun  # the closed form, wherever the training began
    if optimal or interrupted:
        done.stopped = "optimal" if optimal else "interrupted"
    return assemble(samples, projection, networks, closed, done, objective, plan, clock, start)


def require_weight(weights: LossWeights) -> None:
    """Refuse weights under which nothing is to be reconstructed: the decoder would learn nothing."""
    if weights.reconstruction + weights.denoising <= 0.0:
        raise RomValueError(
            "weights: reconstruction and denoising are both zero, so nothing asks for the data back; give one of them a positive "
            "weight (an autoencoder has no other losses but regularisers)"
        )


def require_start(start: str, config: FitConfig, modules: tuple[nn.Module, nn.Module] | None) -> None:
    """Refuse an unknown start, and Isomap where no network could learn its coordinates."""
    require_choice("start", start, STARTS)
    if start == "isomap" and modules is None and config.network is None and not config.hidden:
        raise RomValueError(
            "start: 'isomap' needs networks that bend, and FitConfig.hidden is (); give them widths, or leave start at 'pod'"
        )


def require_sparse(latent_dim: int, n_states: int, weights: LossWeights) -> None:
    """Refuse more latent coordinates than components where nothing keeps the identity from being learned."""
    if latent_dim > n_states and weights.sparse + weights.sparse_kl <= 0.0:
        raise RomValueError(
            f"latent_dim is {latent_dim}, but a sample has only {n_states} components: an over-complete autoencoder learns the "
            "identity; ask for fewer, or give LossWeights(sparse=...) or (sparse_kl=...) a positive weight"
        )


def dimension(latent_dim: int, rank: int, weights: LossWeights) -> int:
    """The number of latent coordinates: no more than the data span, unless they are to be sparse."""
    if latent_dim <= rank or weights.sparse + weights.sparse_kl > 0.0:
        return latent_dim
    log.warning("latent_dim lowered from %d to %d, the POD rank", latent_dim, rank)
    return rank


def without_many_products(config: FitConfig, latent_dim: int) -> FitConfig:
    """`config` without a quadratic path that would take longer to fit than all else."""
    if not config.quadratic_decoder or n_products(latent_dim) <= MOST_PRODUCTS:
        return config
    log.info(
        "no quadratic path in the decoder: %d latent coordinates have %d products", latent_dim, n_products(latent_dim)
    )
    return replace(config, quadratic_decoder=False)


def pod_sample(samples: np.ndarray, seed: int) -> np.ndarray:
    """Samples (N, n) for the POD: all where the smaller side is short, or else some of them."""
    if min(samples.shape) <= MAX_SNAPSHOTS:
        return samples
    return samples[np.random.default_rng([seed, 5]).permutation(len(samples))[:MAX_SNAPSHOTS]]


def variance_of(coordinates: Tensor) -> float:
    """The mean variance of a coordinate of (N, r)."""
    return max(float(coordinates.double().var(dim=0, unbiased=False).mean()), float(np.finfo(np.float32).tiny))


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed % 2**63)


def fingerprint(
    parts: Sequence[Tensor],
    weights: LossWeights,
    config: FitConfig,
    latent_dim: int,
    seed: int,
    own: OwnModules | None,
    start: str,
) -> str:
    """What a checkpoint must agree with: a digest of the samples in POD coordinates, of the settings, start and own modules."""
    shapes = [list(part.shape) for part in parts]
    settings = [weights.to_dict(), config.to_dict(), latent_dim, seed, start, repr(own), *shapes]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for part in parts:
        sums = [f"{value:.6e}" for value in part.abs().sum(dim=0).tolist()]  # few digits: threads add in any order
        digest.update(" ".join(sums).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Start:
    """POD and quadratic manifold in closed form, and the share of the variance that they lose on validating samples."""

    manifold: Manifold
    error: float


class AutoencoderObjective:
    """Reconstruction and regularisers on batches of samples (N, r), in POD coordinates."""

    validated_on = "held-out samples"
    advice = "More latent coordinates, more samples, or smaller weights of regularisers may help"

    def __init__(
        self,
        training: Tensor,
        validating: Tensor,
        weights: LossWeights,
        config: FitConfig,
        n_states: int,
        seed: int,
    ):
        self.training = training
        self.validating = validating
        self.weights = weights
        self.config = config
        self.n_states = n_states
        self.seed = seed
        self.spread = variance_of(training)

    def losses(self, networks: EncoderDecoder, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """The unweighted losses of one batch."""
        size = self.config.collocation_batch
        batch = self.training
        if len(batch) > size:
            rows = torch.randint(len(batch), (size,), generator=generator)
            batch = batch.index_select(0, rows.to(batch.device))
        return self.losses_at(networks, batch, generator, progress)

    def losses_at(
        self, networks: EncoderDecoder, w: Tensor, generator: torch.Generator, progress: float
    ) -> dict[str, Tensor]:
        regularisers = regularisation(
            networks, w, self.weights, self.config, self.spread, self.n_states, generator, progress
        )
        if "reconstruction" in regularisers:  # that of a Gaussian encoder
            return regularisers
        return {"reconstruction": self.reconstruction(networks, w)} | regularisers

    def reconstruction(self, networks: EncoderDecoder, w: Tensor) -> Tensor:
        """|psi(phi(w)) - w|^2 in shares of the variance."""
        return mean_square(networks.decoder(networks.encoder(w)) - w) / self.spread

    @torch.no_grad()
    def validate(self, networks: EncoderDecoder) -> Validation:
        """The weighted sum of the losses on the samples that validate, with the same noise whenever it is asked for.

        In batches as in training: they take no more memory, and some regularisers measure by the spread of a batch. A loss
        that is not finite, or beyond all use, counts as a large one.
        """
        generator = generator_of(self.seed)
        weights = self.weights.to_dict()
        total = share = 0.0
        for batch in self.batches():
            losses = self.losses_at(networks, batch, generator, progress=1.0)
            part = len(batch) / len(self.validating)
            total += part * sum(weights[name] * float(bounded(loss)) for name, loss in losses.items())
            share += part * float(bounded(self.reconstruction(networks, batch)))
        return Validation(error=total, typical=1.0, physics=total, median=math.sqrt(share))

    def batches(self) -> tuple[Tensor, ...]:
        """The samples that validate, in parts of about the same size, none larger than a batch of the training."""
        return self.validating.tensor_split(-(-len(self.validating) // self.config.collocation_batch))

    def window(self, progress: float) -> int:  # noqa: ARG002
        return 0

    def renew(self, renewed: list[int], progress: float, seconds: float | None) -> None:
        """Nothing is added to samples."""

    def resume(self, renewed: Sequence[int]) -> None:
        """Nothing was added."""


def closed_form(training: Tensor, validating: Tensor, latent_dim: int, config: FitConfig) -> Start:
    """The quadratic manifold, or POD alone, whose ridge loses least of the validating samples (N, r)."""
    d = min(latent_dim, training.shape[1])
    solve = quadratic_manifold(training.numpy(), d, config.quadratic_decoder)
    w = validating.numpy()
    z = w[:, :d]
    variance = variance_of(training)

    def error(manifold: Manifold) -> float:
        decoded = manifold.offset + z @ manifold.linear.T
        if config.quadratic_decoder:
            decoded += distinct_products(z) @ distinct_coefficients(manifold.quadratic, d).T
        return float(((decoded - w) ** 2).mean()) / variance

    ridges = RIDGES if config.quadratic_decoder else RIDGES[:1]  # a constant needs no ridge
    best = min((solve(ridge) for ridge in ridges), key=error)
    return Start(best, error(best))


def expected_correction(begun: Validation, weights: LossWeights) -> float:
    """The size of the corrections that the networks must learn: some times the root of what there is to gain at most.

    That is the weighted sum of all losses at the start, beside the weight of reconstructing: a closed form that loses nothing
    may yet be far from sparse.
    """
    return min(1.0, 3.0 * math.sqrt(begun.error / (weights.reconstruction + weights.denoising)))


def expect(networks: EncoderDecoder, correction: float) -> None:
    """Tell networks whose corrections are nothing yet how large these will be."""
    for part in (networks.encoder, networks.decoder):
        if part.correction is not None:
            part.correction.gain.fill_(correction)


@torch.no_grad()
def start_from(networks: EncoderDecoder, manifold: Manifold, samples: Tensor, seed: int) -> None:
    """Make the networks equal to the closed form, with latent coordinates of unit spread; corrections begin at nothing.

    Latent coordinates beyond those of the POD, of an over-complete autoencoder, are random mixtures of these, which the decoder
    has yet to learn to use.
    """
    encoder, decoder = networks.encoder, networks.decoder
    d, known = encoder.linear.out_features, manifold.linear.shape[1]
    spread = samples[:, :known].std(dim=0).clamp(min=1e-30)
    encode, decode = samples.new_zeros(d, samples.shape[1]), samples.new_zeros(samples.shape[1], d)
    encode[:known, :known] = torch.diag(1.0 / spread)
    decode[:, :known] = torch.from_numpy(manifold.linear) * spread
    if d > known:
        mixtures = torch.randn(d - known, known, generator=generator_of(seed), dtype=samples.dtype)
        encode[known:, :known] = mixtures / mixtures.norm(dim=1, keepdim=True) / spread
    encoder.linear.weight.copy_(encode)
    decoder.linear.weight.copy_(decode)
    decoder.linear.bias.copy_(torch.from_numpy(manifold.offset))
    if decoder.quadratic is not None:
        scaled = manifold.quadratic.reshape(-1, known, known) * (spread[:, None] * spread).numpy()
        products = np.zeros((len(scaled), d, d))
        products[:, :known, :known] = scaled
        decoder.quadratic.weight.copy_(torch.from_numpy(packed(products.reshape(len(scaled), -1), d)))
    scale_correction(encoder.correction, samples, 1.0)
    scale_correction(decoder.correction, samples @ encode.T, 1.0)


@torch.no_grad()
def calibration(state: AutoencoderState, samples: Tensor) -> Tensor:
    """Mean square errors (m,) of reconstructed samples (m, n), in increasing order, none below what is rounding."""
    errors = [
        (state.decode(state.encode(batch)) - batch).double().square().mean(dim=1) for batch in samples.split(TOGETHER)
    ]
    rounding = torch.finfo(samples.dtype).eps ** 2 * float(samples.double().square().mean())
    return torch.cat(errors).clamp(min=rounding).sort().values


@torch.no_grad()
def errors_of_state(state: AutoencoderState, closed: Start, samples: Samples, spread: float) -> tuple[float, float]:
    """Mean square errors on the validating samples, in shares of the variance of the data: of the autoencoder, and of its start.

    Of whole samples: few training samples leave much of others outside of their POD, which POD coordinates do not show.
    """
    projection, kind = state.projection, state.projection.mean
    states = torch.from_numpy(samples.validating).to(kind)
    variance = samples.training.var(axis=0).mean()
    batches = states.split(TOGETHER)
    missed = [(projection.lift(projection.project(x)) - x).double().square().mean(dim=1) for x in batches]
    per_component = float(projection.scale) ** 2 * spread * projection.rank / states.shape[1]
    start = float(torch.cat(missed).mean()) + closed.error * per_component
    return float(calibration(state, states).mean()) / variance, start / variance


def assemble(
    samples: Samples,
    projection: Projection,
    networks: EncoderDecoder,
    closed: Start,
    training: Training,
    objective: AutoencoderObjective,
    plan: Plan,
    clock: Clock,
    start: str,
) -> Autoencoder:
    """The finished autoencoder, calibrated on the samples that were set aside."""
    networks.posterior = None
    state = AutoencoderState(projection.to(objective.training), networks, torch.zeros(0))
    state.calibration = calibration(state, torch.from_numpy(samples.calibrating).to(objective.training))
    error, closed_form_error = errors_of_state(state, closed, samples, objective.spread)
    rows = training.rows
    names = list(rows[0].losses) if rows else []
    columns: dict[str, Any] = {f"loss_{name}": ("step", [row.losses[name] for row in rows]) for name in names}
    for name in ("validation_error", "best_validation_error", "learning_rate", "seconds"):
        columns[name] = ("step", [getattr(row, name) for row in rows])
    columns["part"] = ("sample", samples.part, {"flag_meanings": "training validating calibrating"})
    attrs = {
        "latent_dim": networks.encoder.linear.out_features,
        "rank": projection.rank,
        "lost_energy": projection.lost_energy,
        "validated_on": objective.validated_on,
        "reconstruction_error": error,
        "closed_form_reconstruction_error": closed_form_error,
        "validation_error": training.best.error,
        "closed_form_validation_error": training.start.error,
        "start": start,
        "variational": int(plan.weights.variational > 0.0),
        "denoising": int(plan.weights.denoising > 0.0),
        "n_samples": len(samples.training),
        "stopped": training.stopped,
        "interrupted": training.stopped == "interrupted",
        "steps": training.step,
        "best_step": training.best_step,
        "seed": plan.seed,
        "weights": json.dumps(plan.weights.to_dict()),
        "seconds": clock.elapsed,
    }
    history = xr.Dataset(columns, {"step": [row.step for row in rows]}, attrs=attrs)
    autoencoder = Autoencoder(state, samples.layout, plan.config, history)
    note_quality(autoencoder, objective.validating)
    return autoencoder


@dataclass(frozen=True)
class InCoordinates:
    """An autoencoder between POD coordinates and latent coordinates."""

    networks: EncoderDecoder

    def encode(self, w: np.ndarray) -> Tensor:
        return self.networks.encoder(torch.from_numpy(w).to(self.networks.encoder.linear.weight))

    def decode(self, z: Tensor) -> Tensor:
        return self.networks.decoder(z.to(self.networks.decoder.linear.weight)).to(z)


def note_quality(autoencoder: Autoencoder, coordinates: Tensor) -> None:
    """Enter into the history how the latent space is used, and warn where it is not, or folds.

    On samples by their POD coordinates (N, r): distances and angles are those of the samples, for the basis is orthonormal, and
    nothing needs to be lifted once for every latent coordinate.
    """
    if len(coordinates) < ENOUGH_FOR_NEIGHBOURS:
        return
    quality = measured(InCoordinates(autoencoder._state.networks), coordinates.cpu().numpy())
    for name in ("effective_dimension", "trustworthiness"):
        autoencoder.history.attrs[name] = quality.attrs[name]
    for message in complaints(quality):
        log.warning("%s", message)
