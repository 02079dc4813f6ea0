"""Reduced-order models from known dynamics, data, or both: `rom.fit`, `rom.load`, `rom.evaluate`."""

import systems as _systems

if getattr(_systems, "DISTRIBUTION", None) != "latentrom":
    raise ImportError(
        f"`rom` needs the package `systems` of the distribution latentrom, but found another one at {_systems.__file__}; "
        "install latentrom in an environment of its own, or remove the other package"
    )

from rom import plotting
from rom.autoencoder import Autoencoder
from rom.autoencoding import fit_autoencoder
from rom.config import FitConfig, LossWeights
from rom.convolution import Convolutional
from rom.errors import RomError, RomFileNotFoundError, RomReadError, RomTypeError, RomValueError
from rom.fitting import fit
from rom.latent_quality import latent_quality
from rom.metrics import closed_form_of, evaluate
from rom.model import ReducedOrderModel
from rom.model_file import load, load_autoencoder
from rom.persistence import RomFileError
from rom.training_record import Progress

__all__ = [
    "Autoencoder",
    "Convolutional",
    "FitConfig",
    "LossWeights",
    "Progress",
    "ReducedOrderModel",
    "RomError",
    "RomFileError",
    "RomFileNotFoundError",
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
