"""Every built-in system against a reference that does not use its code: f, a trajectory, and orders of convergence."""

import numpy as np
import pytest
from references import REFERENCES, difference

import systems

# Of what is discretised by differences the error is that of the grid, whose order is tested below.
OF_THE_GRID = {
    "Advection": (1e-5, 2e-5),
    "Heat": (2e-4, 1e-4),
    "InviscidBurgers": (1e-2, 2e-3),
    "ForcedBurgers": (5e-3, 5e-4),
    "Euler1D": (5e-3, 5e-3),
}


@pytest.fixture(scope="module")
def reference(request):
    return REFERENCES[request.param]()


@pytest.mark.parametrize("reference", REFERENCES, indirect=True)
def test_rates_and_a_trajectory(reference):
    of_f, of_trajectory = OF_THE_GRID.get(reference.system.name, (1e-6, 1e-7))
    assert reference.error_of_f() < of_f
    assert reference.error_of_trajectory() < of_trajectory


def test_every_built_in_system_has_a_reference():
    kinds = {kind for kind in vars(systems).values() if isinstance(kind, type) and issubclass(kind, systems.System)}
    lifted = {kind for kind in kinds if issubclass(kind, systems.LiftedSystem)}  # against `encode`, in test_ordinary
    assert {kind.__name__ for kind in kinds - lifted} - {"System", "PeriodicSystem"} == set(REFERENCES)


@pytest.mark.parametrize(
    ("name", "sizes", "order"),
    [
        ("Advection", (32, 64, 128), 3),
        ("Heat", (31, 63, 127), 2),
        ("InviscidBurgers", (250, 500, 1000), 1),
        ("ForcedBurgers", (64, 128, 256), 1),
        ("Euler1D", (256, 512, 1024), 2),
    ],
)
def test_differences_converge_with_their_order(name, sizes, order):
    errors = [REFERENCES[name](n).error_of_f() for n in sizes]
    assert -np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(order, abs=0.15)


def test_neumann_differences_converge_with_second_order():
    """The diffusion of FitzHugh-Nagumo: f at a cosine less f where nothing diffuses."""
    sizes, errors = (32, 64, 128), []
    for n in sizes:
        nerve = systems.FitzHughNagumo(n=n)
        wave = np.cos(2 * np.pi * nerve.coords["x"])
        f = nerve.rhs(np.stack([wave, 0 * wave]))[0]
        cubic = (wave * (wave - 0.1) * (1 - wave) + nerve.C) / nerve.EPS
        errors.append(np.abs(f - cubic + nerve.EPS * (2 * np.pi) ** 2 * wave).max())
    assert -np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize(("name", "sizes"), [("Burgers2D", (16, 32, 48)), ("KortewegDeVries", (128, 192, 256))])
def test_fourier_modes_converge_exponentially(name, sizes):
    errors = [REFERENCES[name](n).error_of_f() for n in sizes]
    assert (np.diff(np.log10(errors)) < -1).all()


def test_shocks_converge_in_the_mean():
    """Of a method of second order, with first order at best."""
    sizes, errors = (64, 128, 256), []
    for n in sizes:
        tube = REFERENCES["Euler1D"](n)
        errors.append(tube.error_of_trajectory(rtol=1e-6, atol=1e-8))
    assert 0.7 < -np.polyfit(np.log(sizes), np.log(errors), 1)[0] < 1.2


def test_lawsons_method_converges_with_an_imaginary_linear_part():
    """Of the dispersion of Korteweg-de Vries: tighter tolerances, smaller errors."""
    soliton = REFERENCES["KortewegDeVries"]()
    errors = [soliton.error_of_trajectory(rtol=rtol, atol=0.1 * rtol) for rtol in (1e-5, 1e-7, 1e-9)]
    assert (np.diff(np.log10(errors)) < -1).all()


# Conserved quantities, equilibria, growth rates


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
    outflow = 0.5 * 5 * 1.0 + 0.5 * 5 * runs[1, -1] ** 2
    assert gained == pytest.approx(5 * (0.5 * 25.0 + source) - outflow / 2 * 1.0, rel=0.02)


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


def test_trajectories_of_a_parametric_system_differ_by_their_parameters():
    for system in (systems.InviscidBurgers(n=100), systems.ForcedBurgers(n=64), systems.Euler1D(n=64)):
        runs = systems.simulate(system, 3, system.default_times[:3])
        assert runs["parameters"].shape == (3, 2)
        assert len(np.unique(runs["parameters"])) == 6
        again = systems.simulate(system, 2, system.default_times[:3], parameters=runs["parameters"].values[:2])
        np.testing.assert_allclose(again["state"].values, runs["state"].values[:2], rtol=1e-7, atol=1e-12)
        assert systems.collocate(system, 10)["parameters"].shape == (10, 2)


def test_initial_states_follow_the_parameters_given():
    system = systems.InviscidBurgers()
    x = system.sample_initial(2, mu=np.array([[0.7, 1.0], [0.9, 1.0]])).values
    np.testing.assert_allclose(x.max(axis=1), [0.7, 0.9])
    np.testing.assert_allclose(system.sample_initial(2, mu={"amplitude": 0.75}).values.max(axis=1), 0.75)
    with pytest.raises(systems.SystemsValueError, match=r"mu must have shape \(3, p\) or \(p,\) for 3 initial states"):
        system.sample_initial(3, mu=np.ones((2, 2)))


def test_difference_is_relative():
    assert difference(np.array([1.0, 2.0]), np.array([1.0, 1.0])) == 0.5


# What Fourier modes are to do with states that they do not resolve


def finer(u, n_axes, factor=2):
    """The trigonometric interpolant of the modes |k| < n / 3 of u on a grid so fine that products alias nowhere."""
    axes = tuple(range(-n_axes, 0))
    n = u.shape[-1]
    modes, k = np.fft.fftn(u, axes=axes), np.abs(np.fft.fftfreq(n, 1 / n))
    wide = np.zeros((*u.shape[:-n_axes], *n_axes * (factor * n,)), dtype=complex)
    kept = [np.flatnonzero(3 * k < n)] * n_axes
    index = np.fft.fftfreq(n, 1 / n).astype(int)
    wide[(..., *np.ix_(*(index[i] for i in kept)))] = modes[(..., *np.ix_(*kept))] * factor**n_axes
    return wide


def coarser(product, n, n_axes, factor=2):
    """The modes |k| < n / 3 of a product on the fine grid, as a field on the coarse one."""
    axes = tuple(range(-n_axes, 0))
    modes = np.fft.fftn(product, axes=axes)
    narrow = np.zeros((*product.shape[:-n_axes], *n_axes * (n,)), dtype=complex)
    index = np.fft.fftfreq(n, 1 / n).astype(int)
    kept = [index[3 * np.abs(index) < n]] * n_axes
    narrow[(..., *np.ix_(*kept))] = modes[(..., *np.ix_(*kept))] / factor**n_axes
    return np.fft.ifftn(narrow, axes=axes).real


@pytest.mark.parametrize("n", [48, 47])
@pytest.mark.parametrize(
    ("make", "factor", "length"),
    [
        (systems.Burgers, 0.5, 2 * np.pi),
        (systems.KortewegDeVries, 3.0, 40.0),
        (systems.KuramotoSivashinsky, 0.5, 22.0),
    ],
)
def test_quadratic_terms_of_noise_are_free_of_aliasing(make, factor, length, n):
    """Of rough states, in one dimension: the flux of the resolved modes, as a grid twice as fine has it."""
    system = make(n=n)
    u = np.random.default_rng(0).standard_normal((2, n))
    k = 2 * np.pi / length * np.fft.fftfreq(n, 1 / n)
    square = coarser(np.fft.ifft(finer(u, 1)).real ** 2, n, 1)
    expected = -factor * np.fft.ifft(1j * k * np.fft.fft(square)).real
    # f is linear plus quadratic: what is even in u is the quadratic part.
    quadratic = 0.5 * (system.rhs(u) + system.rhs(-u))
    np.testing.assert_allclose(quadratic, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("n", [24, 25])
def test_advection_of_noise_in_two_dimensions_is_free_of_aliasing(n):
    k = np.fft.fftfreq(2 * n, 1 / (2 * n))
    i_x, i_y = 1j * k, 1j * k[:, None]

    def field(modes):
        return np.fft.ifft2(modes).real

    noise = np.random.default_rng(0).standard_normal((2, n, n))
    burgers = systems.Burgers2D(n=n)
    u = finer(noise, 2)
    velocity = field(u)
    expected = -coarser(velocity[0] * field(i_x * u) + velocity[1] * field(i_y * u), n, 2)
    quadratic = 0.5 * (burgers.rhs(noise) + burgers.rhs(-noise))
    np.testing.assert_allclose(quadratic, expected, atol=1e-9 * np.abs(expected).max())
    vortices = systems.NavierStokes2D(n=n)
    w = u[0]
    stream = w / np.where(i_x**2 + i_y**2 == 0, 1.0, -(i_x**2 + i_y**2)) * (i_x**2 + i_y**2 != 0)
    product = field(i_y * stream) * field(i_x * w) - field(i_x * stream) * field(i_y * w)
    quadratic = 0.5 * (vortices.rhs(noise[0]) + vortices.rhs(-noise[0]))
    np.testing.assert_allclose(quadratic, -coarser(product, n, 2), atol=1e-9 * np.abs(product).max())


WITH_WEIGHTS = [
    systems.Burgers(n=16), systems.Burgers(n=17), systems.Burgers2D(n=8), systems.Burgers2D(n=9), systems.Heat(n=12),
    systems.FitzHughNagumo(n=9), systems.NavierStokes2D(n=20), systems.LambdaOmega(n=8), systems.KortewegDeVries(n=16),
]  # fmt: skip


@pytest.mark.parametrize("system", WITH_WEIGHTS, ids=lambda s: f"{s.name}-{s.shape[-1]}")
def test_weights_give_the_mean_square_and_transforms_come_back(system):
    form = system._formulation(None)
    x = np.random.default_rng(0).standard_normal((3, *system.shape))
    y = form.forward(x)
    np.testing.assert_allclose((form.weights * np.abs(y) ** 2).sum(axis=1), (x**2).reshape(3, -1).mean(axis=1))
    np.testing.assert_allclose(form.backward(y), x, atol=1e-12)


# Parameters


WITH_PARAMETERS = [
    systems.Duffing(), systems.VanDerPol(), systems.Pendulum(), systems.Rossler(), systems.Lorenz96(n=8), systems.Heat(n=9),
    systems.Advection(n=16), systems.Burgers(n=16), systems.Burgers2D(n=8), systems.AllenCahn(n=16), systems.Euler1D(n=16),
    systems.FitzHughNagumo(n=8), systems.LambdaOmega(n=8), systems.NavierStokes2D(n=20), systems.ForcedBurgers(n=16),
]  # fmt: skip


@pytest.mark.parametrize("system", WITH_PARAMETERS, ids=lambda s: s.name)
def test_each_trajectory_of_a_block_has_its_own_parameters(system):
    """As f is integrated one at a time by another solver."""
    mu = system.sample_parameters(3, seed=4)
    t = system.default_times[[0, 2, 4]]
    x0 = system.sample_initial(3, 1, mu).values
    runs = systems.simulate(system, t=t, initial=x0, parameters=mu)["state"].values
    for start, row, run in zip(x0, mu, runs, strict=True):
        alone = systems.simulate(system, t=t, initial=start, parameters=row[None], method="LSODA")["state"].values[0]
        np.testing.assert_allclose(run, alone, atol=1e-6 * np.abs(alone).max())


def test_oscillators_are_damped_and_driven():
    x = np.array([0.7, -0.4])
    np.testing.assert_allclose(
        systems.Duffing(damping=0.3, force=0.2).rhs(x), [-0.4, 0.7 - 0.7**3 + 0.3 * 0.4 + 0.2], rtol=1e-14
    )
    np.testing.assert_allclose(
        systems.Pendulum(damping=0.1, torque=-0.2).rhs(x), [-0.4, -np.sin(0.7) + 0.1 * 0.4 - 0.2], rtol=1e-14
    )


@pytest.mark.parametrize(
    "system", [systems.ForcedBurgers(n=16), systems.Euler1D(n=16), systems.Lorenz(), systems.Heat(n=9)]
)
def test_leading_axes_of_states_and_parameters_broadcast(system):
    x, mu = system.sample_initial(4).values, system.sample_parameters(6, seed=2).reshape(2, 3, -1)
    assert system.rhs(x[0], mu).shape == (2, 3, *system.shape)
    both = system.rhs(x[:, None, None], mu)
    assert both.shape == (4, 2, 3, *system.shape)
    np.testing.assert_allclose(both[1, 0, 2], system.rhs(x[1], mu[0, 2]), rtol=1e-12)
    with pytest.raises(systems.SystemsValueError, match=r"the leading axes \(4,\) of x and \(2, 3\) of mu do not fit"):
        system.rhs(x, mu)


def test_collocation_states_of_a_parametric_system_lie_on_flows_at_their_parameters():
    states = systems.collocate(systems.ForcedBurgers(n=32), 256)["state"].values
    assert len(np.unique(states.round(9), axis=0)) > 100
    assert states[:, 0].std() > 0.1  # the inflow differs


def test_states_that_are_given_have_the_default_parameters():
    system = systems.InviscidBurgers(n=50)
    runs = systems.simulate(system, t=[0.0, 0.1], initial=system.sample_initial(3, seed=1))
    assert "parameters" not in runs


# Differences, shocks, attractors


def test_upwind_differences_and_fluxes_are_the_same_in_the_mirror():
    u = np.random.default_rng(0).standard_normal(40)
    advection = systems.Advection(n=40)
    np.testing.assert_allclose(advection.rhs(u[::-1], {"speed": -1.3}), advection.rhs(u, {"speed": 1.3})[::-1])
    burgers = systems.InviscidBurgers(n=40)
    np.testing.assert_allclose(burgers.rhs(-u[::-1]), -burgers.rhs(u)[::-1])


def test_the_flux_of_a_shock_of_burgers_equation():
    """u^2 / 2 at the faces by the exact solution: shocks that move either way, a rarefaction across zero."""
    from systems.catalogue.burgers import upwind_flux

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


def test_runs_to_the_attractor_have_order_four():
    from systems.catalogue.ordinary import rk4
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
