"""Synthetic magnitudes of stars in five bands, and of quasars, whose spectra have another shape.

The spectra are black bodies with the strongest features of real stars. So the true parameters and magnitudes are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BANDS = ("u", "g", "r", "i", "z")
WAVELENGTHS = np.array([355.0, 469.0, 617.0, 748.0, 893.0])  # of the bands, in nm
EXTINCTION = np.array(
    [4.24, 3.30, 2.29, 1.70, 1.26]
)  # magnitudes for one of E(B - V): Schlafly & Finkbeiner 2011, ApJ 737, table 6
BLANKETING = np.array([0.30, 0.10, 0.03, 0.015, 0.01])  # by metals, in magnitudes a dex for a star like the Sun
PARAMETERS = ("temperature", "reddening", "metallicity")
RANGES = ((3500.0, 12_000.0), (0.0, 0.5), (-2.0, 0.3))  # kelvin (evenly by logarithm), E(B - V), dex
NOISE = 0.02  # magnitudes
METALLICITY = -0.5  # where there are two parameters
SUN = 5772.0
PLANCK = 14_387_769.0  # h c / k in nm K


@dataclass(frozen=True)
class Stars:
    """Parameters (N, 3), exact magnitudes (N, 5) and observed magnitudes (N, 5)."""

    parameters: np.ndarray
    exact: np.ndarray
    observed: np.ndarray


def stars(count: int, seed: int, n_parameters: int = 3) -> Stars:
    """Return main-sequence stars at one distance, whose first two or three parameters vary."""
    rng = np.random.default_rng([seed, 41])
    low, high = np.array(RANGES).T
    uniform = rng.random((count, 3))
    parameters = low + (high - low) * uniform
    parameters[:, n_parameters:] = METALLICITY
    parameters[:, 0] = low[0] * (high[0] / low[0]) ** uniform[:, 0]
    exact = magnitudes(parameters)
    return Stars(parameters, exact, exact + NOISE * rng.standard_normal(exact.shape))


def magnitudes(parameters: np.ndarray) -> np.ndarray:
    """Return AB magnitudes (N, 5) of stars with parameters (N, 3), up to a constant."""
    temperature, reddening, metallicity = (parameters[:, k, None] for k in range(3))
    radius = (temperature / SUN) ** 1.2
    flux = radius**2 * WAVELENGTHS**-3 / np.expm1(PLANCK / (WAVELENGTHS * temperature)) * 1e8
    balmer = np.exp(-((np.log(temperature / 9000.0) / 0.15) ** 2)) * np.array([0.9, 0.0, 0.0, 0.0, 0.0])
    metals = (metallicity + 0.15 * metallicity**2) * (SUN / temperature) ** 2 * BLANKETING
    return -2.5 * np.log10(flux) + balmer + metals + reddening * EXTINCTION


def quasars(count: int, seed: int) -> np.ndarray:
    """Return observed magnitudes (N, 5) of quasars that are as bright as the stars in r.

    They are power laws with an emission line in one band.
    """
    rng = np.random.default_rng([seed, 42])
    slope = rng.normal(-0.5, 0.3, (count, 1))
    line = np.zeros((count, 5))
    line[np.arange(count), rng.integers(5, size=count)] = rng.uniform(0.1, 0.4, count)
    bright = stars(count, seed + 1).exact[:, 2:3]
    shape = 2.5 * slope * np.log10(WAVELENGTHS / WAVELENGTHS[2])
    return bright + shape - line + NOISE * rng.standard_normal((count, 5))
