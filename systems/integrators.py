"""Time integration of blocks of trajectories: SciPy's solvers, and one for semilinear stiff systems.

Diffusion makes explicit Runge-Kutta methods take steps of order 1/(nu k_max^2), whatever the accuracy asked
for. Where the stiff part is linear and diagonal in some coordinates (Fourier modes), the Lawson method
integrates it exactly and leaves the step to accuracy alone.
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

# SciPy warns, and raises the tolerance itself, below 100 times the rounding unit.
SMALLEST_RTOL = 2.3e-14
ONE_STEP = {"RK23": RK23, "RK45": RK45, "DOP853": DOP853}


class IntegrationFailure(Exception):  # noqa: N818 - caught inside the package, where it means "redo or report"
    """An integration ended early or produced values that are not finite; the message says why."""


OUT_OF_TIME = "the time allowed by max_seconds is over"


class OutOfTime(IntegrationFailure):
    """The wall clock allowed for an integration is over."""


@dataclass(frozen=True)
class Formulation:
    """The dynamics dx/dt = f(x) in other coordinates y, where they are easier to integrate.

    What is said of y itself (forward, backward, weights) must not depend on parameters.

    dy/dt = symbol * y + rhs(t, y) with y = forward(x), and x(t) = backward(y(t)) + constant: what y does not
    hold of x must not change in time. Without `symbol` the linear term is absent.

    forward, backward: (batch, *shape) -> (batch, m) and back; y may be complex.
    rhs: (t, y of shape (batch, m)) -> (batch, m).
    symbol: (1, m) or (batch, m), real where the linear part decays or grows, complex where it also oscillates.
    weights: (m,), such that sum(weights * |y|^2) is the mean square of x; needed with `symbol` only.
    bands: how many diagonals the Jacobian of rhs has below and above its main one, where it is stiff and banded: LSODA
    then takes implicit steps at the price of explicit ones.
    """

    forward: Callable[[np.ndarray], np.ndarray]
    backward: Callable[[np.ndarray], np.ndarray]
    rhs: Callable[[float, np.ndarray], np.ndarray]
    symbol: np.ndarray | None = None
    weights: np.ndarray | None = None
    bands: tuple[int, int] | None = None


class LawsonDormandPrince(OdeSolver):
    """Lawson's integrating-factor method on the Dormand-Prince 5(4) pair, with adaptive steps.

    Solves y' = symbol * y + fun(t, y) for a diagonal linear part. The integrating factor starts at one in
    each step, and the nodes of the pair (0, 1/5, 3/10, 4/5, 8/9, 1, 1) never decrease: where the symbol has no
    positive real part, every factor exp(symbol h (c_i - c_j)) is at most one, so nothing overflows and rounding errors
    are not amplified, however stiff the linear part.

    The step is controlled by the largest over the rows of y of |error| / (atol + rtol |y|), in the weighted
    l2 norm: rows (trajectories) do not dilute each other's error.

    fun, t0, y0, t_bound, max_step, first_step: as for `scipy.integrate.RK45`; t_bound > t0. y0 is flat.
    symbol: array (1, m) or (rows, m), real or complex; y0 has rows * m entries.
    weights: real array (m,), 1/m by default.

    Sources: Lawson, SIAM J. Numer. Anal. 4 (1967) 372; Dormand and Prince, J. Comput. Appl. Math. 6
    (1980) 19.
    """

    order = 5
    C = np.array([0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1])
    A = (
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    )
    E = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
    SAFETY, SMALLEST_FACTOR, LARGEST_FACTOR = 0.9, 0.2, 5.0

    def __init__(
        self, fun, t0, y0, t_bound, vectorized=False, *, symbol, weights=None,
        rtol=1e-9, atol=1e-10, max_step=np.inf, first_step=None,
    ):  # fmt: skip
        super().__init__(fun, t0, np.asarray(y0, dtype=complex), t_bound, vectorized, support_complex=True)
        m = symbol.shape[-1]
        # A real linear part acts on real and imaginary parts side by side: real products cost half as much.
        self._kind = complex if np.iscomplexobj(symbol) else float
        self._symbol = symbol if self._kind is complex else np.repeat(symbol, 2, axis=-1)
        weights = np.full(m, 1 / m) if weights is None else weights
        self._weights = np.repeat(weights, 2)
        self._rtol, self._atol, self._max_step = rtol, atol, max_step
        self._state = np.ascontiguousarray(self.y).reshape(-1, m).view(self._kind)
        self._stages = np.empty((7, *self._state.shape), self._kind)
        self._stages[0] = self._nonlinear(t0, self._state)
        self._tables: tuple[float, list, list] | None = None
        self.h_abs = self._first_step() if first_step is None else first_step

    def _nonlinear(self, t: float, state: np.ndarray) -> np.ndarray:
        value = np.ascontiguousarray(self.fun(t, state.view(complex).ravel()))
        return value.view(self._kind).reshape(state.shape)

    def _norm(self, rows: np.ndarray) -> np.ndarray:
        parts = rows.view(float)
        return np.sqrt((parts * parts) @ self._weights)

    def _first_step(self) -> float:
        """A hundredth of the time in which the nonlinear part would change the state by its own size."""
        size, rate = self._norm(self._state), self._norm(self._stages[0])
        h = 0.01 * np.min((size + self._atol) / (rate + 1e-300))
        return float(min(h, self.t_bound - self.t, self._max_step))

    def _factors(self, h: float) -> tuple[list, list]:
        """exp(c_i h symbol) of each stage, and the weights h a_ij exp((c_i - c_j) h symbol) of others."""
        if self._tables is not None and self._tables[0] == h:
            return self._tables[1:]
        decay = {gap: np.exp(gap * h * self._symbol) for gap in {c - b for c in self.C for b in self.C if c >= b}}
        own = [decay[c] for c in self.C]
        others = [
            [h * a * decay[c - b] for a, b in zip(row, self.C, strict=False)]
            for row, c in zip((*self.A, self.E), (*self.C, 1.0), strict=True)
        ]
        self._tables = (h, own, others)
        return own, others

    def _combine(self, start: np.ndarray | None, weights: list[np.ndarray]) -> np.ndarray:
        total = weights[0] * self._stages[0]
        if start is not None:
            total += start
        scratch = np.empty_like(total)
        for weight, stage in zip(weights[1:], self._stages[1:], strict=False):
            np.multiply(weight, stage, out=scratch)
            total += scratch
        return total

    def _step_impl(self):
        smallest = 10 * abs(np.nextafter(self.t, np.inf) - self.t)
        h_abs = min(max(self.h_abs, smallest), self._max_step)
        size = self._norm(self._state)
        shrunk = False
        while True:
            # Written so that a step that is not a number fails as well.
            if not h_abs >= smallest:
                return False, self.TOO_SMALL_STEP
            t_new = min(self.t + h_abs, self.t_bound)
            h = t_new - self.t
            own, others = self._factors(h)
            y = self._state
            for i in range(1, 7):
                y = self._combine(own[i] * self._state, others[i])
                self._stages[i] = self._nonlinear(self.t + self.C[i] * h, y)
            error = self._norm(self._combine(None, others[7]))
            ratio = float(np.max(error / (self._atol + self._rtol * np.maximum(size, self._norm(y)))))
            # A ratio that is not a number (overflow in a stage) shrinks the step as far as allowed.
            factor = self.LARGEST_FACTOR if ratio == 0 else self.SAFETY * ratio**-0.2
            if ratio <= 1:
                break
            h_abs = h * (max(factor, self.SMALLEST_FACTOR) if np.isfinite(factor) else self.SMALLEST_FACTOR)
            shrunk = True
        self.h_abs = h * min(factor, 1.0 if shrunk else self.LARGEST_FACTOR)
        self._state = y
        self._stages[0] = self._stages[6]  # the last stage is the first of the next step
        self.t, self.y = t_new, y.view(complex).ravel()
        return True, None

    def _dense_output_impl(self):
        raise NotImplementedError("LawsonDormandPrince has no dense output: let its steps end at the output times")


def march(solver: Any, t: np.ndarray) -> np.ndarray:
    """States (time, m) at the times t of a one-step solver that stands at t[0], by steps that end at each of
    them.

    Nothing is interpolated: the dense output of a high-order method is not held to the tolerance (that of
    DOP853 is two orders of magnitude worse on a diffusive problem).

    solver: explicit Runge-Kutta, with its next step in `h_abs`. Raises IntegrationFailure.
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
                # A step cut short by an output time says little about the step that accuracy allows.
                solver.h_abs = max(solver.h_abs, allowed)
        states.append(solver.y)
    return np.stack(states)


def integrate(
    system: Any, x0: np.ndarray, t: np.ndarray, mu: np.ndarray | None = None, *,
    inputs: Signals | None = None, method: str | type[OdeSolver] | None = None, rtol: float = 1e-9, atol: float = 1e-10,
    deadline: float | None = None,
) -> np.ndarray:  # fmt: skip
    """Integrate a block of trajectories together.

    x0: (batch, *system.shape), the states at t[0]. t: (time,), strictly increasing. mu: (p,) or (batch, p).
    inputs: u(t) of each trajectory, known at the times t, in place of the parameters of the same names.
    deadline: the wall clock, `time.time`, at which to give up.
    Returns float64 states (batch, time, *system.shape). Raises IntegrationFailure if any trajectory fails, OutOfTime
    at the deadline.

    Without `method`, the system's own formulation is used where it has one (Fourier modes, latent coordinates), by
    LawsonDormandPrince for stiff linear parts, LSODA for banded ones, and its default method, or DOP853, otherwise. With
    `method`, f is integrated as it is.
    """
    batch = x0.shape[0]
    method = method or system.default_method
    now = None if inputs is None else changing_parameters(system, mu, inputs)
    if inputs is not None and now is not None and inputs.held:
        # Each interval has constant parameters, and a method must not step across a jump.
        states, options = [x0], {"method": method, "rtol": rtol, "atol": atol, "deadline": deadline}
        for k in range(len(t) - 1):
            held = now(t[k])
            states.append(integrate(system, states[-1], t[k : k + 2], held, **options)[:, 1])
        return np.stack(states, axis=1)
    form = None
    if method is None:
        form = system._formulation(mu) if now is None else driven_formulation(system, now, t)
    if form is None:

        def rhs(time: float, y: np.ndarray) -> np.ndarray:
            parameters = mu if now is None else now(time)
            return system.rhs(y.reshape(batch, *system.shape), parameters, time).reshape(batch, -1)

        form = Formulation(
            forward=lambda x: x.reshape(batch, -1), backward=lambda y: y.reshape(-1, *system.shape), rhs=rhs
        )
    if deadline is not None:
        form = dataclasses.replace(form, rhs=until(deadline, form.rhs))
    y0 = form.forward(x0)
    with np.errstate(all="ignore"):
        # SciPy's choice of a first step never ends where f is not finite at the start.
        if not np.isfinite(form.rhs(float(t[0]), y0)).all():
            raise IntegrationFailure(f"f is not finite at the initial state (t = {t[0]:.6g})")
        # Inputs bend at the times: a method that may take any step could pass by what happens between two of them.
        longest = np.inf if now is None else float(np.diff(t).min())
        y = _solve(form, y0, t, method, rtol, atol, longest)
    x = form.backward(y.reshape(batch * t.size, -1)).reshape(batch, t.size, *system.shape)
    # What y does not hold of x (its distance from a manifold; rounding) is constant in time.
    x += (x0 - x[:, 0])[:, None]
    if not np.isfinite(x).all():
        raise IntegrationFailure("the states are not finite")
    x[:, 0] = x0
    return x


def changing_parameters(system: Any, mu: np.ndarray | None, inputs: Signals) -> Callable[[float], np.ndarray]:
    """Parameters (batch, p) at a time: `inputs` where they name some, and otherwise mu, or the defaults."""
    parameters = [parameter.name for parameter in system.parameters]
    rows = np.array(np.broadcast_to(system.parameter_values(mu), (len(inputs), len(parameters))))
    columns = [parameters.index(name) for name in inputs.names]

    def now(t: float) -> np.ndarray:
        values = rows.copy()
        values[:, columns] = inputs.at(t)
        return values

    return now


def driven_formulation(system: Any, now: Callable[[float], np.ndarray], t: np.ndarray) -> Formulation | None:
    """The system's formulation with parameters that change in time; None where its linear part depends on them."""
    forms = [system._formulation(end(np.stack([now(time) for time in t]), axis=0)) for end in (np.min, np.max)]
    if forms[0] is None or not np.array_equal(symbol_of(forms[0]), symbol_of(forms[1])):
        return None
    return dataclasses.replace(forms[0], rhs=lambda time, y: system._formulation(now(time)).rhs(time, y))


def symbol_of(form: Formulation | None) -> np.ndarray:
    return np.zeros(0) if form is None or form.symbol is None else form.symbol


def until(deadline: float, rhs: Callable) -> Callable:
    """`rhs`, which raises OutOfTime once the wall clock has reached `deadline`."""

    def timed(t, y):
        if time.time() >= deadline:
            raise OutOfTime(OUT_OF_TIME)
        return rhs(t, y)

    return timed


def _solve(
    form: Formulation, y0: np.ndarray, t: np.ndarray, method, rtol: float, atol: float, longest: float
) -> np.ndarray:
    """y (batch, time, m) from y0 (batch, m)."""

    def fun(time, flat):
        return form.rhs(time, flat.reshape(y0.shape)).ravel()

    if form.symbol is not None:
        solver = LawsonDormandPrince(
            fun, t[0], y0.ravel(), t[1], symbol=form.symbol, weights=form.weights, rtol=rtol, atol=atol
        )
        y = march(solver, t)
    else:
        # SciPy controls the root mean square over the whole block: one trajectory may take all of it.
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
