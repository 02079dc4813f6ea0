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
    lifted = {kind for kind in kinds if issubclass(kind, systems.LiftedSystem)}  # against `encode`, in test_odes
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


def test_difference_is_relative():
    assert difference(np.array([1.0, 2.0]), np.array([1.0, 1.0])) == 0.5
