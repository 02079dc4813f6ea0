"""Partial differential equations, discretised in space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.fft import irfft, rfft

from systems.errors import SystemsValueError, nearest
from systems.integrators import Formulation
from systems.sampling import InitialStates, Mixture, Sampler, ShortFlows, check_count, check_number
from systems.system import Parameter, System, like

INITIAL_STATES = ("harmonic", "gaussian", "bumps", "mixed")


@dataclass(frozen=True)
class Burgers(System):
    """Viscous Burgers' equation, u_t = -u u_x + nu u_xx, periodic on [-pi, pi); pi is not a grid point.

    Good values: n = 1024 and viscosity 0.01 (the modes of the fronts fall by six orders of magnitude before
    they are cut); n = 128, as in the source, leaves the fronts a little under-resolved. The default times are
    20 steps of 0.1, in which fronts form and begin to merge.

    Space is discretised by Fourier modes: f = -(u_s^2 / 2)_x + nu u_xx, where u_s is u without its modes
    |k| >= n/3, and the same modes of the product are left out (the 2/3 rule). This is Galerkin's method,
    without aliasing: it conserves the mean exactly, and the flux neither makes nor takes energy; the modes
    left out only decay.

    initial: "harmonic", ten modes: the sum over k = 1..5 of a_k cos kx + b_k sin kx, with coefficients
    0.1 N(0, 1); "gaussian", one periodic bump h exp((cos(x - c) - 1) / w^2) with h in [0.25, 0.75], c
    anywhere, w in [0.2, 0.6]; "bumps", the sum of two such; "mixed", the three families in turn.

    Collocation states are initial states, one in five, and states along flows from them over the default times.

    Source of the problem: Sholokhov, Liu, Mansour and Nabi, Sci. Rep. 13 (2023) 10166 (the families
    follow it; the ranges of the bumps are chosen here).
    """

    n: int = 1024
    viscosity: float = 0.01
    initial: str = "harmonic"

    HARMONICS: ClassVar[int] = 5
    name: ClassVar[str] = "Burgers"
    dims: ClassVar[tuple[str, ...]] = ("x",)
    time_scale: ClassVar[float] = 1.0
    citation: ClassVar[str] = (
        "Sholokhov, A., Liu, Y., Mansour, H., & Nabi, S. (2023). Physics-informed neural ODE (PINODE): "
        "embedding physics into models using collocation points. Sci. Rep. 13, 10166."
    )

    def __post_init__(self):
        check_count(self.n, "n", smallest=4)
        if not check_number(self.viscosity, "viscosity") > 0:
            raise SystemsValueError(f"viscosity must be positive, got {self.viscosity}")
        if self.initial not in INITIAL_STATES:
            raise SystemsValueError(f"unknown initial {self.initial!r}; {nearest(self.initial, INITIAL_STATES)}")

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,)

    @property
    def coords(self) -> dict[str, np.ndarray]:
        return {"x": -np.pi + 2 * np.pi / self.n * np.arange(self.n)}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter("viscosity", self.viscosity, 0.5 * self.viscosity, 2 * self.viscosity),)

    @property
    def default_times(self) -> np.ndarray:
        return np.linspace(0.0, 2.0, 21)

    @cached_property
    def _wavenumbers(self) -> np.ndarray:
        return np.arange(self.n // 2 + 1, dtype=float)

    @cached_property
    def _resolved(self) -> np.ndarray:
        """One for the modes |k| < n/3, zero for the others."""
        return (3 * self._wavenumbers < self.n).astype(float)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        k, resolved = like(self._wavenumbers, x, xp), like(self._resolved, x, xp)
        viscosity = mu[..., :1]
        modes = xp.fft.rfft(x)
        smooth = xp.fft.irfft(modes * resolved, n=self.n)
        flux = xp.fft.rfft(smooth * smooth) * (0.5 * k * resolved)
        return xp.fft.irfft(-1j * flux - (viscosity * k**2) * modes, n=self.n)

    def _formulation(self, mu):
        """Fourier modes, in which diffusion is diagonal; the equation is the same as that of `_rhs`."""
        n, k = self.n, self._wavenumbers
        viscosity = np.atleast_2d(self.parameter_values(mu))[:, :1]
        count = int(self._resolved.sum())
        half_derivative = -0.5j * k[:count]
        weights = np.full(k.size, 2.0 / n**2)
        weights[0] = 1.0 / n**2
        if n % 2 == 0:
            weights[-1] = 1.0 / n**2

        def rhs(t, modes):  # noqa: ARG001
            smooth = np.asarray(irfft(modes[:, :count], n=n))
            change = np.zeros_like(modes)
            np.multiply(half_derivative, np.asarray(rfft(smooth * smooth))[:, :count], out=change[:, :count])
            return change

        return Formulation(
            forward=lambda x: np.asarray(rfft(x)), backward=lambda modes: np.asarray(irfft(modes, n=n)),
            rhs=rhs, symbol=-viscosity * k**2, weights=weights,
        )  # fmt: skip

    def _initial(self, n, seed):
        families = {"harmonic": self._harmonic, "gaussian": self._gaussian, "bumps": self._bumps}
        if self.initial != "mixed":
            return families[self.initial](n, seed)
        return Mixture(tuple(families.values()))(n, seed)

    def _harmonic(self, n, seed):
        coefficients = 0.1 * np.random.default_rng(seed).standard_normal((n, 2 * self.HARMONICS))
        phase = np.arange(1, self.HARMONICS + 1)[:, None] * self.coords["x"]
        basis = np.concatenate([np.cos(phase), np.sin(phase)])
        # Term by term: the rounding of a matrix product may depend on how many rows it has.
        return sum(coefficients[:, j, None] * basis[j] for j in range(len(basis)))

    def _gaussian(self, n, seed):
        return self._sum_of_bumps(n, seed, 1)

    def _bumps(self, n, seed):
        return self._sum_of_bumps(n, seed, 2)

    def _sum_of_bumps(self, n, seed, count):
        height, centre, width = np.moveaxis(np.random.default_rng(seed).random((n, count, 3, 1)), 2, 0)
        height, centre, width = 0.25 + 0.5 * height, 2 * np.pi * centre, 0.2 + 0.4 * width
        return (height * np.exp((np.cos(self.coords["x"] - centre) - 1) / width**2)).sum(axis=1)

    def _sampler(self) -> Sampler:
        # Many flows with few points each: what counts is how many different initial states the points come from.
        # Measured with 16,384 points: half the error of half initial states and half long flows with 8 points each.
        return Mixture((InitialStates(self), ShortFlows(self)), weights=(0.2, 0.8))
