"""rom.fit on collocation points alone, which are chosen in different ways: what a value of f is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from scipy.integrate import solve_ivp

import rom
import rom.fitting.fit_model
import systems
from methods import Forecaster
from methods.ours import FACTS, forecaster
from rom.dynamics.runge_kutta import rk4_rollout
from rom.networks.encoder_decoder import Networks
from rom.training.batches import Rollouts
from rom.training.fresh_flows import RTOL, FreshFlows, FreshFlowSampler

IN_SAMPLER = 0.8 / 4  # flows for each point of the sampler of Burgers: four in five lie on one, four on each
KINDS = ("static", "flow", "fresh flows", "on-policy")


def fit(system: systems.System, kind: str, n_points: int, latent_dim: int, seconds: float, seed: int) -> Forecaster:
    """A model from `n_points` points and what the kind adds to them.

    static: initial states. flow: the system's own sampler, most of it along flows from initial states. fresh flows: those,
    and as many again eight times while training goes on. on-policy: the same, but the further states are decoded from
    rollouts of the model in training, from fresh initial states.
    """
    states = systems.InitialStates(system) if kind == "static" else system.sampler
    pairs = systems.collocate(system, n_points, sampler=states, seed=seed)
    config = rom.FitConfig(evaluate_system=kind in ("fresh flows", "on-policy"))
    with rollouts_instead_of_flows() if kind == "on-policy" else nullcontext():
        model = rom.fit(
            system, collocation=pairs, n_trajectories=0, latent_dim=latent_dim, seed=seed, max_seconds=seconds,
            config=config, verbose=False,
        )  # fmt: skip
    facts = {name: float(model.history.attrs[name]) for name in FACTS}
    facts["values of f at points"] = n_points + facts["n_fresh_points"]
    facts["flows"] = 0.0 if kind == "static" else IN_SAMPLER * n_points
    if kind == "fresh flows":
        facts["flows"] += facts["n_fresh_flows"]
    return Forecaster(forecaster(model), facts)


def values_of_f_per_flow(system: systems.System, seed: int) -> float:
    """How many values of f a flow over the default span takes, by DOP853 at the tolerance of the fresh flows."""
    t = system.default_times
    counts = [
        solve_ivp(lambda _t, x: system.rhs(x), t[[0, -1]], x0, method="DOP853", rtol=RTOL, atol=0.1 * RTOL).nfev
        for x0 in system.sample_initial(8, seed).values
    ]
    return float(np.mean(counts))


@dataclass(frozen=True)
class OnPolicy(FreshFlowSampler):
    """Renewal by rollouts of the networks in training."""

    networks: Networks | None = None

    def draw(self, k: int, max_seconds: float) -> FreshFlows | None:  # noqa: ARG002 - a rollout takes no time
        n_flows = -(-self.count // (self.n_intervals + 1))
        projection, scale = self.prepared.projection, self.prepared.time_scale
        x0 = self.system.sample_initial(n_flows, int(np.random.default_rng([self.seed, 8, k]).integers(2**31))).values
        # As long as the flows are, which begin at a random time of the span.
        interval = self.span / scale / self.n_intervals
        intervals = torch.full((self.n_intervals,), interval, dtype=torch.float64)
        assert self.networks is not None
        like = self.networks.encoder.linear.weight
        with torch.no_grad():
            start = projection.project(torch.from_numpy(x0)).to(like)
            latent = rk4_rollout(
                self.networks.latent_dynamics.merged(), self.networks.encoder(start), intervals.to(like), substeps=4
            )
            coordinates = self.networks.decoder(latent).double().cpu()
        coordinates = coordinates[:, coordinates.isfinite().all(dim=2).all(dim=0)]
        states = projection.lift(coordinates).numpy()
        rates = torch.from_numpy(self.system.rhs(states))
        return FreshFlows(Rollouts(intervals, coordinates, None), projection.project_derivative(rates) * scale)


@contextmanager
def rollouts_instead_of_flows() -> Iterator[None]:
    """Within it, `rom.fit` renews its points by `OnPolicy`."""
    train = rom.fitting.fit_model.train

    def on_policy(networks, plan):
        settings = {field.name: getattr(plan.renewal, field.name) for field in fields(plan.renewal)}
        return train(networks, replace(plan, renewal=OnPolicy(**settings, networks=networks)))

    rom.fitting.fit_model.train = on_policy
    try:
        yield
    finally:
        rom.fitting.fit_model.train = train
