"""The batch and the weights of one training step, the same for every variant.

A step is the forward pass of five losses and the gradient with respect to all weights: no optimiser. Encoder and decoder
are an affine map plus a tanh network with three hidden layers of 128, the latent dynamics an affine map plus one with two;
losses are those of `rom.LossWeights`, all with weight 1.

Data are projected on their first `rank` POD modes, so that networks on POD coordinates w = V^T x and networks on the full
states x can have the same values: the first layers of the latter are W V^T, the last ones V W. Hence all variants have
the same loss, to rounding and to the choice among fourth-order Runge-Kutta methods.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

import systems

HIDDEN, LATENT_HIDDEN = (128, 128, 128), (128, 128)
SIZES = {
    # n, d, POD rank, windows, steps of a window, collocation points
    "duffing": (128, 2, 2, 64, 10, 512),
    "burgers": (1024, 16, 64, 64, 99, 512),
}
QUICK_SIZES = {"duffing": (32, 2, 2, 8, 3, 32), "burgers": (64, 4, 8, 8, 5, 32)}

Arrays = dict[str, np.ndarray]


def write(path: Path, size: str, quick: bool) -> None:
    """Write batch and weights as an .npz file, in float64.

    windows (K+1, B, n), interval (), points and derivatives (M, n), basis (n, r), spreads (2,), and the weights of the
    networks on POD coordinates: `part.layer.weight` (outputs, inputs), `part.layer.bias`.
    """
    n, d, rank, n_windows, n_steps, n_points = (QUICK_SIZES if quick else SIZES)[size]
    if size == "duffing":
        system, times = systems.LiftedDuffing(n=n), np.linspace(0.0, 1.0, n_steps + 1)
    else:
        system, times = systems.Burgers(n=n), np.linspace(0.0, 2.0, n_steps + 1)
    runs = systems.simulate(system, n_windows, times, rtol=1e-6, atol=1e-7)["state"].values
    pairs = systems.collocate(system, n_points)
    points, derivatives = pairs["state"].values, pairs["time_derivative"].values
    everything = np.concatenate([runs.reshape(-1, n), points])
    basis = np.linalg.eigh(everything.T @ everything)[1][:, -rank:][:, ::-1].copy()
    windows, points, derivatives = (a @ basis @ basis.T for a in (runs.transpose(1, 0, 2), points, derivatives))
    np.savez(
        path, windows=windows, interval=times[1] - times[0], points=points, derivatives=derivatives, basis=basis,
        spreads=np.array([np.var(windows), np.mean(derivatives**2)]), **weights(rank, d),
    )  # fmt: skip


def weights(rank: int, d: int) -> Arrays:
    """Return random weights; those of last layers are small, so that the rollout stays bounded."""
    rng = np.random.default_rng(0)
    result: Arrays = {}

    def layer(name: str, n_in: int, n_out: int, size: float = 1.0) -> None:
        result[f"{name}.weight"] = size / np.sqrt(n_in) * rng.standard_normal((n_out, n_in))
        result[f"{name}.bias"] = 0.1 * size * rng.standard_normal(n_out)

    for part, n_in, n_out, hidden in (
        ("encoder", rank, d, HIDDEN), ("dynamics", d, d, LATENT_HIDDEN), ("decoder", d, rank, HIDDEN)
    ):  # fmt: skip
        layer(f"{part}.linear", n_in, n_out, 0.1 if part == "dynamics" else 1.0)
        widths = [n_in, *hidden, n_out]
        for k, (a, b) in enumerate(pairwise(widths)):
            layer(f"{part}.{k}", a, b, 0.1 if k == len(widths) - 2 else 1.0)
    return result


def at_full_order(arrays: Arrays) -> Arrays:
    """Return the same networks on states x in place of POD coordinates."""
    V = arrays["basis"]
    result = dict(arrays)
    for name in ("encoder.linear", "encoder.0"):
        result[f"{name}.weight"] = arrays[f"{name}.weight"] @ V.T
    for name in ("decoder.linear", f"decoder.{len(HIDDEN)}"):
        result[f"{name}.weight"] = V @ arrays[f"{name}.weight"]
        result[f"{name}.bias"] = V @ arrays[f"{name}.bias"]
    return result


def in_pod_coordinates(arrays: Arrays) -> Arrays:
    """Return the same batch in POD coordinates.

    Mean squares are then over r numbers, no longer over n.
    """
    V = arrays["basis"]
    n, r = V.shape
    projected = {name: arrays[name] @ V for name in ("windows", "points", "derivatives")}
    return arrays | projected | {"spreads": arrays["spreads"] * n / r}
