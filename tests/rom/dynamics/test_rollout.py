"""The rollout behind forecasts: its orders by regression, the compiled h against the networks, its flags."""

import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn

from rom.dynamics import rollout
from rom.dynamics.forcing import Forcing
from rom.dynamics.numpy_stepper import NumpyLatentRhs, rk4_numpy
from rom.dynamics.step_grid import make_step_grid
from rom.networks.latent_dynamics import LatentDynamics
from rom.networks.mlp import ACTIVATIONS

MATRIX = torch.tensor([[-0.1, -2.0, 0.3], [2.0, -0.1, 0.0], [0.2, 0.0, -0.5]], dtype=torch.float64)
TIMES = np.array([0.0, 0.03, 0.4, 1.1, 1.13, 2.0])


@pytest.fixture
def dynamics(random_networks, normal):
    """A maker of h in d = 3 with no part zero and a normalisation that is not trivial."""

    def make(n_parameters: int = 0, **settings) -> LatentDynamics:
        h = random_networks(5, 3, n_parameters, **settings).latent_dynamics.requires_grad_(False)
        h.linear.weight.mul_(0.3)
        if h.quadratic is not None:
            h.quadratic.weight.mul_(0.1)
        if h.correction is not None:
            h.correction.shift.copy_(normal(3 + n_parameters, seed=5))
            h.correction.inverse_spread.copy_(1.0 + normal(3 + n_parameters, seed=6) ** 2)
            h.correction.gain.fill_(0.3)
        return h

    return make


def flow_of(matrix):
    """h(z) = matrix z."""
    d = len(matrix)
    linear = nn.Linear(d, d, dtype=matrix.dtype).requires_grad_(False)
    linear.weight.copy_(matrix)
    linear.bias.zero_()
    return LatentDynamics(linear, None, None)


def everywhere(z):
    return torch.ones(z.shape[:-1], dtype=torch.bool)


def roll_out(h, z0, times, max_step, contains, parameters=None):
    """A rollout without forcing."""
    parameters = torch.zeros(len(z0), 0) if parameters is None else parameters
    return rollout.roll_out(h, z0, times, parameters, max_step, contains, Forcing.none(len(z0)))


def states_at(h, z0, times, max_step, parameters=None):
    return roll_out(h, z0, np.asarray(times), max_step, everywhere, parameters)[0]


# Orders


def orders_of(h, z0, times):
    """The order in the step of the error at the middle times, and that at the last one."""
    reference = states_at(h, z0, times, 2.0 / 2048)
    steps = np.array([16, 32, 64, 128])
    errors = np.array(
        [(states_at(h, z0, times, 2.0 / n) - reference).norm(dim=(1, 2)).numpy() for n in steps]
    )  # (step, time)
    return [-np.polyfit(np.log(steps), np.log(e), 1)[0] for e in (errors[:, 1:-1].max(axis=1), errors[:, -1])]


def test_order_of_the_steps_and_of_the_dense_output_is_four(dynamics, normal):
    times = np.concatenate([np.linspace(0.0, 2.0, 301) * 0.999, [2.0]])
    dense, at_the_end = orders_of(dynamics(), normal(2, 3), times)
    assert at_the_end == pytest.approx(4.0, abs=0.25)
    assert dense == pytest.approx(4.0, abs=0.25)


def test_tight_steps_give_the_matrix_exponential(normal):
    z0 = normal(4, 3)
    states = states_at(flow_of(MATRIX), z0, TIMES, 2e-3)
    expected = np.stack([z0.numpy() @ scipy.linalg.expm(MATRIX.numpy() * t).T for t in TIMES])
    np.testing.assert_allclose(states.numpy(), expected, atol=1e-10)


def test_the_last_step_of_a_linear_flow_is_its_taylor_series():
    z = torch.ones(1, 1, dtype=torch.float64)
    end = states_at(flow_of(torch.eye(1, dtype=torch.float64)), z, [0.0, 0.5], 1.0)[-1].item()
    assert end == pytest.approx(sum(0.5**k / f for k, f in enumerate((1, 1, 2, 6, 24))), abs=1e-15)


# Steps and times know nothing of each other


@pytest.mark.parametrize("chosen", [[0, 5], [0, 2, 5], [0, 1, 3, 4, 5]])
def test_a_subset_of_the_times_gives_the_same_states(dynamics, normal, chosen):
    h, z0 = dynamics(), normal(2, 3)
    every = states_at(h, z0, TIMES, 0.07)
    torch.testing.assert_close(states_at(h, z0, TIMES[chosen], 0.07), every[chosen], rtol=0, atol=1e-15)


def count_calls(monkeypatch):
    calls = []
    original = NumpyLatentRhs.__call__
    monkeypatch.setattr(NumpyLatentRhs, "__call__", lambda self, out: (calls.append(1), original(self, out))[1])
    return calls


@pytest.mark.parametrize(
    ("n_times", "max_step", "n_steps"),
    [(2, 0.1, 20), (500, 0.1, 20), (2, 0.3, 7), (9, 5.0, 1), (2, 0.1 * (1 + 1e-9), 20)],
)
def test_the_number_of_steps_depends_on_the_span_alone(normal, monkeypatch, n_times, max_step, n_steps):
    calls = count_calls(monkeypatch)
    states_at(flow_of(MATRIX), normal(1, 3), np.linspace(1.0, 3.0, n_times), max_step)
    assert len(calls) == 4 * n_steps + 1


def test_times_at_the_ends_of_steps_give_the_states_there(normal):
    z0 = normal(2, 3)
    times = np.linspace(0.0, 1.0, 9)
    grid, none = make_step_grid(times, 0.125, np.zeros(0)), Forcing.none(2)
    ends = rk4_numpy(flow_of(MATRIX), torch.zeros(2, 0), z0, grid, none)(z0, slice(0, 8))[0]
    torch.testing.assert_close(states_at(flow_of(MATRIX), z0, times, 0.125), ends, rtol=0, atol=0)


def test_one_time_takes_no_step(normal, monkeypatch):
    calls, z0 = count_calls(monkeypatch), normal(2, 3)
    latent, inside = roll_out(flow_of(MATRIX), z0, np.array([3.0]), 0.1, lambda z: z[..., 0] < 0)
    assert not calls
    torch.testing.assert_close(latent, z0[None])
    assert torch.equal(inside[0], z0[:, 0] < 0)


def test_blocks_of_steps_change_nothing(dynamics, normal, monkeypatch):
    arguments = (dynamics(), normal(3, 3), TIMES, 0.07, lambda z: z[..., 0] < 0.5)
    whole = roll_out(*arguments)
    monkeypatch.setattr(rollout, "BLOCK_SIZE", 40)  # four steps
    for one, other in zip(roll_out(*arguments), whole, strict=True):
        assert torch.equal(one, other)


# The compiled h


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("n_parameters", [0, 2])
@pytest.mark.parametrize(
    "settings",
    [
        *({"activation": name} for name in ACTIVATIONS),
        {"latent_hidden": (6, 9, 4)},
        {"latent_terms": ("linear", "neural")},
        {"latent_terms": ("linear", "quadratic")},
        {"latent_terms": ("linear",)},
    ],
    ids=str,
)
def test_compiled_rates_are_those_of_the_networks(dynamics, normal, batch, n_parameters, settings):
    h = dynamics(n_parameters, **settings)
    z, mu = normal(batch, 3, seed=7), normal(batch, n_parameters, seed=8)
    compiled = NumpyLatentRhs(h, mu, (batch,) if batch > 1 else ())
    out = np.empty_like(compiled.state)
    for states in (z, -2.0 * z):  # nothing of the first may be left in the buffers
        compiled.state[...] = states.numpy().T.reshape(compiled.state.shape)
        compiled(out)
        np.testing.assert_allclose(out.reshape(3, batch).T, h(states, mu).numpy(), rtol=1e-13, atol=1e-13)


def test_compiled_rates_leave_the_networks_alone(dynamics, normal):
    h = dynamics()
    before = {name: value.clone() for name, value in h.state_dict().items()}
    states_at(h, normal(2, 3), TIMES, 0.1)
    for name, value in h.state_dict().items():
        assert torch.equal(value, before[name])


def test_many_states_and_each_alone_agree(dynamics, normal):
    h, z0, mu = dynamics(1), normal(6, 3), normal(6, 1, seed=2)
    together = states_at(h, z0, TIMES, 0.05, mu)
    alone = torch.cat([states_at(h, z0[[k]], TIMES, 0.05, mu[[k]]) for k in range(6)], dim=1)
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


# Flags


def rotation():
    return flow_of(torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64))


def left_half(z):
    return z[..., 0] <= 0.5


def test_leaving_is_seen_between_the_times_and_stays():
    """The orbit leaves to the right between pi / 3 and -pi / 3, and is back at both times asked for."""
    z0 = torch.tensor([[0.0, -1.0]], dtype=torch.float64)
    times = np.array([0.0, np.pi, 1.5 * np.pi])  # below, above, left
    _, inside = roll_out(rotation(), z0, times, 0.1, left_half)
    assert inside[:, 0].tolist() == [True, False, False]


@pytest.mark.parametrize("n_times", [3, 10, 1000])
def test_flags_do_not_depend_on_the_other_times(n_times):
    z0 = torch.tensor([[0.0, -1.0]], dtype=torch.float64)
    fine, coarse = np.linspace(0.0, 3.0, 2701), np.linspace(0.0, 3.0, n_times)
    expected = roll_out(rotation(), z0, fine, 0.1, left_half)[1][:, 0].numpy()
    inside = roll_out(rotation(), z0, coarse, 0.1, left_half)[1][:, 0].numpy()
    first_outside = fine[np.argmin(expected)]
    np.testing.assert_array_equal(inside, coarse < first_outside - 1e-9)
    assert np.pi / 6 - 0.1 <= first_outside <= np.pi / 6  # with the step in which it leaves, not after it


def test_a_trajectory_that_overflows_is_not_inside_and_disturbs_no_other():
    h = flow_of(torch.eye(2, dtype=torch.float64))
    quadratic = nn.Linear(4, 2, bias=False, dtype=torch.float64).requires_grad_(False)
    h.quadratic = quadratic
    quadratic.weight.zero_()
    quadratic.weight[:, 0] = 1.0  # dz1/dt = z1 + z1^2 reaches infinity
    z0 = torch.tensor([[-0.5, 0.0], [5.0, 0.0]], dtype=torch.float64)
    times = np.linspace(0.0, 2.0, 21)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        latent, inside = roll_out(h, z0, times, 0.1, lambda z: z.norm(dim=-1) < 1e3)
    assert latent[:, 0].isfinite().all()
    assert inside[:, 0].all()
    assert latent[0, 1].isfinite().all()
    assert not latent[-1, 1].isfinite().all()
    assert not inside[-1, 1]
    alone = roll_out(h, z0[:1], times, 0.1, everywhere)[0]
    torch.testing.assert_close(latent[:, :1], alone, rtol=1e-14, atol=1e-14)
