"""Random numbers: every purpose draws from a stream of its own, which depends on the seed of the fit alone.

Generators live on the CPU, so that a fit draws the same numbers on every device. Global generators are never touched.
"""

from __future__ import annotations

from enum import IntEnum, unique

import numpy as np
import torch

__all__ = ["AutoencoderStream", "FitStream", "random_stream", "step_generator", "torch_generator"]


# The numbers are part of the results: another one would change every fit. A fit draws from one of both enumerations only.
@unique
class FitStream(IntEnum):
    """Streams of `rom.fit`, by what is drawn from them."""

    TRAJECTORY_POINTS = 1  # states of trajectories at which f is evaluated
    HELD_OUT_POINTS = 2  # held-out collocation points, and snapshots for the POD
    STEP_SIZE_STATES = 3  # states at which the Runge-Kutta step is chosen
    GENERATION_SEEDS = 4  # seeds for simulated trajectories and collocation points
    HELD_OUT_TRAJECTORIES = 5
    POINT_PARAMETERS = 6  # parameters and inputs of collocation points
    EXTRA_LATENT_STATES = 7  # mixtures of latent states beyond those of the closed form
    FRESH_FLOWS = 8  # one stream for each renewal and block
    NOISE_STATES = 9  # states at which noise is estimated
    RHS_CHECK_STATES = 10  # states at which data and f are compared
    POINT_TIMES = 12  # times of collocation points


@unique
class AutoencoderStream(IntEnum):
    """Streams of `rom.fit_autoencoder`, by what is drawn from them."""

    SPLIT = 4  # which samples train, validate and calibrate
    POD_SAMPLES = 5  # samples for the POD
    MANIFOLD_SAMPLES = 6  # samples for the quadratic manifold
    ISOMAP_SAMPLES = 11


def random_stream(seed: int, stream: FitStream | AutoencoderStream, *counters: int) -> np.random.Generator:
    """Return the NumPy generator of a stream.

    Parameters
    ----------
    seed : int
        Seed of the fit, not negative.
    stream : FitStream or AutoencoderStream
        What the numbers are for.
    *counters : int
        Tell apart the generators of a stream that has several.

    Examples
    --------
    >>> a = random_stream(0, FitStream.HELD_OUT_TRAJECTORIES).integers(100)
    >>> b = random_stream(0, FitStream.HELD_OUT_TRAJECTORIES).integers(100)
    >>> bool(a == b)
    True
    """
    return np.random.default_rng([seed, stream, *counters])


def torch_generator(seed: int) -> torch.Generator:
    """Return a torch generator on the CPU, for any seed that is not negative."""
    return torch.Generator().manual_seed(seed % 2**63)


def step_generator(seed: int, step: int) -> torch.Generator:
    """Return the torch generator of one training step, so that a resumed training draws the same batches."""
    mixed = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
