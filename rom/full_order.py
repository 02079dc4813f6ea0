"""f of the system at states of the data, with the parameters, inputs and times that belong to them."""

from __future__ import annotations

import numpy as np

import systems
from rom.data import Collocation, as_collocation
from rom.layout import Layout

__all__ = ["evaluate_at", "parameters_for"]


def parameters_for(
    system: systems.System, layout: Layout, parameters: np.ndarray, inputs: np.ndarray
) -> np.ndarray | None:
    """Parameters (N, p + m) in the system's order, of parameters (N, p) and inputs (N, m) of the data; None for defaults."""
    given = dict(zip((*layout.parameters, *layout.inputs), np.concatenate([parameters, inputs], axis=1).T, strict=True))
    if not given:
        return None
    defaults = np.full(len(parameters), 1.0)
    return np.stack([given.get(p.name, p.default * defaults) for p in system.parameters], axis=1)


def evaluate_at(
    system: systems.System,
    layout: Layout,
    states: np.ndarray,
    parameters: np.ndarray,
    inputs: np.ndarray,
    times: np.ndarray,
    rng: np.random.Generator,
    seed: int,
    max_seconds: float | None,
) -> Collocation:
    """Pairs of states (N, n) with parameters (N, p), inputs (N, m) and times (N,), and f at them.

    In random order, so that what is there when the time runs out is a fair sample; where f depends on time, with states
    of equal time together, since f takes these at once.
    """
    order = rng.permutation(len(states))
    if layout.depends_on_time:
        rank = {time: k for k, time in enumerate(rng.permutation(np.unique(times)))}
        order = np.argsort([rank[time] for time in times], kind="stable")
    x = states[order].reshape(-1, *layout.shape)
    pairs = systems.collocate(
        system,
        len(x),
        sampler=lambda _n, _seed: x,
        parameters=parameters_for(system, layout, parameters[order], inputs[order]),
        times=times[order],
        seed=seed,
        max_seconds=max_seconds,
    )
    found, _ = as_collocation(pairs)
    kept = order[: len(found)]
    return Collocation(found.states, found.time_derivatives, parameters[kept], inputs[kept], times[kept])
