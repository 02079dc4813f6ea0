"""Both steppers against a plain loop over the steps, and the grid of steps."""

import numpy as np
import pytest
import torch

from rom.dynamics.forcing import Forcing
from rom.dynamics.numpy_stepper import rk4_numpy
from rom.dynamics.step_grid import make_step_grid
from rom.dynamics.torch_stepper import rk4_torch

TERMS = [("linear",), ("linear", "neural"), ("linear", "quadratic"), ("linear", "quadratic", "neural")]


def forcing_of(width, n, dtype):
    """Forcing that bends at 0.33 and differs among trajectories; none for a width of zero."""
    if width == 0:
        return Forcing.none(n)
    scale = 1.0 + torch.arange(n * width, dtype=dtype).view(n, width)

    def at(time):
        return scale * (0.2 * np.sin(time) + abs(time - 0.33))

    def on_steps(edges):
        stages = zip(edges[:-1], 0.5 * (edges[:-1] + edges[1:]), edges[1:], strict=True)
        return torch.stack([torch.stack([at(float(time)) for time in times]) for times in stages])

    return Forcing(width, np.array([0.33]), on_steps, at)


def plain_loop(h, mu, z, grid, forcing):
    """States at the ends of the steps, and dz/dt before and after each, without any buffer."""
    states, before, after = [z], [], []
    for dt, (start, middle, end) in zip(grid.step_lengths, forcing.on_steps(grid.edges), strict=True):
        z = states[-1]
        k1 = h(z, mu, start)
        k2 = h(z + dt / 2 * k1, mu, middle)
        k3 = h(z + dt / 2 * k2, mu, middle)
        k4 = h(z + dt * k3, mu, end)
        states.append(z + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
        before.append(k1)
        after.append(h(states[-1], mu, end))
    return torch.stack(states), torch.stack(before), torch.stack(after)


@pytest.mark.parametrize("make", [rk4_numpy, rk4_torch])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize(("n_parameters", "n_forcing"), [(0, 0), (2, 0), (0, 2), (1, 1)])
@pytest.mark.parametrize("n", [1, 5])
def test_steps_are_those_of_a_plain_loop(random_networks, normal, make, dtype, terms, n_parameters, n_forcing, n):
    networks = random_networks(5, 3, n_parameters + n_forcing, latent_terms=terms, latent_hidden=(8, 6))
    h = networks.latent_dynamics.to(dtype).requires_grad_(False)
    if "quadratic" in terms:
        h.quadratic.weight.mul_(0.1)
    z0, mu = 0.5 * normal(n, 3, dtype=dtype), normal(n, n_parameters, seed=3, dtype=dtype)
    forcing = forcing_of(n_forcing, n, dtype)
    grid = make_step_grid(np.array([0.0, 1.0]), 0.05, forcing.knots)
    expected = plain_loop(h, mu, z0, grid, forcing)
    take_steps = make(h, mu, z0, grid, forcing)
    pieces, z = [], z0
    for chosen in (slice(0, 7), slice(7, 8), slice(8, grid.n_steps)):  # nothing of one piece may be left in the next
        pieces.append(take_steps(z, chosen))
        z = pieces[-1][0][-1].clone()
    found = [torch.cat([piece[k] for piece in pieces]) for k in (1, 2)]
    found.insert(0, torch.cat([z0[None], *(piece[0][1:] for piece in pieces)]))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        torch.testing.assert_close(one, other)


def test_steps_end_at_knots_and_are_equal_in_between():
    times, knots = np.array([0.0, 0.5, 1.0]), np.array([-1.0, 0.0, 0.3, 1.0, 2.0])
    grid = make_step_grid(times, 0.25, knots)
    np.testing.assert_allclose(grid.edges, [0.0, 0.15, 0.3, 0.3 + 0.7 / 3, 0.3 + 1.4 / 3, 1.0])
    np.testing.assert_allclose(grid.step_lengths, np.diff(grid.edges))
    assert grid.n_steps == 5
    assert grid.step_of_time.tolist() == [0, 2, 4]
    np.testing.assert_allclose(grid.fractions, [0.0, 0.2 / (0.7 / 3), 1.0])
