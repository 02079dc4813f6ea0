"""A process that takes training steps of one variant on demand.

    python -m steps.worker MODULE VARIANT ARRAYS.npz

It prints a JSON line when it is ready: loss, seconds of the first call, and, for torch, the floating-point operations of
the matrix products of a step. Each number N on its standard input is answered by the processor
seconds of N steps; at the end of the input it prints its peak memory in KiB.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable

import numpy as np


def main() -> None:
    """Make the step, then take steps as standard input asks for them."""
    module, variant, path = sys.argv[1:]
    with np.load(path) as file:
        arrays = dict(file)
    step = getattr(importlib.import_module(f"steps.{module}"), variant)(arrays)
    started = time.perf_counter()
    loss = step()
    ready = {"loss": loss, "seconds": time.perf_counter() - started}
    if not module.startswith("jax"):
        ready["operations"] = operations(step)
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        started = time.process_time()  # a busy machine then costs no variant anything
        for _ in range(int(line)):
            step()
        print(time.process_time() - started, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)


def operations(step: Callable) -> float:
    """Return the floating-point operations of the matrix products of a step, forward and backward."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counter(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if function.overloadpacket in flop_registry:
                self.total += flop_registry[function.overloadpacket](*args, **(kwargs or {}), out_val=result)
            return result

    with Counter() as counter:
        step()
    return float(counter.total)


if __name__ == "__main__":
    main()
