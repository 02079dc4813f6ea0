"""Burgers' equation against the Cole-Hopf solution and a second discretisation."""

import numpy as np
import pytest

import systems

NU = 0.1


def potential(x, t):
    """phi of the Cole-Hopf transform u = -2 nu phi_x / phi, a positive solution of phi_t = nu phi_xx."""
    a, b = np.exp(-NU * t), 0.3 * np.exp(-4 * NU * t)
    phi = 1.6 + a * np.cos(x) + b * np.sin(2 * x)
    slope = -a * np.sin(x) + 2 * b * np.cos(2 * x)
    curvature = -a * np.cos(x) - 4 * b * np.sin(2 * x)
    third = a * np.sin(x) - 8 * b * np.cos(2 * x)
    return phi, slope, curvature, third


def cole_hopf(x, t):
    phi, slope, curvature, third = potential(x, t)
    u = -2 * NU * slope / phi
    rate = -2 * NU * NU * (third / phi - slope * curvature / phi**2)
    return u, rate


@pytest.mark.parametrize("parity", [0, 1])
def test_rhs_converges_to_the_closed_form_exponentially(parity):
    sizes = np.array([48, 72, 96, 120]) + parity
    errors = []
    for n in sizes:
        burgers = systems.Burgers(n=int(n), viscosity=NU)
        u, rate = cole_hopf(burgers.coords["x"], 0.0)
        errors.append(np.abs(burgers.rhs(u) - rate).max())
    # Twenty-four points more, eight resolved modes more: an order of magnitude each time.
    assert (np.diff(np.log10(errors)) < -1).all()
    burgers = systems.Burgers(n=int(256 + parity), viscosity=NU)
    u, rate = cole_hopf(burgers.coords["x"], 0.0)
    np.testing.assert_allclose(burgers.rhs(u), rate, atol=1e-12)


def test_simulation_follows_the_closed_form():
    burgers = systems.Burgers(n=256, viscosity=NU)
    t = np.array([0.0, 0.1, 1.0, 5.0, 20.0])
    exact = np.stack([cole_hopf(burgers.coords["x"], time)[0] for time in t])
    runs = systems.simulate(burgers, t=t, initial=exact[0])
    np.testing.assert_allclose(runs["state"].values[0], exact, atol=1e-9)


def test_rhs_agrees_with_finite_differences_to_their_order():
    sizes = np.array([128, 256, 512])
    errors = []
    for n in sizes:
        burgers = systems.Burgers(n=int(n), viscosity=NU)
        x, h = burgers.coords["x"], 2 * np.pi / n
        u = 0.4 * np.sin(x) + 0.2 * np.cos(3 * x + 1)

        def shift(k, u=u):
            return np.roll(u, -k)

        first = (8 * (shift(1) - shift(-1)) - (shift(2) - shift(-2))) / (12 * h)
        second = (16 * (shift(1) + shift(-1)) - (shift(2) + shift(-2)) - 30 * u) / (12 * h**2)
        errors.append(np.abs(-u * first + NU * second - burgers.rhs(u)).max())
    order = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert abs(order - 4) < 0.1


@pytest.mark.parametrize("n", [63, 64])
def test_mean_is_conserved_and_flux_does_no_work(n):
    # Rough states, where aliasing would make energy.
    u = np.random.default_rng(0).standard_normal((5, n))
    burgers = systems.Burgers(n=n, viscosity=1e-12)
    f = burgers.rhs(u)
    assert np.abs(f.mean(axis=-1)).max() < 1e-12
    kept = np.fft.rfft(u)
    kept[:, 3 * np.arange(n // 2 + 1) >= n] = 0
    smooth = np.fft.irfft(kept, n=n)
    assert np.abs((smooth * f).mean(axis=-1)).max() < 1e-9


def test_grid_excludes_the_endpoint():
    x = systems.Burgers(n=128).coords["x"]
    assert x[0] == -np.pi
    np.testing.assert_allclose(np.diff(x), 2 * np.pi / 128)
    assert x[-1] < np.pi - 0.04


def test_families_of_initial_states():
    harmonic = np.asarray(systems.Burgers(n=256).sample_initial(400))
    modes = np.fft.rfft(harmonic) / 256
    assert np.abs(modes[:, [0, *range(6, 129)]]).max() < 1e-14
    # A coefficient 0.1 N(0, 1) of cos kx is twice the real part of the k-th mode.
    np.testing.assert_allclose(2 * modes[:, 1:6].real.std(), 0.1, rtol=0.05)
    np.testing.assert_allclose(2 * modes[:, 1:6].imag.std(), 0.1, rtol=0.05)
    gaussian = np.asarray(systems.Burgers(n=256, initial="gaussian").sample_initial(50))
    assert gaussian.min() >= 0
    assert gaussian.max(axis=1).min() > 0.25 * 0.95
    assert gaussian.max() < 0.75
    bumps = np.asarray(systems.Burgers(n=256, initial="bumps").sample_initial(50))
    assert bumps.max() > 0.75
    mixed = np.asarray(systems.Burgers(n=256, initial="mixed").sample_initial(6))
    assert (mixed.min(axis=1) < -0.01).tolist() == [True, False, False, True, False, False]


def test_viscosity_is_a_parameter_with_its_own_value_per_trajectory():
    burgers = systems.Burgers(n=64)
    x0 = np.asarray(burgers.sample_initial(3))
    nu = np.array([0.02, 0.05, 0.1])
    runs = systems.simulate(burgers, t=[0.0, 1.0], initial=x0, parameters={"viscosity": nu})
    for i in range(3):
        own = systems.simulate(systems.Burgers(n=64, viscosity=nu[i]), t=[0.0, 1.0], initial=x0[i])
        np.testing.assert_allclose(runs["state"].values[i], own["state"].values[0], atol=1e-9)
    assert runs["parameters"].values.tolist() == [[0.02], [0.05], [0.1]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 3}, "n must be at least 4, got 3"),
        ({"viscosity": 0.0}, "viscosity must be positive, got 0.0"),
        ({"viscosity": float("nan")}, "viscosity must be finite, got nan"),
        ({"initial": "harmonics"}, "unknown initial 'harmonics'; did you mean 'harmonic'?"),
    ],
)
def test_unusable_values_are_named(fields, message):
    with pytest.raises(systems.SystemsValueError, match=message.replace("?", r"\?")):
        systems.Burgers(**fields)


def test_a_viscosity_that_is_no_number():
    with pytest.raises(systems.SystemsTypeError, match="viscosity must be a number, got 'a'"):
        systems.Burgers(viscosity="a")
