"""What drives a latent ODE: forcing on intervals and steps, and rollouts with it."""

import numpy as np
import pytest
import torch
from driven_plant import BASIS, A, B, T, layout, plant
from torch import nn

import systems
from rom.dynamics.forcing import Forcing, forcing_on_intervals, forcing_on_steps, time_features
from rom.dynamics.rollout import roll_out
from rom.dynamics.runge_kutta import interpolate_forcing, rk4_rollout
from rom.networks.latent_dynamics import LatentDynamics
from rom.training.batches import Rollouts, SnapshotTable


def test_forcing_between_snapshots_is_linear_or_held():
    u = np.arange(6.0).reshape(2, 3, 1) ** 2
    times = np.array([0.0, 1.0, 3.0])
    linear = forcing_on_intervals(times, u, layout(inputs=("u",)))
    assert linear.shape == (2, 3, 2, 1)
    assert np.array_equal(linear[1, :, 0, 0], [1.0, 2.5, 4.0])
    held = forcing_on_intervals(times, u, layout(inputs=("u",), held_inputs=True))
    assert np.array_equal(held[1, :, 0, 0], [1.0, 1.0, 1.0])


def test_time_is_itself_or_its_phase():
    times = np.array([0.0, 0.5, 2.0])
    assert np.array_equal(time_features(times, layout(depends_on_time=True))[:, 0], times)
    phase = time_features(times, layout(depends_on_time=True, period=2.0))
    assert np.allclose(phase, [[1, 0], [0, 1], [1, 0]])
    assert time_features(times, layout()).shape == (3, 0)


def test_fractions_of_an_interval_lie_on_the_parabola():
    s = torch.linspace(0, 1, 9, dtype=torch.float64)
    ends = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    curve = lambda x: 2.0 - 3.0 * x + 4.0 * x**2  # noqa: E731
    found = interpolate_forcing(curve(ends)[:, None, None], s)
    torch.testing.assert_close(found[:, 0, 0], curve(s))


@pytest.mark.parametrize("held", [False, True])
def test_signals_give_the_forcing_of_their_values(held):
    u = np.random.default_rng(0).standard_normal((3, len(T), 1))
    made = systems.Signals(("u",), T, u, held)
    labels = layout(inputs=("u",), held_inputs=held)
    assert np.allclose(forcing_on_steps(T, made, labels), forcing_on_intervals(T, u, labels))


def test_windows_carry_the_forcing_of_their_trajectories():
    forcing = torch.arange(4 * 3 * 2.0).view(4, 3, 2, 1)
    coordinates = torch.arange(10.0).view(5, 2, 1)
    table = SnapshotTable.of([Rollouts(torch.ones(4), coordinates, torch.zeros(2, 0), forcing)])
    windows = table.draw(50, 2, torch.Generator().manual_seed(0))
    assert windows.forcing is not None
    assert windows.forcing.shape == (2, 3, 50, 1)
    for k in range(50):
        at = windows.coordinates[0, k, 0].int().item()
        torch.testing.assert_close(windows.forcing[:, :, k], forcing[at // 2 : at // 2 + 2, :, at % 2])


def linear_dynamics(dtype=torch.float64):
    """h(z, u) = A z + B u."""
    linear = nn.Linear(3, 2).to(dtype)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(np.column_stack([A, B])))
        linear.bias.zero_()
    return LatentDynamics(linear, None, None).requires_grad_(False)


def test_driven_rollouts_converge_with_order_four():
    """dz/dt = A z + B sin(3 t), against the closed form by variation of constants."""
    z0 = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    response = np.linalg.solve(3j * np.eye(2) - A, B)

    def particular(t):
        return np.imag(response * np.exp(3j * t))

    values, vectors = np.linalg.eig(A)
    start = np.linalg.solve(vectors, z0[0].numpy() - particular(0.0))
    exact = np.real(vectors @ (np.exp(2.0 * values) * start)) + particular(2.0)
    errors, steps = [], [8, 16, 32, 64]
    for n in steps:
        edges = np.linspace(0.0, 2.0, n + 1)
        stages = np.stack([edges[:-1], 0.5 * (edges[:-1] + edges[1:]), edges[1:]], axis=1)
        forcing = torch.from_numpy(np.sin(3.0 * stages))[:, :, None, None]
        z = rk4_rollout(linear_dynamics().as_function(), z0, torch.full((n,), 2.0 / n, dtype=torch.float64), forcing)[
            -1
        ]
        errors.append(np.abs(z[0].numpy() - exact).max())
    order = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert 3.8 < order < 4.3


def test_substeps_take_the_forcing_within_an_interval():
    z0 = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    ends = torch.tensor([[0.0, 0.5, 1.0], [1.0, 1.5, 2.0]], dtype=torch.float64)[:, :, None, None]
    whole = rk4_rollout(linear_dynamics().as_function(), z0, torch.ones(2, dtype=torch.float64), ends, 4)
    fine = torch.linspace(0, 2, 17, dtype=torch.float64)
    stages = torch.stack([fine[:-1:2], fine[1::2], fine[2::2]], dim=1)[:, :, None, None]
    parts = rk4_rollout(linear_dynamics().as_function(), z0, torch.full((8,), 0.25, dtype=torch.float64), stages)
    torch.testing.assert_close(whole[-1], parts[-1])


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("held", [False, True])
def test_forecast_steps_end_at_knots_and_agree_with_the_full_order_model(n, held):
    """However long steps may be: the input jumps or bends only at their ends."""
    rng = np.random.default_rng(0)
    knots, z0 = np.array([0.0, 0.3, 1.1, 2.0, 3.5]), rng.standard_normal((n, 2))
    made = systems.Signals(("u",), knots, rng.standard_normal((n, 5, 1)), held)
    labels = layout(inputs=("u",), held_inputs=held)
    forcing = Forcing(
        1,
        knots,
        lambda edges: torch.from_numpy(forcing_on_steps(edges, made, labels)),
        lambda t: torch.from_numpy(made.at(t)),
    )
    times = np.array([0.0, 0.2, 0.3, 1.7, 3.0])
    everywhere = lambda z: torch.ones(z.shape[:-1], dtype=torch.bool)  # noqa: E731
    found, _ = roll_out(linear_dynamics(), torch.from_numpy(z0), times, torch.zeros(n, 0), 0.05, everywhere, forcing)
    grid = np.union1d(knots[:-1], times)
    initial, truth = (
        z0 @ BASIS.T,
        systems.simulate(
            plant(),
            t=grid,
            initial=z0 @ BASIS.T,
            inputs=systems.signals(grid, {"u": made.at(grid)[..., 0]}, "previous" if held else "linear"),
        ),
    )
    assert initial.shape == (n, 12)
    expected = truth["state"].sel(time=times).values @ BASIS
    assert np.abs(np.moveaxis(found.numpy(), 0, 1) - expected).max() < 1e-5
    alone, _ = roll_out(
        linear_dynamics(),
        torch.from_numpy(z0[:1]),
        times,
        torch.zeros(1, 0),
        0.05,
        everywhere,
        forcing.of_trajectory(0),
    )
    torch.testing.assert_close(alone, found[:, :1])
