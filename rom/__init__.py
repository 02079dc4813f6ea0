"""Reduced-order models from known dynamics, data, or both: `rom.fit`, `rom.load`, `rom.evaluate`."""

import systems as _systems

if getattr(_systems, "DISTRIBUTION", None) != "latentrom":
    raise ImportError(
        f"`rom` needs the package `systems` of the distribution latentrom, but found another one at {_systems.__file__}; "
        "install latentrom in an environment of its own, or remove the other package"
    )

from rom import plotting
from rom.config import FitConfig, LossWeights
from rom.fitting.fit_autoencoder import fit_autoencoder
from rom.fitting.fit_model import fit
from rom.models.autoencoder import Autoencoder
from rom.models.evaluation import closed_form_of, evaluate
from rom.models.latent_quality import latent_quality
from rom.models.load import load, load_autoencoder
from rom.models.reduced_order_model import ReducedOrderModel
from rom.networks.convolution import Convolutional
from rom.networks.graph import Graph
from rom.networks.implicit import Implicit
from rom.reduction.spline_space import Coordinate
from rom.training.record import Progress
from rom.utils.errors import (
    RomError,
    RomFileError,
    RomFileNotFoundError,
    RomImportError,
    RomReadError,
    RomTypeError,
    RomValueError,
)

__all__ = [
    "Autoencoder",
    "Convolutional",
    "Coordinate",
    "FitConfig",
    "Graph",
    "Implicit",
    "LossWeights",
    "Progress",
    "ReducedOrderModel",
    "RomError",
    "RomFileError",
    "RomFileNotFoundError",
    "RomImportError",
    "RomReadError",
    "RomTypeError",
    "RomValueError",
    "closed_form_of",
    "evaluate",
    "fit",
    "fit_autoencoder",
    "latent_quality",
    "load",
    "load_autoencoder",
    "plotting",
]
