"""Cost of a forecast: 1,000 output times, one and 256 states, against the full-order model on the same machine."""

import statistics
import time
from collections.abc import Callable

import numpy as np

import rom
import systems

TITLE = "Speed of a forecast: 1,000 steps"
NOTE = """
Burgers, 1,024 points, d = 16, 1,000 output times on [0, 10]; medians of five runs within one process. FOM: `simulate` at
rtol 1e-5 (Lawson's method, the diffusion exact; the fastest that we have) and `solve_ivp` with RK45 at 1e-3 on the same f.
The decoding of all 1,000 states is included, and shown apart. A FOM in Fourier space is fast in one dimension: figures above
one are wins of the reduced model, below one its losses.
"""
SEEDS = 1


def run(seed: int, quick: bool) -> dict[str, float]:
    from scipy.integrate import solve_ivp

    burgers = systems.Burgers(n=1024, viscosity=0.01)
    config = rom.FitConfig(steps=20)
    model = rom.fit(burgers, 2048, n_trajectories=32, latent_dim=16, seed=seed, config=config)
    times = np.linspace(0.0, 10.0, 101 if quick else 1001)
    figures: dict[str, float] = {}
    for count in (1, 256):
        x0 = burgers.sample_initial(count, seed=9)
        states = x0.values
        repeats = 5 if count == 1 else 3
        name = f"{count} state{'s' if count > 1 else ''}"
        seconds = median_seconds(lambda x0=x0: model.forecast(x0, times), repeats)
        latent = np.repeat(model.encode(states)[:, None], len(times), axis=1)
        figures[f"forecast, {name}, s"] = seconds
        figures[f"of it decoding, {name}, s"] = median_seconds(lambda latent=latent: model.decode(latent), repeats)
        lawson = median_seconds(
            lambda x0=x0: systems.simulate(burgers, t=times, initial=x0, rtol=1e-5, atol=1e-6), 1 if count > 1 else 3
        )
        figures[f"FOM by Lawson 1e-5, {name}, s"] = lawson
        figures[f"FOM by Lawson 1e-5 / forecast, {name}"] = lawson / seconds
        if count == 1:
            rk45 = median_seconds(
                lambda states=states: solve_ivp(
                    lambda _t, y: burgers.rhs(y), (0, 10), states[0], t_eval=times, rtol=1e-3, atol=1e-5
                ),
                1,
            )
            figures["FOM by solve_ivp RK45 1e-3, 1 state, s"] = rk45
            figures["FOM by solve_ivp RK45 1e-3 / forecast, 1 state"] = rk45 / seconds
    return figures


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    call()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
