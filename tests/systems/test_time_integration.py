"""The Lawson method: observed order, stiffness, error control."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import systems
from systems.integrators import IntegrationFailure, march


def fixed_steps(n, viscosity, steps):
    """Burgers to t = 1 by steps of one length, as states on the grid."""
    burgers = systems.Burgers(n=n, viscosity=viscosity)
    x = burgers.coords["x"]
    form = burgers._formulation(None)
    modes = form.forward((0.4 * np.sin(x) + 0.2 * np.cos(2 * x + 1))[None])
    solver = systems.LawsonDormandPrince(
        lambda t, y: form.rhs(t, y.reshape(modes.shape)).ravel(), 0.0, modes.ravel(), 1.0,
        symbol=form.symbol, weights=form.weights, rtol=1e9, atol=1e9,
        max_step=1 / steps, first_step=1 / steps,
    )  # fmt: skip
    return form.backward(march(solver, np.array([0.0, 1.0]))[-1:])


# At n = 512 a step of 0.1 is 1,456 times the fastest decay time, far beyond the stability of explicit
# methods: Lawson methods can lose their order there, but on smooth periodic states this one does not.
@pytest.mark.parametrize(("n", "viscosity"), [(64, 0.05), (64, 0.5), (512, 0.5)])
def test_observed_order_is_five_also_where_stiff(n, viscosity):
    steps = np.array([5, 10, 20, 40])
    reference = fixed_steps(n, viscosity, 320)
    errors = [np.abs(fixed_steps(n, viscosity, s) - reference).max() for s in steps]
    order = -np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert 4.6 < order < 5.4


def test_linear_part_is_exact_whatever_the_step():
    symbol = -np.array([[0.0, 1.0, 1e3, 1e8]])
    y0 = np.array([1.0, 2.0 + 1j, 3.0, 4.0])
    solver = systems.LawsonDormandPrince(
        lambda _, y: np.zeros_like(y),
        0.0,
        y0,
        5.0,
        symbol=symbol,
        first_step=5.0,
    )
    y = march(solver, np.array([0.0, 5.0]))[-1]
    np.testing.assert_allclose(y, y0 * np.exp(5 * symbol[0]), rtol=1e-14)
    assert solver.nfev <= 8


@pytest.mark.parametrize("rtol", [1e-6, 1e-9, 1e-11])
def test_error_follows_the_tolerance(rtol):
    burgers = systems.Burgers(n=128, viscosity=0.05)
    t = np.linspace(0, 2, 5)
    reference = systems.simulate(burgers, 3, t, rtol=1e-13, atol=1e-14)["state"].values
    states = systems.simulate(burgers, 3, t, rtol=rtol, atol=rtol / 10)["state"].values
    assert np.abs(states - reference).max() < 2 * rtol * np.abs(reference).max()


@pytest.mark.parametrize("system", [systems.Burgers(n=96, viscosity=0.03), systems.Lorenz()], ids=["stiff", "not"])
def test_agrees_with_an_integrator_of_another_kind(system):
    x0 = np.asarray(system.sample_initial(2))
    t = np.linspace(0, 1, 4)
    states = systems.simulate(system, t=t, initial=x0)["state"].values
    for i in range(2):
        other = solve_ivp(lambda s, x: system.rhs(x, None, s), (0, 1), x0[i], "Radau", t, rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(states[i], other.y.T, atol=3e-7)


def test_output_times_do_not_change_the_accuracy():
    # Interpolating between steps would: the dense output of a method of order 8 is of order 7, and unchecked.
    lorenz = systems.Lorenz()
    coarse = systems.simulate(lorenz, 3, [0.0, 1.0], rtol=1e-13, atol=1e-13)["state"].values[:, -1]
    fine = systems.simulate(lorenz, 3, np.linspace(0, 1, 38))["state"].values[:, -1]
    np.testing.assert_allclose(fine, coarse, atol=1e-6)


def test_blow_up_in_finite_time_is_a_failure():
    solver = systems.LawsonDormandPrince(
        lambda _, y: y**2,
        0.0,
        np.array([1.0]),
        2.0,
        symbol=np.zeros((1, 1)),
    )
    with np.errstate(all="ignore"), pytest.raises(IntegrationFailure, match=r"at t = 1\.?0*: .*step size"):
        march(solver, np.array([0.0, 2.0]))


def test_no_dense_output():
    with pytest.raises(NotImplementedError, match="let its steps end at the output times"):
        solve_ivp(
            lambda _, y: -y, (0, 1), [1.0 + 0j], method=systems.LawsonDormandPrince,
            symbol=np.zeros((1, 1)), t_eval=[0.55],
        )  # fmt: skip
