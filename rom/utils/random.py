"""Random generators."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["generator_of", "step_generator"]


def generator_of(seed: int) -> torch.Generator:
    """A CPU generator, of any seed that is not negative."""
    return torch.Generator().manual_seed(seed % 2**63)


def step_generator(seed: int, step: int) -> torch.Generator:
    """The CPU generator of one training step."""
    mixed = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
