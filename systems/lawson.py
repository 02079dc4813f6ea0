"""Lawson's method: time steps that take a stiff diagonal linear part exactly."""

from __future__ import annotations

import numpy as np
from scipy.integrate import OdeSolver

__all__ = ["LawsonDormandPrince"]


class LawsonDormandPrince(OdeSolver):
    """Lawson's method on the Dormand-Prince 5(4) pair, with adaptive steps.

    It solves ``y' = symbol * y + fun(t, y)`` for a diagonal linear part. The integrating factor starts at one in each step,
    and the nodes of the pair (0, 1/5, 3/10, 4/5, 8/9, 1, 1) never decrease. If the symbol has no positive real part, every
    factor ``exp(symbol * h * (c_i - c_j))`` is therefore at most one: nothing overflows and rounding errors are not
    amplified, however stiff the linear part is.

    The error of a step is the largest over the rows of y of ``|error| / (atol + rtol |y|)`` in the weighted l2 norm. Rows are
    trajectories, so the error of one is not averaged with that of the others.

    Parameters
    ----------
    fun : callable
        The nonlinear part, ``fun(t, y)`` with flat y.
    t0, t_bound : float
        Start and end of the integration, ``t_bound > t0``.
    y0 : numpy.ndarray
        The flat initial state with rows * m entries.
    vectorized : bool, default False
        As in `scipy.integrate.OdeSolver`.
    symbol : numpy.ndarray
        The diagonal of the linear part, (1, m) or (rows, m), real or complex.
    weights : numpy.ndarray, optional
        Real weights (m,) of the norm; 1/m by default.
    rtol, atol : float, default 1e-9 and 1e-10
        Tolerances.
    max_step : float, default inf
        The largest step.
    first_step : float, optional
        The first step; by default it is chosen from `fun`.

    References
    ----------
    J. D. Lawson, SIAM J. Numer. Anal. 4 (1967) 372; J. R. Dormand and P. J. Prince, J. Comput. Appl. Math. 6 (1980) 19.

    Examples
    --------
    >>> import numpy as np
    >>> import systems
    >>> solver = systems.LawsonDormandPrince(
    ...     lambda t, y: 0.0 * y, 0.0, np.ones(2), 1.0, symbol=np.array([[-1.0, -1e6]]), first_step=1.0
    ... )
    >>> solver.step()
    >>> solver.y.real.round(6)
    array([0.367879, 0.      ])
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
        # A real linear part multiplies real and imaginary parts separately: real products cost half as much.
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
        """Return the nonlinear part (rows, m) at a state (rows, m)."""
        value = np.ascontiguousarray(self.fun(t, state.view(complex).ravel()))
        return value.view(self._kind).reshape(state.shape)

    def _norm(self, rows: np.ndarray) -> np.ndarray:
        """Return the weighted l2 norm of each row."""
        parts = rows.view(float)
        return np.sqrt((parts * parts) @ self._weights)

    def _first_step(self) -> float:
        """Return a first step.

        It is a hundredth of the time in which the nonlinear part would change the state by its own size.
        """
        size, rate = self._norm(self._state), self._norm(self._stages[0])
        h = 0.01 * np.min((size + self._atol) / (rate + 1e-300))
        return float(min(h, self.t_bound - self.t, self._max_step))

    def _factors(self, h: float) -> tuple[list, list]:
        """Return factors of the state and of the stages for a step h.

        These are ``exp(c_i h symbol)`` for each stage i, and the weights ``h a_ij exp((c_i - c_j) h symbol)`` of the other stages.
        """
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
        """Return the sum of `start` and of the stages with the given weights."""
        total = weights[0] * self._stages[0]
        if start is not None:
            total += start
        scratch = np.empty_like(total)
        for weight, stage in zip(weights[1:], self._stages[1:], strict=False):
            np.multiply(weight, stage, out=scratch)
            total += scratch
        return total

    def _step_impl(self):
        """Take one step whose error keeps the tolerances."""
        smallest = 10 * abs(np.nextafter(self.t, np.inf) - self.t)
        h_abs = min(max(self.h_abs, smallest), self._max_step)
        size = self._norm(self._state)
        shrunk = False
        while True:
            # This form also fails for a step that is not a number.
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
            # A ratio that is not a number (overflow in a stage) shrinks the step as far as is allowed.
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
        """Raise NotImplementedError: the method has no dense output."""
        raise NotImplementedError("LawsonDormandPrince has no dense output: let its steps end at the output times")
