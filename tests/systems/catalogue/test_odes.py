"""Ordinary and lifted systems against closed forms and conserved quantities."""

import numpy as np
import pytest
import scipy.linalg

import systems


def test_lorenz_vanishes_at_its_fixed_points():
    c = np.sqrt(8 / 3 * 27)
    points = np.array([[0.0, 0.0, 0.0], [c, c, 27.0], [-c, -c, 27.0]])
    assert np.abs(systems.Lorenz().rhs(points)).max() < 1e-13


def test_lorenz_contracts_volumes_at_the_known_rate():
    # div f = -(sigma + 1 + beta), everywhere; here by central differences.
    lorenz, h = systems.Lorenz(), 1e-5
    x = np.asarray(lorenz.sample_initial(5, seed=3))
    steps = h * np.eye(3)
    divergence = sum((lorenz.rhs(x + s) - lorenz.rhs(x - s))[:, i] / (2 * h) for i, s in enumerate(steps))
    np.testing.assert_allclose(divergence, -(10 + 1 + 8 / 3), rtol=1e-8)


def test_lorenz_starts_on_the_attractor():
    x = np.asarray(systems.Lorenz().sample_initial(500, seed=0))
    # Long-time statistics of the attractor: mean of x3 23.5, standard deviation of x1 7.9.
    assert abs(x[:, 2].mean() - 23.5) < 1.5
    assert abs(x[:, 0].std() - 7.9) < 0.5
    assert np.abs(x).max() < 60


def test_lorenz_parameters_enter_by_name_and_position():
    lorenz = systems.Lorenz()
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    expected = np.array([[10 * 1.0, 1 * (20 - 3.0) - 2, 2 - 8.0], [10 * 1.0, 4 * (20 - 6.0) - 5, 20 - 16.0]])
    np.testing.assert_allclose(lorenz.rhs(x, {"rho": 20.0, "beta": 8 / 3}), expected, rtol=1e-14)
    np.testing.assert_allclose(lorenz.rhs(x, np.array([10.0, 20.0, 8 / 3])), expected, rtol=1e-14)
    each = lorenz.rhs(x, np.array([[10.0, 20.0, 8 / 3], [10.0, 28.0, 8 / 3]]))
    np.testing.assert_allclose(each[0], expected[0])
    np.testing.assert_allclose(each[1], lorenz.rhs(x[1]))


def test_duffing_conserves_energy():
    duffing = systems.LiftedDuffing()
    runs = systems.simulate(duffing, 20, np.linspace(0, 50, 26))
    z1, z2 = np.moveaxis(duffing.encode(runs["state"].values), -1, 0)
    energy = z2**2 / 2 - z1**2 / 2 + z1**4 / 4
    assert np.abs(energy - energy[:, :1]).max() < 1e-6


def test_duffing_small_oscillations_have_the_linear_period():
    duffing = systems.LiftedDuffing()
    start = duffing.decode(np.array([[1.001, 0.0]]))
    period = 2 * np.pi / np.sqrt(2)
    runs = systems.simulate(duffing, t=np.array([0.0, period / 2, period]), initial=start)
    z = duffing.encode(runs["state"].values)[0]
    np.testing.assert_allclose(z[1, 0], 0.999, atol=5e-6)
    np.testing.assert_allclose(z[2], [1.001, 0.0], atol=1e-5)


def test_duffing_lift_is_the_cube():
    duffing = systems.LiftedDuffing(n=16, seed=5)
    z = np.array([[-0.5, 1.2], [0.3, -0.1]])
    np.testing.assert_allclose(duffing.decode(z), z**3 @ duffing.lift.T, rtol=1e-13)
    np.testing.assert_allclose(duffing.encode(duffing.decode(z)), z, rtol=1e-12)


def test_lifted_lorenz_modes_are_legendre_polynomials():
    lifted = systems.LiftedLorenz()
    s = lifted.coords["s"]
    closed = [np.ones_like(s), s, (3 * s**2 - 1) / 2, (5 * s**3 - 3 * s) / 2]
    np.testing.assert_allclose(lifted.modes[:4], closed, atol=1e-13)


def test_lifted_lorenz_follows_lorenz():
    lifted, lorenz = systems.LiftedLorenz(), systems.Lorenz()
    t = np.linspace(0, 2, 5)
    x = systems.simulate(lifted, 3, t, seed=4)["state"].values
    z = systems.simulate(lorenz, 3, t, seed=4)["state"].values
    np.testing.assert_allclose(lifted.encode(x) * 40, z, atol=1e-5)


def test_lifted_linear_is_the_matrix_exponential():
    linear = systems.LiftedLinear()
    runs = systems.simulate(linear, 4, np.array([0.0, 1.0, 7.0]))
    x0 = runs["state"].values[:, 0]
    for i, t in enumerate([0.0, 1.0, 7.0]):
        flow = linear.lift @ scipy.linalg.expm(linear.latent_matrix * t) @ linear.lift.T
        np.testing.assert_allclose(runs["state"].values[:, i], x0 @ flow.T, atol=1e-9)


def test_lifted_linear_eigenvalues_and_orthonormal_lift():
    linear = systems.LiftedLinear(decay=0.2, omega=3.0, rate=0.7)
    np.testing.assert_allclose(
        np.sort_complex(np.linalg.eigvals(linear.latent_matrix)), [-0.7, -0.2 - 3j, -0.2 + 3j], atol=1e-14
    )
    np.testing.assert_allclose(linear.lift.T @ linear.lift, np.eye(3), atol=1e-14)


@pytest.mark.parametrize("system", [systems.LiftedDuffing(), systems.LiftedLorenz(), systems.LiftedLinear()])
def test_lifted_rhs_is_the_chain_rule(system):
    z = np.array([[0.4, -0.3, 0.6], [-0.7, 0.2, 0.5]])[:, : system.latent_dim]
    dz, h = system.latent_rhs(z), 1e-6
    by_differences = (system.decode(z + h * dz) - system.decode(z - h * dz)) / (2 * h)
    np.testing.assert_allclose(system.rhs(system.decode(z)), by_differences, atol=1e-8)
    np.testing.assert_allclose(system.encode(system.decode(z)), z, atol=1e-12)


@pytest.mark.parametrize("system", [systems.LiftedLorenz(), systems.LiftedLinear()])
def test_latent_integration_is_integration_of_f_also_off_the_manifold(system):
    x0 = np.asarray(system.sample_initial(2, seed=1)) + np.linspace(0, 0.01, 128)
    t = np.linspace(0, 1, 5)
    latent = systems.simulate(system, t=t, initial=x0)["state"].values
    direct = systems.simulate(system, t=t, initial=x0, method="DOP853")["state"].values
    np.testing.assert_allclose(latent, direct, atol=1e-6)


@pytest.mark.parametrize(
    "system",
    [
        systems.Lorenz(),
        systems.LiftedDuffing(),
        systems.LiftedLorenz(),
        systems.LiftedLinear(),
        systems.Burgers(n=128, viscosity=0.05),
    ],
    ids=lambda s: s.name,
)
def test_rhs_is_the_derivative_of_the_flow(system):
    h = 1e-3
    states = systems.simulate(system, 3, np.array([0.0, h, 2 * h]), rtol=1e-12, atol=1e-13)["state"].values
    by_differences = (states[:, 2] - states[:, 0]) / (2 * h)
    f = system.rhs(states[:, 1])
    assert np.abs(by_differences - f).max() < 2e-4 * np.abs(f).max()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: systems.LiftedDuffing(n=1), "n must be at least 2, got 1"),
        (
            lambda: systems.LiftedDuffing(low=(1.0, -1.0), high=(0.5, 1.0)),
            r"low must be below high.*low\[0\] = 1",
        ),
        (lambda: systems.LiftedLorenz(n=5), "n must be at least 6, got 5"),
        (lambda: systems.LiftedLinear(rate=-1.0), "rate must be positive, got -1.0"),
        (
            lambda: systems.LiftedDuffing().encode(np.zeros((2, 5))),
            r"x must have shape \(..., 128\).*\(2, 5\)",
        ),
        (lambda: systems.LiftedDuffing().decode(np.zeros(3)), r"z must have shape \(..., 2\)"),
    ],
)
def test_unusable_values_are_named(make, message):
    with pytest.raises(systems.SystemsValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: systems.Lorenz(sigma="a"), "sigma must be a number, got 'a'"),
        (lambda: systems.LiftedLorenz(rho=None), "rho must be a number, got None"),
        (lambda: systems.LiftedLinear(decay="a"), "decay must be a number, got 'a'"),
        (lambda: systems.LiftedDuffing(seed=0.5), "seed must be an integer, got 0.5"),
    ],
)
def test_what_is_no_number_is_named(make, message):
    with pytest.raises(systems.SystemsTypeError, match=message):
        make()
