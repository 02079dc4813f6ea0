"""Latent dimension, ridge and Runge-Kutta step, chosen from closed-form models on held-out data."""

import dataclasses

import numpy as np
import pytest
import torch

import rom
import systems
from rom.config import FitConfig
from rom.data.read_collocation import as_collocation
from rom.data.read_trajectories import as_trajectories
from rom.data.split import split_trajectories
from rom.fitting.collect import FitData
from rom.fitting.latent_dim_search import select_latent_dim
from rom.fitting.prepare import prepare
from rom.fitting.ridge_search import ClosedFormCandidate, select_closed_form
from rom.fitting.step_size import StepSize, choose_step_size
from rom.models.closed_form import closed_form_networks
from rom.training.run import FitRun
from rom.utils.time_budget import TimeBudget

RUN = FitRun(FitConfig(), rom.LossWeights(), 0, TimeBudget(), torch.device("cpu"))


@pytest.fixture(scope="module")
def rotations():
    """Three planes that turn at their own speed and hold less and less energy: six states."""
    speeds, sizes = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.1, 1e-6])
    t = np.linspace(0, 6, 61)
    phase = np.random.default_rng(0).uniform(0, 6, (8, 1, 3))
    angle = speeds * t[:, None] + phase
    states = np.concatenate([sizes * np.cos(angle), sizes * np.sin(angle)], axis=-1)
    velocity = np.concatenate([-sizes * speeds * np.sin(angle), sizes * speeds * np.cos(angle)], axis=-1)
    return t, states, velocity


@pytest.fixture(scope="module")
def prepared(rotations):
    t, states, velocity = rotations
    groups, layout = as_trajectories((t, states))
    pairs, _ = as_collocation((states.reshape(-1, 6), velocity.reshape(-1, 6)))
    config = FitConfig(energy_tolerance=0.0)
    return prepare(FitData(split_trajectories(groups, 0), pairs, layout), config, 1)


def test_the_smallest_good_enough_dimension_is_chosen(prepared):
    chosen, errors = select_latent_dim(prepared, RUN)
    assert list(errors) == [1, 2, 3, 4, 5, 6]
    assert errors[4] < 1e-4
    assert chosen.closed_form.latent_dim == next(d for d, error in errors.items() if error < 1e-3)
    assert errors[chosen.closed_form.latent_dim] == chosen.error


def test_the_ridge_with_the_lowest_error_is_chosen(prepared, monkeypatch):
    best = select_closed_form(prepared, 4, RUN)
    for ridge in (1e-10, 1e-4, 1.0):
        monkeypatch.setattr("rom.fitting.ridge_search.RIDGES", (ridge,))
        assert select_closed_form(prepared, 4, RUN).error >= best.error * (1 - 1e-9)


def test_faster_dynamics_get_more_runge_kutta_steps(rotations):
    t, states, velocity = rotations

    def steps(stride):
        groups, layout = as_trajectories((t[::stride], states[:, ::stride]))
        pairs, _ = as_collocation((states.reshape(-1, 6), velocity.reshape(-1, 6)))
        prepared = prepare(FitData(split_trajectories(groups, 0), pairs, layout), FitConfig(), 4)
        step = select_closed_form(prepared, 4, RUN).step
        interval = float(max(group.intervals.max() for group in prepared.training))
        assert step.max_step == pytest.approx(interval * step.stride / step.substeps)
        assert step.substeps == 1 or step.stride == 1
        return step.substeps / step.stride

    assert steps(1) <= steps(5) <= steps(20)
    assert steps(1) < 1 < steps(20)


def test_auto_is_the_dimension_of_the_manifold():
    """Six Legendre modes, of which three are functions of the others: the manifold has three dimensions."""
    lorenz = systems.LiftedLorenz(n=32)
    runs = systems.simulate(lorenz, 8, np.linspace(0.0, 1.0, 51), seed=1)
    pairs = systems.collocate(lorenz, 500, sampler=systems.InitialStates(lorenz), seed=2)
    config = rom.FitConfig(hidden=(), latent_hidden=(), steps=1, dtype="float64")
    model = rom.fit(None, trajectories=runs, collocation=pairs, config=config)
    curve = model.history["closed_form_error"]
    assert curve.sel(latent_dim=3) < 0.1 * curve.sel(latent_dim=2)


def test_what_would_be_fast_makes_no_step_unstable():
    """A mode that decays at once, seen in no more than the first snapshot: by accuracy alone steps were 64 intervals."""
    t = np.linspace(0.0, 10.0, 101)
    rng = np.random.default_rng(0)
    slow, fast = rng.standard_normal((8, 1, 1)), rng.standard_normal((8, 1, 1))
    states = np.concatenate([slow * np.exp(-0.2 * t)[:, None], fast * np.exp(-60.0 * t)[:, None]], axis=-1)
    velocity = states * np.array([-0.2, -60.0])
    model = rom.fit(
        None,
        trajectories=(t, states),
        collocation=(states.reshape(-1, 2), velocity.reshape(-1, 2)),
        latent_dim=2,
        config=FitConfig(steps=1, energy_tolerance=0.0, dtype="float64"),
    )
    forecast = rom.closed_form_of(model).forecast(states[:, 0], t)["state"].values
    assert np.abs(forecast - states).max() < 0.05


@pytest.mark.parametrize("rate", [1e2, 1e5])
def test_the_step_of_a_good_model_is_stable_however_stiff_it_is(rate):
    """x' = -x, y' = -rate y at points where y has died out but for a share 1 / rate; and never so many steps of a bad one."""
    states = np.random.default_rng(0).uniform(-1.0, 1.0, (2000, 2)) * [1.0, 1.0 / rate]
    pairs, layout = as_collocation((states, -states * [1.0, rate]))
    prepared = prepare(FitData(split_trajectories([], 0), pairs, layout), FitConfig(), 2)
    config = FitConfig(dtype="float64")
    run = dataclasses.replace(RUN, config=config)
    networks = closed_form_networks(config, select_closed_form(prepared, 2, run).closed_form)
    assert choose_step_size(networks, prepared, 0).max_step * rate * prepared.time_scale < 2.78
    assert choose_step_size(networks, prepared, 0, max_steps_per_interval=100).max_step >= 0.001


@pytest.mark.parametrize(
    ("errors", "chosen"), [({True: 0.9}, True), ({True: 500.0, False: 0.8}, False), ({True: 2.0, False: 3.0}, True)]
)
def test_linear_dynamics_compete_where_quadratic_ones_blow_up(monkeypatch, errors, chosen):
    """`errors`: of the best of each family, which is not tried where it is absent."""

    def best(*_, linear, quadratic):  # noqa: ARG001
        return ClosedFormCandidate(quadratic, errors[quadratic], 0.0, StepSize(1, 1, 1.0))

    monkeypatch.setattr("rom.fitting.ridge_search.search_ridge", best)
    assert select_closed_form(None, 2, RUN).closed_form is chosen
