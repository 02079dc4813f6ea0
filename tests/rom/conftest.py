"""Small problems and one small fitted model, shared by the tests of `rom`. Everything here takes a second or two."""

import dataclasses

import numpy as np
import pytest
import torch

import rom
import systems
from rom.config import FitConfig
from rom.models.build import build_networks
from rom.networks.encoder_decoder import Networks
from rom.training.run import FitRun
from rom.utils.time_budget import TimeBudget

SMALL = rom.FitConfig(
    hidden=(16,),
    latent_hidden=(16,),
    optimizer="adam",
    steps=40,
    validations=4,
    window=5,
    collocation_batch=64,
    window_batch=8,
)


@pytest.fixture(scope="session")
def small() -> FitConfig:
    """A configuration that trains in about a second."""
    return SMALL


@pytest.fixture(scope="session")
def double() -> FitConfig:
    """The same in float64."""
    return dataclasses.replace(SMALL, dtype="float64")


@pytest.fixture(scope="session")
def linear() -> systems.LiftedLinear:
    """Twelve states on a plane of three, with a linear flow: everything about it is known."""
    return systems.LiftedLinear(n=12)


@pytest.fixture(scope="session")
def runs(linear):
    """Eight trajectories of `linear`, (trajectory, time, state_index)."""
    return systems.simulate(linear, 8, np.linspace(0.0, 2.0, 21), seed=1)


@pytest.fixture(scope="session")
def pairs(linear):
    """Collocation pairs of `linear`, (point, state_index)."""
    return systems.collocate(linear, 200, seed=2)


def swing(x):
    """A damped pendulum, x1' = x2, x2' = -sin(2 x1) - 0.1 x2."""
    return np.stack([x[..., 1], -np.sin(2 * x[..., 0]) - 0.1 * x[..., 1]], axis=-1)


@pytest.fixture(scope="session")
def pendulum() -> systems.System:
    """Two states with a sine among them: the closed form is far from exact, so training has something to do."""
    return systems.from_rhs(swing, n_states=2, sampler=systems.Box((-1.5, -1.5), (1.5, 1.5)))


@pytest.fixture(scope="session")
def pendulum_runs(pendulum):
    """Forty trajectories of `pendulum`, (trajectory, time, state_index)."""
    return systems.simulate(pendulum, 40, np.linspace(0.0, 2.0, 21), seed=1)


@pytest.fixture(scope="session")
def pendulum_pairs(pendulum):
    """Collocation pairs of `pendulum`, (point, state_index)."""
    return systems.collocate(pendulum, 300, seed=2)


@pytest.fixture(scope="session")
def model(linear, runs, pairs, small):
    """A hybrid fit of `linear` in float32."""
    return rom.fit(linear, trajectories=runs, collocation=pairs, latent_dim=3, config=small)


@pytest.fixture
def x0(linear):
    """Four new states of `linear`, (trajectory, state_index)."""
    return linear.sample_initial(4, seed=9) / 3


@pytest.fixture(scope="session")
def double_model(linear, runs, pairs, double):
    """The same in float64."""
    return rom.fit(linear, trajectories=runs, collocation=pairs, latent_dim=3, config=double)


@pytest.fixture(scope="session")
def parametric_model(decay_runs, double):
    """A fit of dx/dt = -mu x + mu b to trajectories at several mu."""
    return rom.fit(None, trajectories=decay_runs, latent_dim=3, config=double)


@pytest.fixture(scope="session")
def decay() -> systems.System:
    """dx/dt = mu (b - x) in three states: quadratic in (x, mu), with the solution b + (x0 - b) exp(-mu t)."""
    target = np.array([1.0, -0.5, 0.25])
    return systems.from_rhs(
        lambda x, mu: mu[..., :1] * (target - x),
        n_states=3,
        dims=("species",),
        parameters={"mu": (1.0, 0.5, 2.0)},
        sampler=systems.Box((-2.0,) * 3, (2.0,) * 3),
    )


@pytest.fixture(scope="session")
def decay_runs(decay):
    """Twelve trajectories of `decay` at as many values of mu."""
    return systems.simulate(decay, 12, np.linspace(0.0, 2.0, 41), parameters="sample", seed=3)


@pytest.fixture
def random_networks():
    """A maker of float64 networks with no part zero: `make(r, d, p, **settings of FitConfig)`."""

    def make(rank: int, latent_dim: int, n_parameters: int = 0, **settings) -> Networks:
        config = FitConfig(**{"hidden": (8, 8), "latent_hidden": (8,), "dtype": "float64", **settings})
        networks = build_networks(config, rank, latent_dim, n_parameters, seed=0)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in networks.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.3, generator=generator)
        return networks

    return make


@pytest.fixture(scope="session")
def fit_run():
    """A maker of the settings of a fit on the CPU: `make(config, seed, limit)`."""

    def make(config: FitConfig = SMALL, seed: int = 0, limit: float | None = None) -> FitRun:
        return FitRun(config, rom.LossWeights(), seed, TimeBudget(limit), torch.device("cpu"))

    return make


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Standard normal numbers that do not touch the global generator."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture(name="normal", scope="session")
def _normal():
    return normal
