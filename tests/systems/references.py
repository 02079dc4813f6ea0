"""Independent references for the built-in systems: exact rates at some states, and a trajectory, of each.

Closed forms where there are any; otherwise a second discretisation (dense matrices of derivatives, in place of transforms)
or a second solver (Taylor series of twenty digits, Radau). Nothing here calls f of the system that it checks.
"""

from __future__ import annotations

from collections.abc import Callable

from reference import Reference, difference
from reference_fluids import euler, navier_stokes
from reference_odes import duffing, lorenz, lorenz96, pendulum, rossler, van_der_pol
from reference_pdes import (
    advection,
    allen_cahn,
    burgers,
    burgers_2d,
    fitzhugh_nagumo,
    forced_burgers,
    heat,
    inviscid_burgers,
    korteweg_de_vries,
    kuramoto_sivashinsky,
    lambda_omega,
)

__all__ = ["REFERENCES", "Reference", "difference"]

REFERENCES: dict[str, Callable[..., Reference]] = {
    "Duffing": duffing,
    "VanDerPol": van_der_pol,
    "Pendulum": pendulum,
    "Lorenz": lorenz,
    "Rossler": rossler,
    "Lorenz96": lorenz96,
    "Advection": advection,
    "Heat": heat,
    "Burgers": burgers,
    "Burgers2D": burgers_2d,
    "InviscidBurgers": inviscid_burgers,
    "ForcedBurgers": forced_burgers,
    "KortewegDeVries": korteweg_de_vries,
    "KuramotoSivashinsky": kuramoto_sivashinsky,
    "AllenCahn": allen_cahn,
    "FitzHughNagumo": fitzhugh_nagumo,
    "LambdaOmega": lambda_omega,
    "NavierStokes2D": navier_stokes,
    "Euler1D": euler,
}
