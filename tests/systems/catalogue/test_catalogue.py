"""What is known of single systems: conserved quantities, growth rates, fluxes, attractors."""

import numpy as np
import pytest

import systems


def rates(system, seed=3, n=3):
    x = system.sample_initial(n, seed).values
    return x, system.rhs(x)


def test_mass_and_momentum_of_the_transport_equations_are_conserved():
    for system in (systems.Advection(n=64), systems.KortewegDeVries(n=64), systems.InviscidBurgers(n=60)):
        _, f = rates(system)
        assert np.abs(f.mean(axis=-1)).max() < 1e-12 * np.abs(f).max()


def test_solitons_keep_their_energy():
    system = systems.KortewegDeVries()
    runs = systems.simulate(system, 2, np.linspace(0.0, 5.0, 3), seed=1)["state"].values
    slope = np.fft.irfft(1j * 2 * np.pi / 40 * np.arange(129) * np.fft.rfft(runs))
    for quantity in (runs**2, runs**3 - 0.5 * slope**2):
        mean = quantity.mean(axis=-1)
        np.testing.assert_allclose(mean, np.broadcast_to(mean[:, :1], mean.shape), rtol=1e-6)


def test_a_ring_without_damping_and_forcing_keeps_its_energy():
    x, f = rates(systems.Lorenz96())
    transport = f + x - 8.0
    assert np.abs((x * transport).sum(axis=-1)).max() < 1e-10 * np.abs(x * transport).sum()


def test_vorticity_keeps_energy_and_enstrophy_without_viscosity():
    system = systems.NavierStokes2D(n=32, viscosity=1e-30)
    x = np.random.default_rng(0).standard_normal((3, 32, 32))
    k = np.fft.fftfreq(32, 1 / 32)
    square = k**2 + k[:, None] ** 2
    x = np.fft.ifft2(np.fft.fft2(x) * (3 * np.abs(k) < 32) * (3 * np.abs(k[:, None]) < 32) * (square > 0)).real
    f = system.rhs(x)
    square[0, 0] = 1.0
    stream = np.fft.ifft2(np.fft.fft2(x) / square).real
    for weight in (x, stream):
        assert np.abs((weight * f).mean(axis=(1, 2))).max() < 1e-12 * np.abs(weight * f).mean()


def test_kolmogorov_flow_starts_as_its_forcing_and_saturates_in_closed_form():
    system = systems.NavierStokes2D(n=20, viscosity=0.5, forcing=1.0)
    t = np.array([0.0, 0.1, 1.0])
    y = system.coords["y"][:, None]
    exact = -np.cos(4 * y) * (1 - np.exp(-0.5 * 16 * t[:, None, None])) * 4 / (0.5 * 16) + np.zeros((20, 20))
    runs = systems.simulate(system, t=t, initial=np.zeros((20, 20)))
    np.testing.assert_allclose(runs["state"].values[0], exact, atol=1e-9)


def test_allen_cahn_is_a_gradient_flow():
    """d/dt of the energy is minus the mean square of f."""
    system = systems.AllenCahn(n=128)
    x, f = rates(system)
    k = np.pi * np.arange(65)

    def energy(u):
        slope = np.fft.irfft(1j * k * np.fft.rfft(u))
        return (0.5 * 0.05**2 * slope**2 + 0.25 * (1 - u**2) ** 2).mean(axis=-1)

    h = 1e-5
    np.testing.assert_allclose((energy(x + h * f) - energy(x - h * f)) / (2 * h), -(f**2).mean(axis=-1), rtol=1e-7)


@pytest.mark.parametrize("wave", [1, 2, 3, 4, 5])
def test_kuramoto_sivashinsky_grows_at_the_rate_of_each_wave(wave):
    system = systems.KuramotoSivashinsky()
    q = 2 * np.pi / 22 * wave
    u = 1e-9 * np.cos(q * system.coords["x"])
    np.testing.assert_allclose(system.rhs(u), (q**2 - q**4) * u, atol=1e-16)


def test_kuramoto_sivashinsky_starts_on_its_attractor():
    x = systems.KuramotoSivashinsky().sample_initial(16).values
    assert np.abs(x.mean(axis=-1)).max() < 1e-12
    assert 1.0 < x.std() < 1.6  # 1.3 in the long run
    assert np.abs(x).max() < 4.0


def test_the_limit_cycle_of_van_der_pol_has_the_known_period_and_amplitude():
    period = 6.6632868593231301
    t = np.linspace(0.0, 20 * period, 2001)
    x = systems.simulate(systems.VanDerPol(), t=t, initial=np.array([2.0, 0.0]))["state"].values[0]
    np.testing.assert_allclose(x[-1], x[-101], atol=1e-6)
    assert x[-101:, 0].max() == pytest.approx(2.00862, abs=1e-3)


def test_the_pendulum_and_the_oscillator_keep_their_energy():
    t = np.linspace(0.0, 50.0, 26)
    for system, potential in (
        (systems.Pendulum(), lambda x: -np.cos(x)),
        (systems.Duffing(), lambda x: x**4 / 4 - x**2 / 2),
    ):
        x1, x2 = np.moveaxis(systems.simulate(system, 10, t)["state"].values, -1, 0)
        energy = x2**2 / 2 + potential(x1)
        np.testing.assert_allclose(energy, np.broadcast_to(energy[:, :1], energy.shape), atol=1e-6)


def test_rossler_starts_on_its_attractor():
    x = systems.Rossler().sample_initial(200).values
    assert np.isfinite(x).all()
    assert np.abs(x[:, :2]).max() < 13
    assert (x[:, 2] > 0).all()


def test_the_front_of_the_forced_equation_enters_at_the_left():
    """Until it leaves, mass grows by the inflow and the source, less what flows out at 1^2 / 2 and more."""
    system = systems.ForcedBurgers()
    t = np.array([0.0, 5.0])
    runs = systems.simulate(system, 1, t, parameters={"inflow": 5.0, "growth": 0.02})["state"].values[0]
    h = 100 / 256
    gained = h * (runs[1] - runs[0]).sum()
    source = h * 0.02 * np.exp(0.02 * system.coords["x"]).sum()
    outflow = np.mean([0.5 * 1.0**2, 0.5 * runs[1, -1] ** 2])
    assert gained == pytest.approx(5 * (0.5 * 25.0 + source - outflow), rel=0.02)


def test_diffusion_in_fitzhugh_nagumo_conserves_and_the_current_feeds():
    nerve = systems.FitzHughNagumo(n=64)
    x = nerve.sample_initial(2).values
    fed, plain = nerve.rhs(x, {"current": 7.0}), nerve.rhs(x)
    np.testing.assert_allclose((fed - plain)[:, 0].mean(axis=-1), nerve.EPS * 7.0, rtol=1e-9)
    assert np.abs((fed - plain)[:, 1]).max() == 0.0


def test_lambda_omega_turns_on_its_limit_cycle():
    """Equal everywhere with u^2 + v^2 = 1, the field turns at `rotation`."""
    system = systems.LambdaOmega(n=16)
    x = np.stack([np.full((16, 16), 0.6), np.full((16, 16), 0.8)])
    np.testing.assert_allclose(system.rhs(x, {"rotation": 1.1}), 1.1 * np.stack([x[1], -x[0]]), atol=1e-12)


def test_oscillators_are_damped_and_driven():
    x = np.array([0.7, -0.4])
    np.testing.assert_allclose(
        systems.Duffing(damping=0.3, force=0.2).rhs(x), [-0.4, 0.7 - 0.7**3 + 0.3 * 0.4 + 0.2], rtol=1e-14
    )
    np.testing.assert_allclose(
        systems.Pendulum(damping=0.1, torque=-0.2).rhs(x), [-0.4, -np.sin(0.7) + 0.1 * 0.4 - 0.2], rtol=1e-14
    )


def test_upwind_differences_and_fluxes_are_the_same_in_the_mirror():
    u = np.random.default_rng(0).standard_normal(40)
    advection = systems.Advection(n=40)
    np.testing.assert_allclose(advection.rhs(u[::-1], {"speed": -1.3}), advection.rhs(u, {"speed": 1.3})[::-1])
    burgers = systems.InviscidBurgers(n=40)
    np.testing.assert_allclose(burgers.rhs(-u[::-1]), -burgers.rhs(u)[::-1])


def test_the_flux_of_a_shock_of_burgers_equation():
    """u^2 / 2 at the faces by the exact solution: shocks that move either way, a rarefaction across zero."""
    from systems.catalogue.inviscid_burgers import upwind_flux

    left, right = np.array([2.0, 1.0, -1.0, 1.0, -2.0]), np.array([1.0, -2.0, 1.0, 3.0, -1.0])
    np.testing.assert_allclose(upwind_flux(left, right, np), [2.0, 2.0, 0.0, 0.5, 0.5])


def test_the_flux_of_the_euler_equations_at_one_face():
    """That of Harten, Lax and van Leer with Davis' speeds, written for two numbers (Toro, eqs. 10.21 and 10.38)."""
    tube = systems.Euler1D()
    left, right = (1.0, 0.3, 1.0), (0.4, -0.2, 0.5)

    def known(rho, u, p):
        energy = p / 0.4 + 0.5 * rho * u * u
        return np.array([rho, rho * u, energy]), np.array([rho * u, rho * u * u + p, u * (energy + p)])

    (u_l, f_l), (u_r, f_r) = known(*left), known(*right)
    c_l, c_r = np.sqrt(1.4 * 1.0 / 1.0), np.sqrt(1.4 * 0.5 / 0.4)
    s_l, s_r = min(0.3 - c_l, -0.2 - c_r), max(0.3 + c_l, -0.2 + c_r)
    expected = (s_r * f_l - s_l * f_r + s_l * s_r * (u_r - u_l)) / (s_r - s_l)
    found = tube._flux(*(tuple(np.array([v]) for v in side) for side in (left, right)), np)
    np.testing.assert_allclose(found[:, 0], expected)
    fast = tube._flux(*(tuple(np.array([v]) for v in (rho, 5.0, p)) for rho, _, p in (left, right)), np)
    np.testing.assert_allclose(fast[:, 0], known(1.0, 5.0, 1.0)[1])


def test_attractors_have_their_long_time_statistics():
    """Of long runs by another integrator."""
    for system, seed in ((systems.Lorenz96(), 0), (systems.Rossler(), 0)):
        starts = system.sample_initial(400, seed).values
        t = np.linspace(0.0, 100 * system.time_scale, 400)
        runs = systems.simulate(system, 4, t, seed=9, rtol=1e-6, atol=1e-8)["state"].values[:, 40:]
        np.testing.assert_allclose(starts.mean(axis=0).mean(), runs.mean(), atol=0.1 * runs.std())
        np.testing.assert_allclose(starts.std(), runs.std(), rtol=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: systems.Lorenz96(forcing=80.0).sample_initial(20),
            "initial states of the system 'Lorenz96' are not finite",
        ),
        (lambda: systems.InviscidBurgers().sample_initial(2, mu={"amplitude": np.nan}), "mu must be finite"),
        (lambda: systems.KuramotoSivashinsky(length=100.0), r"n must be at least 72 for length 100, got 64"),
    ],
)
def test_values_from_which_there_is_no_start(make, message):
    with pytest.raises(systems.SystemsValueError, match=message):
        make()
