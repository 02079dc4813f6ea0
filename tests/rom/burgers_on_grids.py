"""Burgers' equation on several grids, and its states at points of no grid."""

import numpy as np
import xarray as xr

import systems

SIZES = (48, 64, 96)
TIMES = np.linspace(0.0, 2.0, 21)
UNSEEN = np.random.default_rng(0).uniform(-10.0, 10.0, 500)


def burgers(n):
    return systems.Burgers(n=n, viscosity=0.05)


def interpolated(values, at):
    """The trigonometric interpolant of values (..., n) on [-pi, pi) at positions (P,)."""
    n = values.shape[-1]
    k = np.fft.fftfreq(n, 1 / n)
    waves = np.exp(1j * k[:, None] * (at + np.pi))
    return (np.fft.fft(values) / n @ waves).real


def scattered(dataset, points):
    """The Dataset at points (P,), or (trajectory, time, P) where they move."""
    state = dataset["state"].values
    moves = points.ndim > 1
    values = (
        np.stack([[interpolated(x, at) for x, at in zip(*row, strict=True)] for row in zip(state, points, strict=True)])
        if moves
        else interpolated(state, points)
    )
    dims = ("trajectory", "time", "sensor")
    x = xr.DataArray(points, dims=dims if moves else "sensor", attrs={"period": 2 * np.pi})
    return xr.Dataset({"state": (dims, values)}, {"time": TIMES, "x": x})
