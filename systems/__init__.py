"""Known dynamics dx/dt = f(x; mu, t): systems, samplers of states, simulation, collocation and storage."""

from systems.black_box import from_rhs
from systems.collocation import collocate
from systems.errors import (
    EvaluationError,
    IntegrationError,
    IntegrationWarning,
    SystemsError,
    SystemsFileError,
    SystemsFileNotFoundError,
    SystemsOSError,
    SystemsTypeError,
    SystemsValueError,
)
from systems.integrators import Formulation, LawsonDormandPrince
from systems.ordinary import LiftedDuffing, LiftedLinear, LiftedLorenz, LiftedSystem, Lorenz
from systems.partial import Burgers
from systems.sampling import (
    Box,
    Gaussian,
    InitialStates,
    LatinHypercube,
    Lifted,
    Mixture,
    NearTrajectories,
    Sampler,
    ShortFlows,
    Sobol,
)
from systems.storage import open_trajectories, save_trajectories
from systems.system import Parameter, System
from systems.trajectories import simulate

# Lets `rom` tell this package from others of the same import name.
DISTRIBUTION = "latentrom"

__all__ = [
    "DISTRIBUTION",
    "Box",
    "Burgers",
    "EvaluationError",
    "Formulation",
    "Gaussian",
    "InitialStates",
    "IntegrationError",
    "IntegrationWarning",
    "LatinHypercube",
    "LawsonDormandPrince",
    "Lifted",
    "LiftedDuffing",
    "LiftedLinear",
    "LiftedLorenz",
    "LiftedSystem",
    "Lorenz",
    "Mixture",
    "NearTrajectories",
    "Parameter",
    "Sampler",
    "ShortFlows",
    "Sobol",
    "System",
    "SystemsError",
    "SystemsFileError",
    "SystemsFileNotFoundError",
    "SystemsOSError",
    "SystemsTypeError",
    "SystemsValueError",
    "collocate",
    "from_rhs",
    "open_trajectories",
    "save_trajectories",
    "simulate",
]
