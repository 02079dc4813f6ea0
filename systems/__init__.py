"""Known dynamics dx/dt = f(x; mu, t): systems, sampling, simulation, storage."""

from systems.adapters import from_dysts, from_pde, from_pymor
from systems.catalogue.burgers import Burgers, Burgers2D
from systems.catalogue.chaotic import Lorenz, Lorenz96, Rossler
from systems.catalogue.diffusion import AllenCahn, FitzHughNagumo, Heat, LambdaOmega
from systems.catalogue.fluids import Euler1D, NavierStokes2D
from systems.catalogue.inviscid_burgers import ForcedBurgers, InviscidBurgers
from systems.catalogue.lifted import LiftedSystem
from systems.catalogue.lifted_examples import LiftedDuffing, LiftedLinear, LiftedLorenz
from systems.catalogue.oscillators import Duffing, Pendulum, VanDerPol
from systems.catalogue.periodic import PeriodicSystem
from systems.catalogue.waves import Advection, KortewegDeVries, KuramotoSivashinsky
from systems.collocation import collocate
from systems.driven_system import driven
from systems.errors import (
    EvaluationError,
    ExecutorError,
    IntegrationError,
    IntegrationWarning,
    SystemsError,
    SystemsFileError,
    SystemsFileNotFoundError,
    SystemsImportError,
    SystemsOSError,
    SystemsTypeError,
    SystemsValueError,
)
from systems.flow_sampling import InitialStates, Lifted, NearTrajectories, ShortFlows
from systems.from_function import from_rhs
from systems.input_signals import Signals, as_signals, signals
from systems.integrators import Formulation
from systems.io.open import open_trajectories
from systems.io.write import save_trajectories
from systems.lawson import LawsonDormandPrince
from systems.parameter import Parameter
from systems.sampling import Box, Gaussian, LatinHypercube, Mixture, Sampler, Sobol
from systems.system import System
from systems.trajectories import simulate

# Lets `rom` tell this package from others of the same import name.
DISTRIBUTION = "latentrom"

__all__ = [
    "DISTRIBUTION",
    "Advection",
    "AllenCahn",
    "Box",
    "Burgers",
    "Burgers2D",
    "Duffing",
    "Euler1D",
    "EvaluationError",
    "ExecutorError",
    "FitzHughNagumo",
    "ForcedBurgers",
    "Formulation",
    "Gaussian",
    "Heat",
    "InitialStates",
    "IntegrationError",
    "IntegrationWarning",
    "InviscidBurgers",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "LambdaOmega",
    "LatinHypercube",
    "LawsonDormandPrince",
    "Lifted",
    "LiftedDuffing",
    "LiftedLinear",
    "LiftedLorenz",
    "LiftedSystem",
    "Lorenz",
    "Lorenz96",
    "Mixture",
    "NavierStokes2D",
    "NearTrajectories",
    "Parameter",
    "Pendulum",
    "PeriodicSystem",
    "Rossler",
    "Sampler",
    "ShortFlows",
    "Signals",
    "Sobol",
    "System",
    "SystemsError",
    "SystemsFileError",
    "SystemsFileNotFoundError",
    "SystemsImportError",
    "SystemsOSError",
    "SystemsTypeError",
    "SystemsValueError",
    "VanDerPol",
    "as_signals",
    "collocate",
    "driven",
    "from_dysts",
    "from_pde",
    "from_pymor",
    "from_rhs",
    "open_trajectories",
    "save_trajectories",
    "signals",
    "simulate",
]
