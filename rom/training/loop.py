"""The training loop, whatever its objective: optimiser, schedule, best state, recovery from divergence, callbacks."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from rom.config import FitConfig, LossWeights
from rom.networks.encoder_decoder import EncoderDecoder
from rom.training.checkpoint import resume, write
from rom.training.optimiser import make_optimiser, rate_factor
from rom.training.record import Progress, Training
from rom.training.validation import Validation
from rom.utils.random import step_generator

__all__ = ["DEFAULT_STEPS", "Objective", "Plan", "expected_correction", "train"]

log = logging.getLogger("rom")

DEFAULT_STEPS = 2000
LARGE_CORRECTION = 0.25  # of the spread of the states: from here on training takes the whole learning rate
MAX_RECOVERIES = 5
PATIENT_STEPS = 3  # steps in a row without a finite gradient before the best state is taken back


class Objective(Protocol):
    """What a training minimises, and what tells how good its networks are."""

    @property
    def validated_on(self) -> str:
        """Which data `validate` looks at."""
        ...

    @property
    def advice(self) -> str:
        """What may help where the networks are no better than a constant."""
        ...

    def losses(self, networks: Any, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """The unweighted losses of one batch, which depends on the generator alone."""
        ...

    def validate(self, networks: Any) -> Validation:
        """How good the networks are on data that they do not see."""
        ...

    def window(self, progress: float) -> int:
        """Steps of the rollouts; 0 without any."""
        ...

    def renew(self, renewed: list[int], progress: float, seconds: float | None) -> None:
        """Add to the data what is due, and to the record `renewed` how much that was."""
        ...

    def resume(self, renewed: Sequence[int]) -> None:
        """Add what `renew` had added by a record."""
        ...


@dataclass(frozen=True)
class Plan:
    """Everything about a training that is fixed before it starts."""

    objective: Objective
    weights: LossWeights
    config: FitConfig
    correction: float = 1.0  # that is expected, in spreads of the states: where the start is good, steps are small
    seed: int = 0
    seconds: float | None = None  # of wall clock, for the training alone
    checkpoint: Path | None = None
    fingerprint: str = ""  # of data and configuration: a checkpoint of another one is refused
    callbacks: Sequence[Callable[[Progress], Any]] = ()
    verbose: bool = False

    def progress(self, step: int, seconds: float) -> float:
        """Where the training stands between 0 and 1: by steps or by the clock, whichever is further."""
        steps = self.config.steps or (None if self.seconds else DEFAULT_STEPS)
        by_steps = step / steps if steps else 0.0
        by_clock = seconds / self.seconds if self.seconds else 0.0
        return max(by_steps, by_clock)


def expected_correction(error: float) -> float:
    """The size of the corrections that networks must learn: some times the relative error of the closed form.

    `error` is its mean square in shares of the variance. Corrections start at this size, and for small ones the learning rate is
    smaller: a good start is not shaken to pieces.
    """
    return min(1.0, 3.0 * math.sqrt(error))


def train(networks: EncoderDecoder, plan: Plan) -> Training:
    """Train `networks` in place and leave them at the best state seen on the held-out data. Returns the record.

    The first look at the held-out data is at the closed-form model that training starts from, and what is kept in its
    place has to beat it there (`Validation.beats`). Ctrl-C ends the training and keeps the best state.
    """
    rate = min(1.0, plan.correction / LARGE_CORRECTION) * plan.config.learning_rate
    optimiser = make_optimiser(networks, plan.config.optimizer, rate)
    start = plan.objective.validate(networks)
    training = Training(weights_of(networks), best=start, start=start, peak_rate=rate)
    if plan.checkpoint is not None and plan.checkpoint.exists():
        resume(plan.checkpoint, plan.fingerprint, training, networks, optimiser)
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
            "the model is no better than a constant: the median error of %s is %.3g of their spread. %s",
            plan.objective.validated_on, training.best.median, plan.objective.advice,
        )  # fmt: skip
    return training


def run(networks: EncoderDecoder, optimiser: torch.optim.Optimizer, plan: Plan, training: Training, bar: tqdm) -> None:
    """Steps, with a look at the held-out data at even distances, until the plan is done or a reason to stop appears."""
    config = plan.config
    parameters = [p for p in networks.parameters() if p.requires_grad]
    plan.objective.resume(training.renewed)
    started = time.monotonic() - training.seconds
    next_look = after(plan.progress(training.step, training.seconds), config.validations)
    failures = 0
    while training.stopped == "running":
        progress = began = min(plan.progress(training.step, training.seconds), 1.0)
        rate = training.peak_rate * rate_factor(progress)
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * rate
        plan.objective.renew(training.renewed, progress, plan.seconds)
        losses = plan.objective.losses(networks, step_generator(plan.seed, training.step), progress)
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
            validate_and_record(networks, plan, training, losses, progress, rate, plan.objective.window(began))
            if plan.checkpoint is not None:
                write(plan.checkpoint, plan.fingerprint, training, networks, optimiser)
            next_look = after(progress, config.validations)
            bar.update(min(progress, 1.0) - bar.n)
            bar.set_postfix_str(f"validation error {training.best.error:.2e}")


def after(progress: float, looks: int) -> float:
    """The first k / looks beyond `progress`: found anew each time, so that a resumed training looks at the same steps."""
    return (math.floor(progress * looks + 1e-6) + 1) / looks


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


def validate_and_record(
    networks: EncoderDecoder,
    plan: Plan,
    training: Training,
    losses: dict[str, Tensor],
    progress: float,
    rate: float,
    window: int,
) -> None:
    """Validate, keep the state if it is the best so far, tell the callbacks, and say whether to stop."""
    found = plan.objective.validate(networks)
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


def recover(networks: EncoderDecoder, plan: Plan, training: Training) -> torch.optim.Optimizer:
    """Return to the best state with a fresh optimiser and half the learning rate."""
    training.recoveries += 1
    training.peak_rate *= 0.5
    networks.load_state_dict(training.best_weights)
    log.warning("no finite gradient at step %d: back to the best state, learning rate halved", training.step)
    return make_optimiser(networks, plan.config.optimizer, training.peak_rate)


def weights_of(networks: EncoderDecoder) -> dict[str, Tensor]:
    """A copy of all weights and buffers."""
    return {name: value.detach().clone() for name, value in networks.state_dict().items()}
