"""Spaces of splines: exact where they can be, of the order of their degree elsewhere, and the same on every grid."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rom
from rom.data.space_selection import space_of
from rom.reduction.spline_axis import Axis
from rom.reduction.spline_space import FunctionSpace

BOX = Axis("x", -1.0, 2.0, 12)
RING = Axis("x", -np.pi, np.pi, 12, periodic=True)


def line(n, low=-1.0, high=2.0):
    return (np.linspace(low, high, n),)


def ring(n):
    return (-np.pi + 2 * np.pi / n * np.arange(n),)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_polynomials_of_the_degree_are_exact(degree):
    """On a bounded axis the splines hold all polynomials of their degree."""
    space = FunctionSpace((BOX,), degree)
    polynomial = np.polynomial.Polynomial(np.arange(1.0, degree + 2))
    coefficients = space.coefficients(polynomial(line(31)[0]), line(31))
    exact = polynomial(line(200)[0])
    np.testing.assert_allclose(space.values(coefficients, line(200)), exact, atol=1e-12 * np.abs(exact).max())


@pytest.mark.parametrize("degree", [1, 3, 5])
@pytest.mark.parametrize("periodic", [True, False])
def test_order_of_convergence(degree, periodic):
    """The error of a smooth field falls with the power degree + 1 of the number of functions (de Boor 2001, ch. XII).

    Away from the ends: beside them it is larger, and falls faster, as the part that they take becomes shorter.
    """
    counts = np.array([40, 60, 90, 135])
    errors = []
    for n in counts:
        space = FunctionSpace((Axis("x", -np.pi, np.pi, int(n), periodic),), degree)
        positions, unseen = line(4 * n, -np.pi, np.pi), line(1001, -1.5, 1.5)
        found = space.values(space.coefficients(np.exp(np.sin(positions[0])), positions), unseen)
        errors.append(np.sqrt(np.mean((found - np.exp(np.sin(unseen[0]))) ** 2)))
    order = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert order == pytest.approx(degree + 1, abs=0.4)


@pytest.mark.parametrize("axes", [(BOX,), (RING,), (dataclasses.replace(BOX, n=7), dataclasses.replace(RING, n=8))])
def test_the_functions_are_orthonormal(axes):
    """By a quadrature of its own: the midpoint rule, fine enough for three digits."""
    space = FunctionSpace(axes, degree=3)
    grid = tuple(a.low + a.length * (np.arange(600) + 0.5) / 600 for a in axes)
    basis = space.basis(grid)
    gram = basis.T @ basis * space.volume / len(basis)
    np.testing.assert_allclose(gram, np.eye(space.n_functions), atol=1e-3)


def test_the_sum_of_squared_coefficients_is_an_integral():
    space = FunctionSpace((dataclasses.replace(RING, n=40),))
    coefficients = space.coefficients(1.0 + np.sin(ring(60)[0]), ring(60))
    assert np.sum(coefficients**2) == pytest.approx(3 * np.pi, rel=1e-8)  # 2 pi + pi


def test_a_periodic_field_has_no_seam():
    space = FunctionSpace((RING,))
    across = np.pi + np.array([-1e-9, 0.0, 1e-9])
    np.testing.assert_allclose(np.diff(space.basis((across,)), axis=0), 0.0, atol=1e-7)
    np.testing.assert_allclose(space.basis((across + 4 * np.pi,)), space.basis((across,)), atol=1e-7)
    # Values from one half of the seam and from the other are the same field.
    shifted = ring(24)[0] + 10 * np.pi
    values = np.cos(ring(24)[0])
    np.testing.assert_allclose(space.coefficients(values, (shifted,)), space.coefficients(values, ring(24)), atol=1e-12)


def test_coefficients_do_not_depend_on_the_grid():
    """One function of the space, from four grids and from scattered points."""
    space = FunctionSpace((dataclasses.replace(BOX, n=9), dataclasses.replace(RING, n=8)), degree=3)
    rng = np.random.default_rng(0)
    coefficients = rng.standard_normal((5, space.n_functions))
    scattered = np.stack([rng.uniform(-1, 2, 400), rng.uniform(-9, 9, 400)], axis=1)
    for positions in (
        (*line(12), *ring(11)),
        (*line(30), *ring(40)),
        (np.sort(rng.uniform(-1, 2, 50)), *ring(40)),
        scattered,
    ):
        found = space.coefficients(space.values(coefficients, positions), positions)
        np.testing.assert_allclose(found, coefficients, atol=1e-9)


def test_a_field_that_the_space_does_not_hold_is_nearly_the_same_on_every_grid():
    space = FunctionSpace((dataclasses.replace(RING, n=24),))
    found = [space.coefficients(np.exp(np.sin(3 * ring(n)[0])), ring(n)) for n in (48, 64, 96)]
    exact = space.coefficients(np.exp(np.sin(3 * ring(2000)[0])), ring(2000))
    best = np.sqrt(np.mean((space.values(exact, ring(2000)) - np.exp(np.sin(3 * ring(2000)[0]))) ** 2))
    for one in found:
        assert np.linalg.norm(one - exact) < 2 * best * np.sqrt(space.volume)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(-3, 3), st.floats(-3, 3))
def test_coefficients_are_linear_and_leave_the_residual_orthogonal(seed, a, b):
    """So time derivatives are mapped like values, and least squares are what they say."""
    space, rng = FunctionSpace((BOX,)), np.random.default_rng(seed)
    u, v = rng.standard_normal((2, 40))
    both = space.coefficients(a * u + b * v, line(40))
    apart = a * space.coefficients(u, line(40)) + b * space.coefficients(v, line(40))
    np.testing.assert_allclose(both, apart, atol=1e-11)
    basis = space.basis(line(40))
    np.testing.assert_allclose(basis.T @ (u - space.values(space.coefficients(u, line(40)), line(40))), 0.0, atol=1e-11)


def test_a_grid_is_the_points_that_it_spans():
    space = FunctionSpace((dataclasses.replace(BOX, n=7), dataclasses.replace(RING, n=8)))
    grid = (*line(11), *ring(13))
    points = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(space.basis(grid), space.basis(points), atol=1e-13)
    values = np.random.default_rng(0).standard_normal((3, len(points)))
    np.testing.assert_allclose(space.coefficients(values, grid), space.coefficients(values, points), atol=1e-10)


def test_json_brings_back_the_same_space():
    space = FunctionSpace((BOX, dataclasses.replace(RING, name="y")), degree=4)
    back = FunctionSpace.from_dict(json.loads(json.dumps(space.to_dict())))
    assert back == space
    positions = (*line(20), *ring(20))
    np.testing.assert_array_equal(back.basis(positions), space.basis(positions))


def test_the_number_of_functions_follows_the_coarsest_grid():
    assert space_of(["x"], [line(48), line(96)], [None], None, 5).axes == (Axis("x", -1.0, 2.0, 36),)
    assert space_of(["x"], [ring(48), ring(96)], [2 * np.pi], None, 5).axes[0].n == 36
    assert [a.n for a in space_of(["y", "x"], [(*line(20), *ring(40))], [None, 2 * np.pi], None, 5).axes] == [15, 30]
    assert space_of(["x"], [line(48)], [None], 20, 5).n_functions == 20
    assert [a.n for a in space_of(["y", "x"], [(*line(20), *ring(40))], [None, None], (10, 12), 5).axes] == [10, 12]


def test_of_scattered_points_there_are_no_more_functions_than_they_determine():
    points = np.random.default_rng(0).random((4, 300, 2))  # they move
    space = space_of(["y", "x"], [points], [None, 1.0], None, 5)
    assert all(6 <= axis.n <= 12 for axis in space.axes)
    field = np.sin(2 * np.pi * points[..., 1]) * points[..., 0]
    for one, values in zip(points, field, strict=True):
        found = space.values(space.coefficients(values, one), (line(20, 0.1, 0.9)[0], line(21, 0, 1)[0]))
        exact = line(20, 0.1, 0.9)[0][:, None] * np.sin(2 * np.pi * line(21, 0, 1)[0])
        np.testing.assert_allclose(found.reshape(20, 21), exact, atol=0.05)


def rough(points, phase=0.3):
    """A field on [-1, 2] x [0, 1], of which no set of a few hundred points knows everything."""
    return np.sin(4 * points[..., 0] + phase) * np.exp(-(((points[..., 1] - 0.4) / 0.3) ** 2))


@pytest.mark.parametrize("n", [200, 400])
def test_gaps_between_scattered_points_are_filled_smoothly(n):
    """Least squares would take any value there; and what is told of the loss is near what is lost."""
    rng = np.random.default_rng(1)
    sets = [np.stack([rng.uniform(-1, 2, n), rng.uniform(0, 1, n)], axis=1) for _ in range(8)]
    space = space_of(["x", "y"], sets, [None, None], None, 5, [(-1.0, 2.0), (0.0, 1.0)])
    grid = (line(40)[0], line(30, 0, 1)[0])
    truth = rough(np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1)).ravel()
    lost, told = [], []
    for points in sets:
        projected = space.fitted(rough(points), points)
        coefficients, left = projected.coefficients, projected.left
        lost.append(np.square(space.values(coefficients, grid) - truth).mean() / truth.var())
        told.append(np.square(left).mean() / truth.var())
    assert np.mean(lost) < 0.05
    assert np.mean(lost) / 10 < np.mean(told) < 10 * np.mean(lost)


def test_gaps_of_uneven_grids_are_filled_smoothly():
    """Profiles at depths of their own: a half as many functions as the fewest positions, whatever gaps these leave."""
    rng = np.random.default_rng(1)
    sets = [(np.sort(rng.uniform(0, 1, n)),) for n in rng.integers(30, 60, 100)]
    space = space_of(["z"], sets, [None], None, 5)
    assert space.axes[0].n == 15
    unseen, lost = line(200, 0.02, 0.98), []
    for (z,) in sets:
        found = space.values(space.coefficients(np.tanh((z - 0.4) / 0.2), (z,)), unseen)
        lost.append(np.square(found - np.tanh((unseen[0] - 0.4) / 0.2)).mean())
    assert np.median(lost) < 1e-6
    assert np.quantile(lost, 0.9) < 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_a_space_that_was_chosen_takes_the_positions_it_was_chosen_for(seed):
    rng = np.random.default_rng(seed)
    sets = [(np.sort(rng.uniform(0, 1, n)),) for n in rng.integers(20, 40, 2000)]
    space = space_of(["z"], sets, [None], None, 5, [(0.0, 1.0)])
    for grid in sets:
        space.inverses(grid)


def test_positions_along_one_axis_are_a_grid_or_points_alike():
    rng = np.random.default_rng(5)
    space = FunctionSpace((dataclasses.replace(BOX, n=24),))
    z = np.sort(rng.uniform(-1, 2, 34))
    assert np.linalg.cond(space.basis((z,))) > 10
    values = rng.standard_normal((3, 34))
    grid, points = space.fitted(values, (z,)), space.fitted(values, z[:, None])
    for name in ("coefficients", "left", "variance"):
        np.testing.assert_allclose(getattr(grid, name), getattr(points, name), rtol=1e-8)


def test_a_stretched_grid_has_as_many_functions_as_it_tells():
    grid = (np.cos(np.pi * np.arange(65) / 64)[::-1],)
    space = space_of(["z"], [grid], [None], None, 5)
    assert 32 <= space.axes[0].n < 48
    found = space.values(space.coefficients(np.exp(np.sin(3 * grid[0])), grid), line(200, -1, 1))
    np.testing.assert_allclose(found, np.exp(np.sin(3 * line(200, -1, 1)[0])), atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2])
def test_points_along_few_lines_do_not_tell_a_plane(rows):
    """A slope across a line is as smooth as any other, so smoothness says nothing of it."""
    rng = np.random.default_rng(4)
    points = np.stack([rng.uniform(-1, 2, 200), np.array([0.3, 0.7])[rng.integers(rows, size=200)]], axis=1)
    space = FunctionSpace((BOX, dataclasses.replace(BOX, name="y", low=0.0, high=1.0, n=8)))
    with pytest.raises(rom.RomValueError, match=r"200 positions along x, y leave gaps.*must not lie along a line"):
        space.fitted(rough(points), points)


def test_what_is_told_of_points_is_what_leaving_one_out_would_tell():
    rng = np.random.default_rng(2)
    space = FunctionSpace((BOX,))
    points = rng.uniform(-1, 2, (40, 1))
    values = rng.standard_normal(40)
    left = space.fitted(values, points).left
    basis = space.basis(points)
    assert np.linalg.cond(basis) < 10  # so that nothing is penalised
    for k in (0, 17, 39):
        others = np.delete(np.arange(40), k)
        rest = np.linalg.lstsq(basis[others], values[others], rcond=None)[0]
        assert left[k] == pytest.approx(values[k] - basis[k] @ rest, rel=1e-8)


def test_the_domain_reaches_as_far_as_it_is_said_to():
    points = np.random.default_rng(3).uniform(0.1, 0.9, (50, 1))
    assert space_of(["x"], [points], [None], None, 5, [(0.0, 1.0)]).axes[0].low == 0.0
    assert space_of(["x"], [points], [None], None, 5, [(0.5, 0.6)]).axes[0].high == points.max()
    assert space_of(["x"], [points], [2.0], None, 5, [(-9.0, 9.0)]).axes[0].length == pytest.approx(2.0)


def test_positions_outside_of_the_domain_are_named():
    space = FunctionSpace((BOX, dataclasses.replace(RING, name="angle")))
    points = np.array([[0.0, 9.0], [2.5, 0.0]])
    with pytest.raises(
        rom.RomValueError, match=r"position 1 has x = 2.5, outside of the domain \[-1, 2\].*attrs\['period'\]"
    ):
        space.basis(points)
    with pytest.raises(rom.RomValueError, match=r"position 0 has angle = nan"):
        space.basis(np.array([[0.0, np.nan]]))
    space.basis(np.array([[2.0 + 1e-7, 9.0]]))  # rounding


def test_too_few_positions_are_refused_with_the_remedy():
    with pytest.raises(
        rom.RomValueError, match=r"11 positions along x are fewer than the 12 functions.*Coordinate\(n_functions"
    ):
        FunctionSpace((BOX,)).coefficients(np.zeros(11), line(11))
    with pytest.raises(rom.RomValueError, match="40 positions along x leave gaps that are too wide for the 12"):
        FunctionSpace((BOX,)).coefficients(np.zeros(40), line(40, 1.0, 2.0))
    with pytest.raises(rom.RomValueError, match="too few positions along 'x' for splines of degree 5"):
        space_of(["x"], [line(6)], [None], None, 5)


def test_an_axis_must_have_a_length_and_functions():
    with pytest.raises(rom.RomValueError, match="'x' must have low < high"):
        Axis("x", 1.0, 1.0, 8)
    with pytest.raises(rom.RomValueError, match="'x' has 3 functions, but splines of degree 5 need at least 6"):
        FunctionSpace((Axis("x", 0.0, 1.0, 3),))
    with pytest.raises(rom.RomTypeError, match="n_functions has 2 entries, but the data have the axes x"):
        space_of(["x"], [line(20)], [None], (8, 8), 5)
    with pytest.raises(rom.RomValueError, match="positions have 1 coordinates, but the domain has 2: x, y"):
        FunctionSpace((BOX, dataclasses.replace(RING, name="y"))).basis(line(20))


@pytest.mark.parametrize("positions", [line(60), line(14), np.random.default_rng(3).uniform(-1, 2, (60, 1))])
def test_errors_of_the_values_are_told_from_what_the_space_holds(positions):
    rng = np.random.default_rng(4)
    space = FunctionSpace((BOX,))
    exact = space.values(rng.standard_normal((500, 12)), positions)
    values = exact + 0.1 * rng.standard_normal(exact.shape)
    assert space.fitted(values, positions).variance.mean() == pytest.approx(0.01, rel=0.1)
