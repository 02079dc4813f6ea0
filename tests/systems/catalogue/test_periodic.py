"""Periodic fields in Fourier modes: products free of aliasing, transforms and their weights."""

import numpy as np
import pytest

import systems


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
    systems.NavierStokes2D(n=20), systems.LambdaOmega(n=8), systems.KortewegDeVries(n=16),
]  # fmt: skip


@pytest.mark.parametrize("system", WITH_WEIGHTS, ids=lambda s: f"{s.name}-{s.shape[-1]}")
def test_weights_give_the_mean_square_and_transforms_come_back(system):
    form = system._formulation(None)
    x = np.random.default_rng(0).standard_normal((3, *system.shape))
    y = form.forward(x)
    np.testing.assert_allclose((form.weights * np.abs(y) ** 2).sum(axis=1), (x**2).reshape(3, -1).mean(axis=1))
    np.testing.assert_allclose(form.backward(y), x, atol=1e-12)


@pytest.mark.parametrize(
    "system",
    [systems.Burgers(n=16), systems.Burgers2D(n=8), systems.InviscidBurgers(n=16), systems.Advection(n=16)],
    ids=lambda system: system.name,
)
def test_coordinates_say_after_which_length_a_field_repeats(system, tmp_path):
    """Wherever states are labelled, and in files: the step across the seam is that of the grid."""
    runs = systems.simulate(system, 1, [0.0, 0.01], seed=0)
    back = systems.open_trajectories(systems.save_trajectories(runs, tmp_path / "runs.h5"))
    for data in (system.sample_initial(1), runs, systems.collocate(system, 1), back):
        for dim in system.periods:
            x = data[dim].values
            assert x[0] + data[dim].attrs["period"] - x[-1] == pytest.approx(x[1] - x[0])
    assert "period" not in runs["time"].attrs


def test_a_driven_system_repeats_as_the_one_inside():
    assert systems.driven(systems.Burgers(n=16), "viscosity").periods == {"x": 2 * np.pi}
