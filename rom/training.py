"""The training loop: optimiser, schedule, best state, recovery from divergence, checkpoints, callbacks."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from rom.architecture import Networks
from rom.batches import CollocationTable, Rollouts, SnapshotTable, step_generator
from rom.config import FitConfig, LossWeights
from rom.errors import RomValueError
from rom.losses import Spreads, data_losses, physics_losses
from rom.networks import MLP
from rom.persistence import pack, read_sealed, unpack, write_sealed
from rom.renewal import Fresh, Renewal
from rom.validation import HeldOut, Validation, validate

__all__ = ["DEFAULT_STEPS", "Plan", "Progress", "Training", "TrainingData", "train", "window_steps"]

log = logging.getLogger("rom")

DEFAULT_STEPS = 2000
WARM_UP = 0.02  # share of the training in which the learning rate rises
CLOSED_FORM_SHARE = 0.1  # of the learning rate, for linear and quadratic parts
FEWEST_STEPS = 2  # of the longest window
RENEWALS = 8  # of the data, evenly over the first so large a share of the training:
RENEWED_SHARE = 0.8
RENEWAL_TIME = 0.02  # share of the training's time that one of them may take, where that is limited
MAX_RECOVERIES = 5
PATIENT_STEPS = 3  # steps in a row without a finite gradient before the best state is taken back


@dataclass(frozen=True)
class TrainingData:
    """What is drawn from at every step; either kind may be absent."""

    snapshots: SnapshotTable | None
    collocation: CollocationTable | None
    spreads: Spreads
    substeps: int  # Runge-Kutta steps of an interval of a window
    stride: int = 1  # snapshots that an interval of a window spans


@dataclass(frozen=True)
class Drawn:
    """What grows while training goes on: collocation points, and pieces of fresh flows for windows."""

    collocation: CollocationTable | None
    flows: SnapshotTable | None = None

    def and_fresh(self, fresh: Fresh) -> Drawn:
        """Both with fresh flows added."""
        assert self.collocation is not None  # there is no renewal without
        like = self.collocation.coordinates
        rollouts = fresh.rollouts
        flows = SnapshotTable.of([Rollouts(rollouts.intervals.to(like), rollouts.coordinates.to(like), None)])
        return Drawn(self.collocation.joined(fresh.points), flows if self.flows is None else self.flows.joined(flows))


@dataclass(frozen=True)
class Plan:
    """Everything about a training that is fixed before it starts."""

    data: TrainingData
    held_out: HeldOut
    weights: LossWeights
    config: FitConfig
    proportion: float = 1.0  # of the learning rate: small where the start is good
    seed: int = 0
    seconds: float | None = None  # of wall clock, for the training alone
    checkpoint: Path | None = None
    fingerprint: str = ""  # of data and configuration: a checkpoint of another one is refused
    renewal: Renewal | None = None  # of the data, as training goes on
    callbacks: Sequence[Callable[[Progress], Any]] = ()
    verbose: bool = False

    def progress(self, step: int, seconds: float) -> float:
        """Where the training stands between 0 and 1: by steps or by the clock, whichever is further."""
        steps = self.config.steps or (None if self.seconds else DEFAULT_STEPS)
        by_steps = step / steps if steps else 0.0
        by_clock = seconds / self.seconds if self.seconds else 0.0
        return max(by_steps, by_clock)


@dataclass(frozen=True)
class Progress:
    """What a callback sees at each look at the held-out data. A callback that returns True ends the training.

    `best_validation_error` is that of the state that would be kept; it need not be the lowest (see `Validation`).
    """

    step: int
    seconds: float
    progress: float
    learning_rate: float
    window: int
    losses: dict[str, float]
    validation_error: float
    best_validation_error: float


@dataclass
class Training:
    """State of a training: everything a checkpoint must hold besides the optimiser and the weights at `step`."""

    best_weights: dict[str, Tensor]
    best: Validation
    start: Validation  # of the closed form
    best_step: int = 0
    step: int = 0
    seconds: float = 0.0
    peak_rate: float = 0.0
    recoveries: int = 0
    renewed: list[int] = field(default_factory=list)  # flows that each renewal added
    stopped: str = "running"
    rows: list[Progress] = field(default_factory=list)


def train(networks: Networks, plan: Plan) -> Training:
    """Train `networks` in place and leave them at the best state seen on the held-out data. Returns the record.

    The first look at the held-out data is at the closed-form model that training starts from, and what is kept in its
    place has to beat it there (`Validation.beats`). Ctrl-C ends the training and keeps the best state.
    """
    rate = plan.proportion * plan.config.learning_rate
    optimiser = make_optimiser(networks, plan.config.optimizer, rate)
    start = validate(networks, plan.held_out, plan.data.spreads, plan.data.substeps)
    training = Training(weights_of(networks), best=start, start=start, peak_rate=rate)
    if plan.checkpoint is not None and plan.checkpoint.exists():
        resume(plan, training, networks, optimiser)
    if plan.seconds == 0.0 and training.step == 0:
        training.stopped = "no time"
    layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
    with tqdm(total=1.0, desc="fit", disable=not plan.verbose, bar_format=layout) as bar:
        try:
            run(networks, optimiser, plan, training, bar)
        except KeyboardInterrupt:
            training.stopped = "interrupted"
            log.warning("interrupted at step %d; keeping the best model, of step %d", training.step, training.best_step)
    networks.load_state_dict(training.best_weights)
    if training.best.error > training.start.error:
        log.warning(
            "the mean square error of held-out forecasts became worse than that of the closed form, %.2e of the variance "
            "against %.2e, while the typical error or the physics became better; see `rom.closed_form_of`",
            training.best.error, training.start.error,
        )  # fmt: skip
    if training.best.useless:
        log.warning(
            "the model is no better than a constant: the median error of %s is %.3g of their spread. Long forecasts of a "
            "chaotic system cannot be better; otherwise more time, a given latent_dim, data closer in time, or "
            "FitConfig(latent_terms=('linear', 'neural')) may help",
            plan.held_out.kind, training.best.median,
        )  # fmt: skip
    return training


def run(networks: Networks, optimiser: torch.optim.Optimizer, plan: Plan, training: Training, bar: tqdm) -> None:
    """Steps, with a look at the held-out data at even distances, until the plan is done or a reason to stop appears."""
    config = plan.config
    parameters = [p for p in networks.parameters() if p.requires_grad]
    data = renewed_before(plan, training)
    started = time.monotonic() - training.seconds
    next_look = after(plan.progress(training.step, training.seconds), config.validations)
    failures = 0
    while training.stopped == "running":
        progress = min(plan.progress(training.step, training.seconds), 1.0)
        rate = training.peak_rate * rate_factor(progress)
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * rate
        if due(plan, training, progress):
            data = renewed(plan, training, data)
        window = window_length(plan, progress)
        losses = batch_losses(networks, plan, data, step_generator(plan.seed, training.step), window)
        if finite_step(optimiser, parameters, losses, plan):
            failures = 0
        else:
            failures += 1
        if failures >= PATIENT_STEPS:
            optimiser, failures = recover(networks, plan, training), 0
        training.step += 1
        training.seconds = time.monotonic() - started
        progress = plan.progress(training.step, training.seconds)
        if progress >= next_look or progress >= 1.0:
            look(networks, plan, training, losses, progress, rate, window)
            write(plan, training, networks, optimiser)
            next_look = after(progress, config.validations)
            bar.update(min(progress, 1.0) - bar.n)
            bar.set_postfix_str(f"validation error {training.best.error:.2e}")


def after(progress: float, looks: int) -> float:
    """The first k / looks beyond `progress`: found anew each time, so that a resumed training looks at the same steps."""
    return (math.floor(progress * looks + 1e-6) + 1) / looks


def due(plan: Plan, training: Training, progress: float) -> bool:
    """Whether fresh data are to be added now; no more of them once there was no time for a single flow."""
    done = len(training.renewed)
    if plan.renewal is None or done == RENEWALS or training.renewed[-1:] == [0]:
        return False
    return progress >= RENEWED_SHARE * (done + 1) / RENEWALS - 1e-9


def renewed(plan: Plan, training: Training, data: Drawn) -> Drawn:
    """`data` with fresh flows, whose number is entered in the record."""
    assert plan.renewal is not None
    fresh = plan.renewal.draw(len(training.renewed), RENEWAL_TIME * (plan.seconds or math.inf))
    training.renewed.append(0 if fresh is None else len(fresh.rollouts))
    return data if fresh is None else data.and_fresh(fresh)


def renewed_before(plan: Plan, training: Training) -> Drawn:
    """The data of the plan, with the flows that renewals had added before this training was resumed."""
    data = Drawn(plan.data.collocation)
    for k, count in enumerate(training.renewed):
        if count == 0:
            continue
        if plan.renewal is None:
            raise RomValueError(
                f"checkpoint: {plan.checkpoint} was made with fresh flows, which this call cannot draw: repeat it with the "
                "same system, and with max_seconds for a black box"
            )
        fresh = plan.renewal.draw(k, math.inf, enough=count)
        data = data if fresh is None else data.and_fresh(fresh)
    return data


def batch_losses(
    networks: Networks, plan: Plan, drawn: Drawn, generator: torch.Generator, window: int
) -> dict[str, Tensor]:
    """The unweighted losses of one batch of each kind of data that there is."""
    data, config = plan.data, plan.config
    losses: dict[str, Tensor] = {}
    if data.snapshots is not None:
        windows = data.snapshots.draw(config.window_batch, window, generator, data.stride)
        if drawn.flows is not None:
            windows = windows.beside(
                drawn.flows.draw(config.window_batch, min(window, drawn.flows.longest_window), generator)
            )
        losses |= data_losses(networks, windows, data.spreads, data.substeps)
    if drawn.collocation is not None:
        points = drawn.collocation.draw(config.collocation_batch, generator)
        losses |= physics_losses(networks, points, data.spreads)
    return losses


def finite_step(
    optimiser: torch.optim.Optimizer, parameters: Sequence[Tensor], losses: dict[str, Tensor], plan: Plan
) -> bool:
    """One optimiser step down the weighted sum of `losses`; False, and no step, where the gradient is not finite."""
    weights = asdict(plan.weights)
    terms = [weights[name] * loss for name, loss in losses.items() if weights[name] > 0.0]
    if not terms:
        return True
    total = torch.stack(terms).sum()
    optimiser.zero_grad()
    total.backward()
    norm = torch.nn.utils.clip_grad_norm_(parameters, plan.config.gradient_clip)
    if not torch.isfinite(norm):
        return False
    optimiser.step()
    return True


def rate_factor(progress: float) -> float:
    """Learning rate in shares of its peak: a linear warm-up, then half a cosine down to zero."""
    warm = min(1.0, (progress + 1e-3) / WARM_UP)
    return warm * 0.5 * (1.0 + math.cos(math.pi * progress))


def window_steps(window: int, stride: int) -> int:
    """Runge-Kutta steps of the longest window, of `window` intervals between snapshots."""
    return max(min(window, FEWEST_STEPS), round(window / stride))


def window_length(plan: Plan, progress: float) -> int:
    """Steps of a window: from a quarter of the longest at the start to all of them at half of the training."""
    snapshots = plan.data.snapshots
    if snapshots is None:
        return 0
    longest = min(window_steps(plan.config.window, plan.data.stride), snapshots.longest_window // plan.data.stride)
    return max(1, math.ceil(longest * min(1.0, 0.25 + 1.5 * progress)))


def look(
    networks: Networks,
    plan: Plan,
    training: Training,
    losses: dict[str, Tensor],
    progress: float,
    rate: float,
    window: int,
) -> None:
    """Validate, keep the state if it is the best so far, tell the callbacks, and say whether to stop."""
    found = validate(networks, plan.held_out, plan.data.spreads, plan.data.substeps)
    if found.beats(training.best, training.start):
        training.best_weights, training.best, training.best_step = weights_of(networks), found, training.step
    row = Progress(
        step=training.step,
        seconds=training.seconds,
        progress=min(progress, 1.0),
        learning_rate=rate,
        window=window,
        losses={name: float(loss.detach()) for name, loss in losses.items()},
        validation_error=found.error,
        best_validation_error=training.best.error,
    )
    training.rows.append(row)
    log.info(
        "step %d, %.0f s: validation error %.3e (best %.3e)", row.step, row.seconds, found.error, training.best.error
    )
    asked = [callback(row) is True for callback in plan.callbacks]
    stale = sum(r.step > training.best_step for r in training.rows)
    if progress >= 1.0:
        training.stopped = "finished"
    elif any(asked):
        training.stopped = "callback"
    elif plan.config.patience is not None and stale >= plan.config.patience:
        training.stopped = "patience"
    elif training.recoveries > MAX_RECOVERIES:
        training.stopped = "diverged"


def recover(networks: Networks, plan: Plan, training: Training) -> torch.optim.Optimizer:
    """Return to the best state with a fresh optimiser and half the learning rate."""
    training.recoveries += 1
    training.peak_rate *= 0.5
    networks.load_state_dict(training.best_weights)
    log.warning("no finite gradient at step %d: back to the best state, learning rate halved", training.step)
    return make_optimiser(networks, plan.config.optimizer, training.peak_rate)


def make_optimiser(networks: Networks, name: str, rate: float) -> torch.optim.Optimizer:
    """SOAP (Vyas et al. 2024: Adam in the eigenbasis of Shampoo's preconditioner) or Adam.

    The closed-form parts learn at `CLOSED_FORM_SHARE` of the rate of the corrections: both optimisers move every weight
    by about the rate, however small its gradient, and would shake a good start to pieces.
    """
    corrections = {id(p) for module in networks.modules() if isinstance(module, MLP) for p in module.parameters()}
    trainable = [p for p in networks.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if id(p) in corrections], "share": 1.0},
        {"params": [p for p in trainable if id(p) not in corrections], "share": CLOSED_FORM_SHARE},
    ]
    groups = [group for group in groups if group["params"]]
    if name == "adam":
        return torch.optim.Adam(groups, lr=rate)
    from pytorch_optimizer import SOAP

    # Sides longer than 256 (the quadratic parts' from d = 22 on) keep Adam's diagonal: their eigenproblems cost too much.
    return SOAP(
        groups, lr=rate, betas=(0.95, 0.95), weight_decay=0.0, precondition_frequency=10, max_precondition_dim=256
    )


def write(plan: Plan, training: Training, networks: Networks, optimiser: torch.optim.Optimizer) -> None:
    """Write the checkpoint, if one is asked for."""
    if plan.checkpoint is None:
        return
    tensors: dict[str, Tensor] = {}
    record = {f.name: getattr(training, f.name) for f in fields(training) if f.name != "rows"}
    record |= {name: asdict(record[name]) for name in ("best", "start")}
    if training.stopped != "finished":
        record["stopped"] = "running"  # whoever repeats the call wants it to go on
    state = {
        "training": record | {"rows": [asdict(row) for row in training.rows]},
        "networks": dict(networks.state_dict()),
        "optimiser": optimiser.state_dict(),
    }
    document = {"fingerprint": plan.fingerprint, "state": pack(state, tensors)}
    write_sealed(plan.checkpoint, "checkpoint", document, tensors)


def resume(plan: Plan, training: Training, networks: Networks, optimiser: torch.optim.Optimizer) -> None:
    """Continue from the checkpoint. Raises `RomValueError` for one made from other data or another configuration."""
    assert plan.checkpoint is not None
    document, tensors = read_sealed(plan.checkpoint, "checkpoint")
    if document["fingerprint"] != plan.fingerprint:
        raise RomValueError(
            f"checkpoint: {plan.checkpoint} was made from other data, configuration or seed; "
            "repeat the call that made it, or choose another path"
        )
    state = unpack(document["state"], tensors)
    record = state["training"]
    record |= {name: Validation(**record[name]) for name in ("best", "start")}
    record["rows"] = [Progress(**row) for row in record["rows"]]
    for name, value in record.items():
        setattr(training, name, value)
    networks.load_state_dict(state["networks"])
    optimiser.load_state_dict(state["optimiser"])
    log.info("resumed from %s at step %d", plan.checkpoint, training.step)


def weights_of(networks: Networks) -> dict[str, Tensor]:
    """A copy of all weights and buffers."""
    return {name: value.detach().clone() for name, value in networks.state_dict().items()}
