"""The README's first script, run in a process of its own."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runs import Run, seeds

TITLE = "The README's first command"
NOTE = """
`docs/first_forecast.py`: Burgers, 1,024 points, simulated, fitted, and four new states forecast to t = 20, ten training
horizons, with a picture. It prints relative errors of the model and of the closed-form model.
"""
SCRIPT = Path(__file__).parents[2] / "first_forecast.py"


def runs(quick: bool) -> list[Run]:  # noqa: ARG001 - it takes as long as it takes
    """Return the runs of this case."""
    return seeds(1)


def measure(run: Run, quick: bool) -> dict[str, float]:  # noqa: ARG001 - one script, as it is
    """Measure one run."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "burgers.png"
        started = time.perf_counter()
        command = [sys.executable, str(SCRIPT), str(picture)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        figures = {"whole job, s": time.perf_counter() - started, "picture, bytes": float(picture.stat().st_size)}
    figures["rom.fit, simulation included, s"] = float(re.findall(r"fit: ([\d.]+) s", text)[0])
    figures["forecast of 4 states, s"] = float(re.findall(r"forecast of 4 states to t = 20: ([\d.]+) s", text)[0])
    figures["FOM of 4 states, s"] = float(re.findall(r"FOM \(rtol 1e-9\): ([\d.]+) s", text)[0])
    for t, fitted, closed_form in re.findall(r"t =\s+(\d+): ([\d.]+)\s+\(.*: ([\d.]+)\)", text):
        figures[f"relative error at t = {t}, fitted"] = float(fitted)
        figures[f"relative error at t = {t}, closed_form"] = float(closed_form)
    return figures
