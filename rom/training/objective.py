"""What a training minimises, and how it is validated: the base class of all objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rom.training.score import Score

__all__ = ["Objective"]


class Objective(ABC):
    """Losses and validation of a training.

    A subclass gives its losses and its score. It overrides `window` if it makes rollouts, and `renew` and `resume` if
    its data grow while training goes on.

    Attributes
    ----------
    validated_on : str
        The data that `validate` uses, in words.
    advice : str
        What may help if the networks are no better than a constant.
    """

    validated_on: str
    advice: str

    @abstractmethod
    def losses(self, networks: Any, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        """Compute the unweighted losses of one batch.

        Parameters
        ----------
        networks : EncoderDecoder
            The networks in training.
        generator : torch.Generator
            Generator of this step, on the CPU. The batch depends on nothing else that is random.
        progress : float
            Progress of the training, from 0 to 1.

        Returns
        -------
        dict of str to Tensor
            Scalars by the names of their weights in `LossWeights`.
        """

    @abstractmethod
    def validate(self, networks: Any) -> Score:
        """Return how good the networks are on data that training does not use."""

    def window(self, progress: float) -> int:  # noqa: ARG002
        """Return the number of steps of a rollout at a progress from 0 to 1; 0 without rollouts."""
        return 0

    def renew(self, renewed: Sequence[int], progress: float, seconds: float | None) -> int | None:  # noqa: ARG002
        """Add data if a renewal is due.

        Parameters
        ----------
        renewed : sequence of int
            Number of flows that each renewal so far has added.
        progress : float
            Progress of the training, from 0 to 1.
        seconds : float or None
            Time of the whole training; None for no limit.

        Returns
        -------
        int or None
            Number of flows that were added; None if no renewal is due.
        """
        return None

    def resume(self, renewed: Sequence[int]) -> None:  # noqa: B027 - most objectives have nothing to add
        """Add the data that renewals had added before a checkpoint was written."""

    def warnings(self, best: Score, start: Score) -> list[str]:  # noqa: ARG002
        """Return what users should know of the best score, and of that of the closed form."""
        if not best.useless:
            return []
        return [
            f"the model is no better than a constant: its {best.measure} on {self.validated_on} is "
            f"{best.relative_error:.3g}. {self.advice}"
        ]
