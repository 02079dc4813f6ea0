"""Time integration: observed orders, stiffness, error control, growth and oscillation of the linear part."""

import numpy as np
import pytest
from references import REFERENCES
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


def test_lawsons_method_converges_with_an_imaginary_linear_part():
    """Of the dispersion of Korteweg-de Vries: tighter tolerances, smaller errors."""
    soliton = REFERENCES["KortewegDeVries"]()
    errors = [soliton.error_of_trajectory(rtol=rtol, atol=0.1 * rtol) for rtol in (1e-5, 1e-7, 1e-9)]
    assert (np.diff(np.log10(errors)) < -1).all()


def test_runs_to_the_attractor_have_order_four():
    from systems.catalogue.chaotic import rk4
    from systems.catalogue.periodic import lawson_steps

    lorenz, waves = systems.Lorenz(), systems.KuramotoSivashinsky(n=32)
    x, u = np.array([[1.0, 2.0, 20.0]]), waves.sample_initial(1).values
    for steps, counts in (
        (lambda n: rk4(lorenz.rhs, x, 0.5 / n, n), (50, 100, 200)),
        (lambda n: lawson_steps(waves, u, 2.0 / n, n), (200, 400, 800)),
    ):
        finest = steps(8 * counts[-1])
        errors = [np.abs(steps(n) - finest).max() for n in counts]
        assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize(
    ("system", "initial", "end"),
    [
        (systems.AllenCahn(n=32), 1e-3, 200.0),
        (systems.AllenCahn(n=32), 0.0, 1000.0),
        (systems.KuramotoSivashinsky(n=32), 0.0, 4000.0),
    ],
)
def test_a_long_step_of_what_grows_is_no_endless_one(system, initial, end):
    """Where nothing happens the step grows, until the growth of the linear part overflows within it."""
    runs = systems.simulate(system, t=[0.0, end], initial=np.full(system.shape, initial), max_seconds=20.0)
    assert np.isfinite(runs["state"]).all()
    assert np.abs(runs["state"]).max() < 1.5


def test_bands_hold_the_whole_jacobian():
    system = systems.FitzHughNagumo(n=7)
    form = system._formulation(None)
    x = system.sample_initial(1).values
    y = form.forward(x)
    np.testing.assert_array_equal(form.backward(y), x)
    jacobian = np.stack([(form.rhs(0.0, y + 1e-4 * e) - form.rhs(0.0, y - 1e-4 * e))[0] for e in np.eye(14)], axis=1)
    below, above = form.bands
    assert np.abs(np.tril(jacobian, -below - 1)).max() == 0
    assert np.abs(np.triu(jacobian, above + 1)).max() == 0
    assert np.abs(np.diag(jacobian, above)).max() > 0
