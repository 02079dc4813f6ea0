"""Time integration of blocks of trajectories.

It uses SciPy's solvers, and Lawson's method for stiff semilinear systems.

Diffusion limits the steps of explicit Runge-Kutta methods to order 1/(nu k_max^2), whatever accuracy is asked for. If the
stiff part is linear and diagonal in some coordinates, such as Fourier modes, Lawson's method takes it exactly, and the
step depends on accuracy alone.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.integrate import DOP853, RK23, RK45, OdeSolver, solve_ivp

from systems.input_signals import Signals
from systems.lawson import LawsonDormandPrince

__all__ = [
    "OUT_OF_TIME",
    "SMALLEST_RTOL",
    "Formulation",
    "IntegrationFailure",
    "OutOfTime",
    "changing_parameters",
    "integrate",
    "march",
]

# Below 100 times the rounding unit SciPy warns and raises the tolerance itself.
SMALLEST_RTOL = 2.3e-14
# Explicit solvers of SciPy, whose steps can end at the output times.
ONE_STEP = {"RK23": RK23, "RK45": RK45, "DOP853": DOP853}
# The reason for trajectories that `max_seconds` cut short.
OUT_OF_TIME = "the time allowed by max_seconds is over"


class IntegrationFailure(Exception):  # noqa: N818 - caught inside the package, where it means "redo or report"
    """An integration ended early or its values are not finite; it says why."""


class OutOfTime(IntegrationFailure):
    """The wall clock time allowed for an integration is over."""


@dataclass(frozen=True)
class Formulation:
    """The dynamics dx/dt = f(x) in coordinates y that are easier to integrate.

    The equation is ``dy/dt = symbol * y + rhs(t, y)`` with ``y = forward(x)``, and ``x(t) = backward(y(t)) + constant``: the
    part of x that y does not determine must not change in time. `forward`, `backward` and `weights` must not depend on
    parameters.

    Parameters
    ----------
    forward : callable
        From states ``(batch, *shape)`` to y (batch, m), which may be complex.
    backward : callable
        From y (batch, m) to states ``(batch, *shape)``.
    rhs : callable
        The nonlinear part: from t and y (batch, m) to (batch, m).
    symbol : numpy.ndarray, optional
        The diagonal of the linear part, (1, m) or (batch, m): real if it decays or grows, complex if it also oscillates.
        Without it there is no linear part.
    weights : numpy.ndarray, optional
        Weights (m,) such that ``sum(weights * abs(y)**2)`` is the mean square of x; needed with `symbol` only.
    bands : tuple of int, optional
        The number of diagonals of the Jacobian of `rhs` below and above the main one, if it is stiff and banded. LSODA then
        takes implicit steps at the cost of explicit ones.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> decay = systems.Formulation(
    ...     forward=lambda x: x,
    ...     backward=lambda y: y,
    ...     rhs=lambda t, y: 0.0 * y,
    ...     symbol=-np.ones((1, 3)),
    ...     weights=np.full(3, 1 / 3),
    ... )
    >>> decay.forward(np.ones((2, 3))).shape
    (2, 3)
    """

    forward: Callable[[np.ndarray], np.ndarray]
    backward: Callable[[np.ndarray], np.ndarray]
    rhs: Callable[[float, np.ndarray], np.ndarray]
    symbol: np.ndarray | None = None
    weights: np.ndarray | None = None
    bands: tuple[int, int] | None = None


def march(solver: Any, t: np.ndarray) -> np.ndarray:
    """Return states (time, m) of a one-step solver, with steps that end at times t.

    Nothing is interpolated, because the dense output of a high-order method does not keep the tolerance: that of DOP853 is
    two orders of magnitude less accurate on a diffusive problem.

    Parameters
    ----------
    solver : scipy.integrate.OdeSolver
        An explicit Runge-Kutta method at ``t[0]``, with its next step in the attribute ``h_abs``.
    t : numpy.ndarray
        Times (time,), strictly increasing.

    Raises
    ------
    IntegrationFailure
        If a step fails.
    """
    states = [solver.y]
    for target in t[1:]:
        solver.t_bound, solver.status = target, "running"
        while solver.status == "running":
            allowed, remaining = solver.h_abs, target - solver.t
            message = solver.step()
            if solver.status == "failed":
                raise IntegrationFailure(f"at t = {solver.t:.6g}: {message}")
            if remaining < allowed and solver.t == target:
                # A step that an output time cut short says little about the step that accuracy allows.
                solver.h_abs = max(solver.h_abs, allowed)
        states.append(solver.y)
    return np.stack(states)


def integrate(
    system: Any, x0: np.ndarray, t: np.ndarray, mu: np.ndarray | None = None, *,
    inputs: Signals | None = None, method: str | type[OdeSolver] | None = None, rtol: float = 1e-9, atol: float = 1e-10,
    deadline: float | None = None,
) -> np.ndarray:  # fmt: skip
    """Integrate a block of trajectories together.

    Without `method`, the system's own formulation is used if it has one (Fourier modes, latent coordinates): with
    LawsonDormandPrince for a stiff linear part, LSODA for a banded one, and DOP853 otherwise. With `method`, or if the system
    has a default method, f is integrated as it is.

    Parameters
    ----------
    system : System
        The system.
    x0 : numpy.ndarray
        States ``(batch, *system.shape)`` at ``t[0]``.
    t : numpy.ndarray
        Times (time,), strictly increasing.
    mu : numpy.ndarray or None
        Parameters (p,) or (batch, p); None for the defaults.
    inputs : Signals or None
        u(t) of each trajectory at the times t, in place of the parameters of the same names.
    method : str, type or None
        A solver of `scipy.integrate.solve_ivp`.
    rtol, atol : float
        Tolerances of each trajectory.
    deadline : float or None
        The wall clock, `time.time`, at which to stop.

    Returns
    -------
    numpy.ndarray
        States ``(batch, time, *system.shape)`` in float64.

    Raises
    ------
    IntegrationFailure
        If any trajectory of the block fails.
    OutOfTime
        At the deadline.
    """
    batch = x0.shape[0]
    method = method or system.default_method
    now = None if inputs is None else changing_parameters(system, mu, inputs)
    if inputs is not None and now is not None and inputs.held:
        # Parameters are constant on each interval, and a solver must not step across a jump.
        states, options = [x0], {"method": method, "rtol": rtol, "atol": atol, "deadline": deadline}
        for k in range(len(t) - 1):
            held = now(t[k])
            states.append(integrate(system, states[-1], t[k : k + 2], held, **options)[:, 1])
        return np.stack(states, axis=1)
    form = None
    if method is None:
        form = system._formulation(mu) if now is None else _driven_formulation(system, now, t)
    if form is None:

        def rhs(time: float, y: np.ndarray) -> np.ndarray:
            parameters = mu if now is None else now(time)
            return system.rhs(y.reshape(batch, *system.shape), parameters, time).reshape(batch, -1)

        form = Formulation(
            forward=lambda x: x.reshape(batch, -1), backward=lambda y: y.reshape(-1, *system.shape), rhs=rhs
        )
    if deadline is not None:
        form = dataclasses.replace(form, rhs=_until(deadline, form.rhs))
    y0 = form.forward(x0)
    with np.errstate(all="ignore"):
        # SciPy's choice of the first step does not end if f is not finite at the start.
        if not np.isfinite(form.rhs(float(t[0]), y0)).all():
            raise IntegrationFailure(f"f is not finite at the initial state (t = {t[0]:.6g})")
        # Inputs change at each of the times, and long steps could miss a change between two of them.
        longest = np.inf if now is None else float(np.diff(t).min())
        y = _solve(form, y0, t, method, rtol, atol, longest)
    x = form.backward(y.reshape(batch * t.size, -1)).reshape(batch, t.size, *system.shape)
    # The part of x that y does not determine (distance from a manifold, rounding) is constant in time.
    x += (x0 - x[:, 0])[:, None]
    if not np.isfinite(x).all():
        raise IntegrationFailure("the states are not finite")
    x[:, 0] = x0
    return x


def changing_parameters(system: Any, mu: np.ndarray | None, inputs: Signals) -> Callable[[float], np.ndarray]:
    """Return a function from a time to parameters (batch, p).

    They are `inputs` at that time, and otherwise mu or the defaults.
    """
    parameters = [parameter.name for parameter in system.parameters]
    rows = np.array(np.broadcast_to(system.parameter_values(mu), (len(inputs), len(parameters))))
    columns = [parameters.index(name) for name in inputs.names]

    def now(t: float) -> np.ndarray:
        """Return parameters (batch, p) at the time t."""
        values = rows.copy()
        values[:, columns] = inputs.at(t)
        return values

    return now


def _driven_formulation(system: Any, now: Callable[[float], np.ndarray], t: np.ndarray) -> Formulation | None:
    """Return the system's formulation with parameters that change in time.

    Return None if its linear part depends on them.
    """
    forms = [system._formulation(end(np.stack([now(time) for time in t]), axis=0)) for end in (np.min, np.max)]
    if forms[0] is None or not np.array_equal(_symbol_of(forms[0]), _symbol_of(forms[1])):
        return None
    return dataclasses.replace(forms[0], rhs=lambda time, y: system._formulation(now(time)).rhs(time, y))


def _symbol_of(form: Formulation | None) -> np.ndarray:
    """Return the linear part of a formulation; an empty array if there is none."""
    return np.zeros(0) if form is None or form.symbol is None else form.symbol


def _until(deadline: float, rhs: Callable) -> Callable:
    """Return `rhs` such that it raises OutOfTime after the `deadline`."""

    def timed(t, y):
        if time.time() >= deadline:
            raise OutOfTime(OUT_OF_TIME)
        return rhs(t, y)

    return timed


def _solve(
    form: Formulation, y0: np.ndarray, t: np.ndarray, method, rtol: float, atol: float, longest: float
) -> np.ndarray:
    """Return y (batch, time, m) from y0 (batch, m).

    Steps of implicit solvers are at most `longest`.
    """

    def fun(time, flat):
        return form.rhs(time, flat.reshape(y0.shape)).ravel()

    if form.symbol is not None:
        solver = LawsonDormandPrince(
            fun, t[0], y0.ravel(), t[1], symbol=form.symbol, weights=form.weights, rtol=rtol, atol=atol
        )
        y = march(solver, t)
    else:
        # SciPy controls the root mean square over the whole block, and one trajectory may cause all of that error.
        tighter = 1 / np.sqrt(len(y0))
        tolerances = {"rtol": max(rtol * tighter, SMALLEST_RTOL), "atol": atol * tighter}
        options: dict[str, Any] = {**tolerances, "max_step": longest}
        if form.bands is not None:
            method = "LSODA"
            options |= {"lband": form.bands[0], "uband": form.bands[1]}
        one_step = ONE_STEP.get(method or "DOP853") if method is None or isinstance(method, str) else None
        if one_step is not None:
            y = march(one_step(fun, t[0], y0.ravel(), t[1], **tolerances), t)
        else:
            result = solve_ivp(fun, (t[0], t[-1]), y0.ravel(), method=cast(Any, method), t_eval=t, **options)
            if not result.success:
                raise IntegrationFailure(str(result.message))
            y = result.y.T
    return np.moveaxis(y.reshape(t.size, *y0.shape), 0, 1)
