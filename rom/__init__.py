"""Reduced-order models from known dynamics, data, or both: `rom.fit`, `rom.load`, `rom.evaluate`."""

import systems as _systems

if getattr(_systems, "DISTRIBUTION", None) != "latentrom":
    raise ImportError(
        f"`rom` needs the package `systems` of the distribution latentrom, but found another one at {_systems.__file__}; "
        "install latentrom in an environment of its own, or remove the other package"
    )

from rom.config import FitConfig, LossWeights  # noqa: E402
from rom.errors import RomError, RomFileNotFoundError, RomTypeError, RomValueError  # noqa: E402
from rom.fitting import fit  # noqa: E402
from rom.metrics import closed_form_of, evaluate  # noqa: E402
from rom.model import ReducedOrderModel  # noqa: E402
from rom.model_file import load  # noqa: E402
from rom.persistence import RomFileError  # noqa: E402
from rom.training import Progress  # noqa: E402

__all__ = [
    "FitConfig",
    "LossWeights",
    "Progress",
    "ReducedOrderModel",
    "RomError",
    "RomFileError",
    "RomFileNotFoundError",
    "RomTypeError",
    "RomValueError",
    "closed_form_of",
    "evaluate",
    "fit",
    "load",
]
