"""Reduced-order models from known dynamics, simulation data, or both.

A reduced-order model forecasts a large system dx/dt = f(x; mu, u, t) with few latent states: an encoder z = phi(x), a
latent neural ODE dz/dt = h(z; mu, u, t) and a decoder x = psi(z). `rom.fit` trains it on trajectories and on the
equation itself, at states that no trajectory visits.

To start::

    burgers = systems.Burgers(n=256, viscosity=0.05)
    model = rom.fit(burgers, n_collocation=4096, max_seconds=20)
    forecast = model.forecast(burgers.sample_initial(4), t=[0.0, 1.0, 2.0])

The main functions:

- `fit` returns a `ReducedOrderModel`; `fit_autoencoder` an `Autoencoder`, which has no dynamics.
- `evaluate` measures the errors of forecasts, `latent_quality` how good a latent space is.
- `load` and `load_autoencoder` read what the method `save` wrote.
- `plotting` draws forecasts, trainings and latent spaces.

`FitConfig` and `LossWeights` hold the settings of a fit.
"""

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
