"""One fit in a process of its own, which prints figures as JSON: ``python -m steps.one_fit '{"n": 128, ...}'``."""

from __future__ import annotations

import json
import resource
import sys

import rom
import systems


def main(n: int, trajectories: int, points: int, d: int, steps: int) -> dict[str, float]:
    """Fit once and return figures."""
    model = rom.fit(
        systems.Burgers(n=n),
        points,
        n_trajectories=trajectories,
        latent_dim=d,
        config=rom.FitConfig(
            steps=steps, evaluate_system=False
        ),  # the step itself, without flows of the full-order model
        verbose=False,
    )
    facts = model.history.attrs
    return {
        "whole fit, s": facts["seconds"],
        "simulation and preparation, s": facts["seconds"] - facts["training_seconds"],
        "training step, ms": 1e3 * facts["training_seconds"] / facts["steps"],
        "POD rank": model.rank,
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "validation error": facts["validation_error"],
        "validation error, closed form": facts["closed_form_validation_error"],
    }


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
