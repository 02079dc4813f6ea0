"""The clock of the benchmark."""

from __future__ import annotations

import time

import torch


def seconds() -> float:
    """Processor seconds where there is one thread, so that a busy machine costs no method anything; else wall clock.

    On an idle core the two agree.
    """
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()
