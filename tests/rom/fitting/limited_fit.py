"""Run by test_large.py in a process of its own: a fit and its evaluation in little memory, then the same fit in memory.

Prints what was found as JSON. The limit is on private writable memory (RLIMIT_DATA): that of the address space would count
libraries and what threads reserve and never touch.
"""

import json
import resource
import sys
from pathlib import Path

import dask
import numpy as np
import torch
import xarray as xr

import rom
import rom.data.lazy
import systems
import systems.io.open
import systems.io.write

N, T, COUNT = 30_000, 50, 40  # in float32: 240 MB
ALLOWED = 24_000_000


def pulses(z, n):
    """States (..., n): a pulse where an oscillator z (..., 2) is, beside a wave as large as it is fast."""
    s, z = np.linspace(-1, 1, n, dtype=np.float32), z[..., None, :].astype(np.float32)
    return np.exp(-0.5 * np.square((s - 0.4 * z[..., 0]) / 0.3)) + 0.3 * z[..., 1] * np.cos(np.pi * s)


def trajectories(count, n, seed):
    times = np.linspace(0, 5, T)
    z = systems.simulate(systems.Duffing(), count, times, seed=seed, rtol=1e-6, atol=1e-8)["state"].values
    return xr.Dataset({"state": (("trajectory", "time", "x"), pulses(z, n))}, coords={"time": times})


def fit(runs):
    config = rom.FitConfig(hidden=(16,), latent_hidden=(16,), optimizer="adam", steps=100, validations=5)
    return rom.fit(None, trajectories=runs, latent_dim=6, config=config)


def figures(model, runs):
    errors = rom.evaluate(model, runs)["trajectory_mse"].mean("trajectory")
    return {
        "rank": model.rank,
        "error": float(errors.sel(rom="fitted")),
        "closed_form": float(errors.sel(rom="closed_form")),
    }


def main(folder):
    torch.set_num_threads(1)
    dask.config.set(num_workers=2)
    rom.data.lazy.BLOCK_BYTES = 2**20
    systems.io.write.LARGEST_CHUNK = systems.io.open.LARGEST_READ = 2**20
    for k in range(0, COUNT, 4):
        systems.save_trajectories(trajectories(4, N, seed=k), folder / f"{k:03d}.h5")
    runs = systems.open_trajectories(folder)
    small = trajectories(8, 64, seed=1).chunk(trajectory=1)
    figures(fit(small), small)  # whatever is imported or started once
    held = 1024 * int(Path("/proc/self/status").read_text().split("VmData:")[1].split()[0])
    unlimited = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held + ALLOWED, unlimited[1]))
    try:
        too_much = np.ones(2 * ALLOWED // 8).shape
    except MemoryError:
        too_much = "MemoryError"
    limited = figures(fit(runs), runs)
    resource.setrlimit(resource.RLIMIT_DATA, unlimited)
    print(
        json.dumps(
            {
                "data": 4 * runs["state"].size,
                "allowed": ALLOWED,
                "too_much": too_much,
                "limited": limited,
                "in_memory": figures(fit(runs.load()), runs),  # all states in one array, and its POD
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
