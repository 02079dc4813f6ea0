"""The training loop: steps, validation, the best state, recovery from divergence, callbacks and checkpoints."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from tqdm import tqdm

from rom.networks.encoder_decoder import EncoderDecoder
from rom.training.checkpoint import resume, write
from rom.training.objective import Objective
from rom.training.optimiser import make_optimiser, peak_learning_rate, rate_factor
from rom.training.record import Progress, TrainingRecord
from rom.training.run import FitRun
from rom.utils.random import step_generator

__all__ = ["DEFAULT_STEPS", "Schedule", "train"]

log = logging.getLogger("rom")

DEFAULT_STEPS = 2000  # if neither steps nor a time limit are given
MAX_RECOVERIES = 5  # returns to the best state, after which training ends
MAX_FAILURES = 3  # steps in a row without a finite gradient, after which training returns to the best state


@dataclass(frozen=True)
class Schedule:
    """When a training ends: after a number of steps, after a time, or both.

    Attributes
    ----------
    steps : int or None
        Number of steps; None for `DEFAULT_STEPS`, or for as many as the time allows where that is limited.
    seconds : float or None
        Wall-clock time of the training alone; None for no limit.
    """

    steps: int | None = None
    seconds: float | None = None

    def progress(self, step: int, seconds: float) -> float:
        """Return the progress after a number of steps and seconds: 0 at the start, 1 or more at the end."""
        steps = self.steps or (None if self.seconds else DEFAULT_STEPS)
        by_steps = step / steps if steps else 0.0
        by_clock = seconds / self.seconds if self.seconds else 0.0
        return max(by_steps, by_clock)


def train(
    networks: EncoderDecoder,
    objective: Objective,
    run: FitRun,
    *,
    correction: float = 1.0,
    fingerprint: str = "",
    seconds: float | None = None,
) -> TrainingRecord:
    """Train networks in place and leave them at the best state seen on the held-out data.

    The closed-form model that training starts from is validated first. Another state replaces it only if its score beats
    that of the closed form (`Score.beats`). Ctrl-C ends the training and keeps the best state.

    Parameters
    ----------
    networks : EncoderDecoder
        The networks, equal to the closed-form model.
    objective : Objective
        The losses to minimise, and the validation.
    run : FitRun
        Settings of the fit.
    correction : float
        Expected size of the corrections, in standard deviations of the states. A small one lowers the learning rate.
    fingerprint : str
        Digest of data and settings. A checkpoint with another fingerprint is refused.
    seconds : float or None
        Wall-clock time for the training alone; None for no limit, 0 for no training.

    Returns
    -------
    TrainingRecord
        Scores, losses by step, and why the training ended.

    Raises
    ------
    RomValueError
        If the checkpoint was made from other data or settings.
    """
    rate = peak_learning_rate(run.config.learning_rate, correction)
    optimiser = make_optimiser(networks, run.config.optimizer, rate)
    start = objective.validate(networks)
    record = TrainingRecord(copy_of_weights(networks), best=start, start=start, peak_rate=rate)
    if run.checkpoint is not None and run.checkpoint.exists():
        resume(run.checkpoint, fingerprint, record, networks, optimiser)
    if seconds == 0.0 and record.step == 0:
        record.stopped = "no time"
    loop = TrainingLoop(networks, objective, run, Schedule(run.config.steps, seconds), fingerprint, record, optimiser)
    try:
        loop.run_to_the_end()
    except KeyboardInterrupt:
        record.stopped = "interrupted"
        log.warning("interrupted at step %d; keeping the best model, of step %d", record.step, record.best_step)
    networks.load_state_dict(record.best_weights)
    for message in objective.warnings(record.best, record.start):
        log.warning("%s", message)
    return record


@dataclass
class TrainingLoop:
    """A training under way.

    Attributes
    ----------
    networks : EncoderDecoder
        The networks, trained in place.
    objective : Objective
        The losses to minimise, and the validation.
    run : FitRun
        Settings of the fit.
    schedule : Schedule
        When the training ends.
    fingerprint : str
        Digest of data and settings, for the checkpoint.
    record : TrainingRecord
        The state of the training, which changes.
    optimiser : torch.optim.Optimizer
        The optimiser. A recovery replaces it.
    """

    networks: EncoderDecoder
    objective: Objective
    run: FitRun
    schedule: Schedule
    fingerprint: str
    record: TrainingRecord
    optimiser: torch.optim.Optimizer

    @property
    def progress(self) -> float:
        """Progress of the training: 0 at the start, 1 or more at the end."""
        return self.schedule.progress(self.record.step, self.record.seconds)

    @cached_property
    def parameters(self) -> list[nn.Parameter]:
        """All trainable parameters."""
        return [p for p in self.networks.parameters() if p.requires_grad]

    def run_to_the_end(self) -> None:
        """Take steps, and validate at equal distances, until there is a reason to stop."""
        record, n_validations = self.record, self.run.config.validations
        self.objective.resume(record.renewed)
        started = time.monotonic() - record.seconds
        next_validation = next_multiple(self.progress, n_validations)
        failures = 0
        layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
        with tqdm(total=1.0, desc="fit", disable=not self.run.verbose, bar_format=layout) as bar:
            while record.stopped == "running":
                progress = min(self.progress, 1.0)  # before the step
                rate = self.set_learning_rate(progress)
                n_flows = self.objective.renew(record.renewed, progress, self.schedule.seconds)
                if n_flows is not None:
                    record.renewed.append(n_flows)
                losses = self.objective.losses(self.networks, step_generator(self.run.seed, record.step), progress)
                failures = 0 if self.take_step(losses) else failures + 1
                if failures >= MAX_FAILURES:
                    self.recover()
                    failures = 0
                record.step += 1
                record.seconds = time.monotonic() - started
                if self.progress < min(next_validation, 1.0):
                    continue
                self.validate_and_record(losses, rate, self.objective.window(progress))
                if self.run.checkpoint is not None:
                    write(self.run.checkpoint, self.fingerprint, record, self.networks, self.optimiser)
                next_validation = next_multiple(self.progress, n_validations)
                bar.update(min(self.progress, 1.0) - bar.n)
                bar.set_postfix_str(f"validation error {record.best.error:.2e}")

    def set_learning_rate(self, progress: float) -> float:
        """Set the learning rate of every group of parameters. Return that of the corrections."""
        rate = self.record.peak_rate * rate_factor(progress)
        for group in self.optimiser.param_groups:
            group["lr"] = group["share"] * rate
        return rate

    def take_step(self, losses: dict[str, Tensor]) -> bool:
        """Take an optimiser step down the weighted sum of the losses.

        Returns False, and takes no step, if the gradient is not finite.
        """
        weights = self.run.weights
        terms = [weights.of(name) * loss for name, loss in losses.items() if weights.of(name) > 0.0]
        if not terms:
            return True
        self.optimiser.zero_grad()
        torch.autograd.backward(torch.stack(terms).sum())
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.run.config.gradient_clip)
        if not torch.isfinite(norm):
            return False
        self.optimiser.step()
        return True

    def recover(self) -> None:
        """Return to the best state with a fresh optimiser and half the learning rate."""
        record = self.record
        record.recoveries += 1
        record.peak_rate *= 0.5
        self.networks.load_state_dict(record.best_weights)
        log.warning(
            "no finite gradient at step %d: back to the best state, learning rate halved; if this repeats, lower "
            "FitConfig.learning_rate",
            record.step,
        )
        self.optimiser = make_optimiser(self.networks, self.run.config.optimizer, record.peak_rate)

    def validate_and_record(self, losses: dict[str, Tensor], rate: float, window: int) -> None:
        """Validate, keep the state if it is the best so far, call the callbacks, and note a reason to stop."""
        record = self.record
        score = self.objective.validate(self.networks)
        if score.beats(record.best, record.start):
            record.best_weights, record.best, record.best_step = copy_of_weights(self.networks), score, record.step
        row = Progress(
            step=record.step,
            seconds=record.seconds,
            progress=min(self.progress, 1.0),
            learning_rate=rate,
            window=window,
            losses={name: float(loss.detach()) for name, loss in losses.items()},
            validation_error=score.error,
            best_validation_error=record.best.error,
        )
        record.rows.append(row)
        log.info(
            "step %d, %.0f s: validation error %.3e (best %.3e)",
            row.step, row.seconds, row.validation_error, row.best_validation_error,
        )  # fmt: skip
        asked_to_stop = [callback(row) is True for callback in self.run.callbacks]  # all of them are called
        record.stopped = self.reason_to_stop(any(asked_to_stop))

    def reason_to_stop(self, asked_to_stop: bool) -> str:
        """Return why the training ends here, or "running"."""
        record, patience = self.record, self.run.config.patience
        without_improvement = sum(row.step > record.best_step for row in record.rows)
        if self.progress >= 1.0:
            return "finished"
        if asked_to_stop:
            return "callback"
        if patience is not None and without_improvement >= patience:
            return "patience"
        if record.recoveries > MAX_RECOVERIES:
            return "diverged"
        return "running"


def next_multiple(progress: float, n_validations: int) -> float:
    """Return the first multiple of ``1 / n_validations`` beyond `progress`.

    It is computed anew each time, so that a resumed training validates at the same steps.
    """
    return (math.floor(progress * n_validations + 1e-6) + 1) / n_validations


def copy_of_weights(networks: EncoderDecoder) -> dict[str, Tensor]:
    """Return a copy of all weights and buffers."""
    return {name: value.detach().clone() for name, value in networks.state_dict().items()}
