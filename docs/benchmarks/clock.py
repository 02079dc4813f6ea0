"""The clock of the benchmark."""

from __future__ import annotations

import time

import torch


def seconds() -> float:
    """Return processor seconds if there is one thread, otherwise seconds of wall clock.

    Processor seconds do not depend on how busy the machine is. On an idle core the two agree.

    On an idle core the two agree.
    """
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()
