"""Rollouts against closed forms: order by regression, the matrix exponential, gradients by differences."""

import numpy as np
import pytest
import scipy.linalg
import torch

from rom.dynamics.runge_kutta import adaptive_rollout, hermite, no_forcing, rk4_rollout, rk4_step

MATRIX = torch.tensor([[-0.1, -2.0, 0.3], [2.0, -0.1, 0.0], [0.2, 0.0, -0.5]], dtype=torch.float64)
UNEVEN = torch.tensor([0.05, 0.2, 0.01, 0.14], dtype=torch.float64)


def roll_out(rhs, z0, intervals, substeps):
    """A rollout without forcing."""
    return rk4_rollout(rhs, z0, intervals, no_forcing(intervals), substeps)


def linear_rhs(z, _forcing):
    return z @ MATRIX.T


def pendulum(z, _forcing=None):
    return torch.stack([z[..., 1], -torch.sin(z[..., 0])], dim=-1)


def test_order_of_the_rollout_is_four():
    z0 = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    times = torch.tensor([0.0, 2.0], dtype=torch.float64)
    reference = adaptive_rollout(lambda _t, z: pendulum(z), z0, times, rtol=1e-12, atol=1e-13)[-1]
    substeps = np.array([8, 16, 32, 64])
    errors = [(roll_out(pendulum, z0, times.diff(), int(k))[-1] - reference).norm().item() for k in substeps]
    order = -np.polyfit(np.log(substeps), np.log(errors), 1)[0]
    assert order == pytest.approx(4.0, abs=0.15)


def test_linear_flow_is_the_matrix_exponential_at_uneven_times(normal):
    z0 = normal(5, 3)
    states = roll_out(linear_rhs, z0, UNEVEN, substeps=20)
    times = np.concatenate([[0.0], np.cumsum(UNEVEN.numpy())])
    expected = np.stack([z0.numpy() @ scipy.linalg.expm(MATRIX.numpy() * t).T for t in times])
    np.testing.assert_allclose(states.numpy(), expected, atol=2e-9)


def test_every_row_may_have_its_own_intervals(normal):
    z0 = normal(2, 3)
    intervals = torch.stack([UNEVEN, UNEVEN.flip(0)], dim=1)[..., None]  # (K, B, 1)
    states = roll_out(linear_rhs, z0, intervals, substeps=3)
    for row, own in enumerate((UNEVEN, UNEVEN.flip(0))):
        torch.testing.assert_close(states[:, row], roll_out(linear_rhs, z0[row], own, substeps=3))


def test_one_step_is_the_taylor_series_to_fourth_order():
    z = torch.ones(1, dtype=torch.float64)
    step = rk4_step(lambda z, _forcing: z, z, torch.tensor(0.5, dtype=z.dtype), torch.zeros(3, 0)).item()
    assert step == pytest.approx(sum(0.5**k / f for k, f in enumerate((1, 1, 2, 6, 24))), abs=1e-15)


def test_a_known_first_slope_changes_nothing(normal):
    z = normal(4, 2)
    dt, none = torch.tensor(0.1, dtype=torch.float64), torch.zeros(3, 0)
    assert torch.equal(rk4_step(pendulum, z, dt, none, pendulum(z)), rk4_step(pendulum, z, dt, none))


def test_hermite_gives_cubics_exactly_and_the_ends_to_the_last_bit():
    a, b = torch.tensor(1.0, dtype=torch.float64), torch.tensor(1.7, dtype=torch.float64)
    fraction = torch.linspace(0.0, 1.0, 7, dtype=torch.float64)

    def cubic(t):
        return 2.0 - t + 3.0 * t**2 - 4.0 * t**3

    def slope(t):
        return -1.0 + 6.0 * t - 12.0 * t**2

    values = hermite(fraction, 0.7, cubic(a), cubic(b), slope(a), slope(b))
    torch.testing.assert_close(values, cubic(a + 0.7 * fraction), rtol=1e-14, atol=1e-14)
    assert values[0] == cubic(a)
    assert values[-1] == cubic(b)


def test_adaptive_rollout_agrees_with_fixed_steps(normal):
    z0, times = normal(4, 2), torch.tensor([0.0, 0.1, 0.7, 1.0, 3.0], dtype=torch.float64)
    adaptive = adaptive_rollout(lambda _t, z: pendulum(z), z0, times, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(adaptive, roll_out(pendulum, z0, times.diff(), 200), rtol=0, atol=1e-8)


def test_gradient_through_the_rollout(normal):
    z0, stiffness = normal(3, 2).requires_grad_(), torch.tensor(1.3, dtype=torch.float64, requires_grad=True)

    def end(z0, stiffness):
        return roll_out(lambda z, _forcing: stiffness * pendulum(z), z0, UNEVEN, substeps=2)[-1]

    assert torch.autograd.gradcheck(end, (z0, stiffness), eps=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept(normal, dtype):
    z0 = normal(2, 3, dtype=dtype)
    matrix = MATRIX.to(dtype)
    assert roll_out(lambda z, _forcing: z @ matrix.T, z0, UNEVEN.to(dtype), 2).dtype == dtype
