"""One fit to trajectories on disk or in a dask array: ``python -m steps.memory_fit '{...}'``.

Prints figures as JSON: peak memory above what the process held before the fit, and how often the data were read.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import dask
import dask.array
import numpy as np
import xarray as xr

import rom
import systems

T = 100  # times of a trajectory
MB = 1e6


def latent(count: int) -> xr.Dataset:
    """Return trajectories (trajectory, time, 2) of the Duffing oscillator."""
    return systems.simulate(systems.Duffing(), count, np.linspace(0.0, 10.0, T), seed=1, rtol=1e-6, atol=1e-8)


def pulses(z: np.ndarray, n: int) -> np.ndarray:
    """Return states (..., n) in float32: a pulse at the place of the oscillator, beside a wave that grows with its speed."""
    s = np.linspace(-1.0, 1.0, n, dtype=np.float32)
    z = z[..., None, :].astype(np.float32)
    return np.exp(-0.5 * np.square((s - 0.4 * z[..., 0]) / 0.15)) + 0.3 * z[..., 1] * np.cos(np.pi * s)


def of_dask(z: xr.DataArray, n: int, computed: list[int]) -> xr.Dataset:
    """Return trajectories that are computed one by one on demand and are never on disk.

    `computed` receives the bytes of each.
    """

    def block(part: np.ndarray) -> np.ndarray:
        states = pulses(part, n)
        computed.append(states.nbytes)
        return states

    whole = dask.array.from_array(z.values, chunks=(1, T, 2))
    states = dask.array.map_blocks(
        block, whole, chunks=(1, T, n), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    return xr.Dataset({"state": (("trajectory", "time", "x"), states)}, coords={"time": z["time"].values})


def of_files(z: xr.DataArray, n: int, folder: Path) -> xr.Dataset:
    """Write trajectories to files and return them opened lazily."""
    for k in range(0, len(z), 4):
        states = pulses(z.values[k : k + 4], n)
        shard = xr.Dataset({"state": (("trajectory", "time", "x"), states)}, coords={"time": z["time"].values})
        systems.save_trajectories(shard, folder / f"{k:05d}.h5")
    opened = systems.open_trajectories(folder)
    assert isinstance(opened, xr.Dataset)
    return opened


def fit(runs: xr.Dataset, steps: int) -> rom.ReducedOrderModel:
    """Fit a model to trajectories."""
    return rom.fit(None, trajectories=runs, latent_dim=8, config=rom.FitConfig(steps=steps), verbose=False)


def of_process(file: str, name: str) -> int:
    """Return the number of bytes in a line of /proc/self/FILE."""
    line = next(line for line in Path(f"/proc/self/{file}").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * (1024 if line.endswith("kB") else 1)


def main(backing: str, megabytes: int, n: int, steps: int, folder: str) -> dict[str, float]:
    """Fit once and return figures."""
    dask.config.set(num_workers=2)
    fit(of_dask(latent(8)["state"], 64, []), 4)  # whatever is imported or started once
    z = latent(max(4, round(megabytes * MB / (4 * T * n))))["state"]
    computed: list[int] = []
    runs = of_dask(z, n, computed) if backing == "dask" else of_files(z, n, Path(folder))
    size = 4 * runs["state"].size
    computed.clear()
    read, held = of_process("io", "rchar"), of_process("status", "VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    started = time.perf_counter()
    model = fit(runs, steps)
    seconds = time.perf_counter() - started
    passes = (sum(computed) if backing == "dask" else of_process("io", "rchar") - read) / size
    return {
        "data, MB": size / MB,
        "peak memory above the start, MB": (of_process("status", "VmHWM") - held) / MB,
        "passes over the data": passes,
        "preparation, s": seconds - model.history.attrs["training_seconds"],
        "POD rank": model.rank,
        "lost energy": model.history.attrs["lost_energy"],
        "validation error": model.history.attrs["validation_error"],
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        print(json.dumps(main(**json.loads(sys.argv[1]), folder=folder)))
