"""What every system promises: array kinds, dtypes, shapes, labels, and words when it refuses."""

import pkgutil
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import array_api_strict
import numpy as np
import pytest
import torch
import xarray as xr

import systems

VALUE, TYPE = systems.SystemsValueError, systems.SystemsTypeError

BUILT_IN = [
    systems.Lorenz(),
    systems.LiftedLorenz(),
    systems.LiftedDuffing(),
    systems.LiftedLinear(),
    systems.Duffing(),
    systems.VanDerPol(),
    systems.Pendulum(),
    systems.Rossler(),
    systems.Lorenz96(),
    systems.Burgers(n=64),
    systems.Burgers(n=63, initial="mixed"),
    systems.Burgers2D(n=16),
    systems.InviscidBurgers(n=60),
    systems.ForcedBurgers(n=64),
    systems.Advection(n=64),
    systems.Heat(n=32),
    systems.KortewegDeVries(n=64),
    systems.KuramotoSivashinsky(n=32),
    systems.AllenCahn(n=63),
    systems.FitzHughNagumo(n=32),
    systems.LambdaOmega(n=16),
    systems.NavierStokes2D(n=20),
    systems.Euler1D(n=64),
]
each_system = pytest.mark.parametrize("system", BUILT_IN, ids=lambda s: s.name)


@each_system
def test_built_in_systems_keep_the_contract(system):
    system.verify()
    assert isinstance(system.name, str)
    assert system.citation
    assert system.default_n_trajectories > 1
    assert system.time_scale > 0
    assert np.all(np.diff(system.default_times) > 0)
    assert system.n_states == np.prod(system.shape)


@pytest.mark.parametrize(
    "make",
    sorted({type(system) for system in BUILT_IN}, key=lambda make: make.__name__),
    ids=lambda make: make.__name__,
)
def test_every_system_can_be_made_without_arguments(make):
    assert make() == make()


@each_system
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rhs_is_written_in_the_array_standard_alone(system, dtype):
    x = np.asarray(system.sample_initial(3)).astype(dtype)
    strict = array_api_strict.asarray(x)
    for arguments in [(), ({},), ({p.name: p.default for p in system.parameters},)]:
        f = system.rhs(strict, *arguments)
        assert type(f) is type(strict)
        assert f.dtype == getattr(array_api_strict, dtype)
        np.testing.assert_allclose(np.asarray(f), system.rhs(x), rtol=1e-5 if dtype == "float32" else 1e-13)


@each_system
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_torch_gives_the_same_values_in_the_same_dtype(system, dtype, leading):
    x = np.asarray(system.sample_initial(6)).reshape(2, 3, *system.shape)
    x = x[(0,) * (2 - len(leading))]
    f = system.rhs(torch.asarray(x, dtype=dtype))
    assert f.dtype == dtype
    assert f.shape == x.shape
    reference = system.rhs(x)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    assert np.abs(f.numpy() - reference).max() <= tolerance * np.abs(reference).max()


@each_system
def test_numpy_dtype_is_kept(system):
    x = np.asarray(system.sample_initial(2))
    assert system.rhs(x).dtype == np.float64
    assert system.rhs(x.astype(np.float32)).dtype == np.float32


@each_system
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_forward_derivatives_pass_through_f(system):
    x = torch.asarray(np.asarray(system.sample_initial(3)))
    v = torch.asarray(np.asarray(system.sample_initial(3, seed=9)))
    _, jvp = torch.func.jvp(system.rhs, (x,), (v,))
    h = 1e-6
    by_differences = (system.rhs(x + h * v) - system.rhs(x - h * v)) / (2 * h)
    assert torch.abs(jvp - by_differences).max() <= 1e-4 * torch.abs(by_differences).max()
    mapped = torch.func.vmap(system.rhs)(x)
    torch.testing.assert_close(mapped, system.rhs(x))


def test_gradients_pass_through_parameters():
    lorenz = systems.Lorenz()
    x = torch.asarray([[1.0, 2.0, 3.0]], dtype=torch.float64)
    mu = torch.asarray([10.0, 28.0, 8 / 3], dtype=torch.float64, requires_grad=True)
    lorenz.rhs(x, mu).sum().backward()
    assert mu.grad is not None
    np.testing.assert_allclose(mu.grad.numpy(), [1.0, 1.0, -3.0])


@each_system
def test_initial_states_are_labelled_and_prefix_stable(system):
    x = system.sample_initial(5, seed=2)
    assert isinstance(x, xr.DataArray)
    assert x.dims == ("trajectory", *system.dims)
    assert x["trajectory"].values.tolist() == [0, 1, 2, 3, 4]
    for dim, values in system.coords.items():
        np.testing.assert_array_equal(x[dim].values, values)
    np.testing.assert_array_equal(x.values[:2], system.sample_initial(2, seed=2).values)
    if system.name != "ForcedBurgers":  # it starts from one state
        assert not np.array_equal(x.values, system.sample_initial(5, seed=3).values)


@each_system
def test_labelled_states_give_labelled_derivatives(system):
    x = system.sample_initial(2)
    f = system.rhs(x.transpose())
    assert f.dims == x.dims
    np.testing.assert_array_equal(f.values, system.rhs(x.values))


@each_system
def test_default_sampler_gives_states(system):
    assert system.sampler(7, 0).shape == (7, *system.shape)
    assert np.isfinite(system.rhs(system.sampler(7, 0))).all()


def test_importing_systems_does_not_load_torch():
    code = (
        "import sys, systems, numpy as np; s = systems.Lorenz(); systems.simulate(s, 2, [0.0, 0.1]); "
        "systems.collocate(s, 3); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_package_names():
    assert systems.DISTRIBUTION == "latentrom"
    assert all(hasattr(systems, name) for name in systems.__all__)


def test_no_module_takes_the_name_of_a_public_object():
    """Importing a module `systems.NAME` would replace the attribute `NAME` of the package."""
    assert not {module.name for module in pkgutil.iter_modules(systems.__path__)} & set(systems.__all__)
    assert callable(systems.driven)
    assert callable(systems.signals)


# A system of one's own, and what verify() finds


@dataclass(frozen=True)
class Decay(systems.System):
    rate: float = 1.0
    fault: str = ""

    name: ClassVar[str] = "Decay"
    dims: ClassVar[tuple[str, ...]] = ("i",)
    shape: ClassVar[tuple[int, ...]] = (4,)

    def _rhs(self, x, mu, t, xp):  # noqa: ARG002
        if self.fault == "shape":
            return x[..., :2]
        if self.fault == "dtype":
            return xp.astype(-self.rate * x, xp.float64)
        if self.fault == "finite":
            return x / (x - x)
        if self.fault == "batch":
            return -x / xp.max(xp.abs(x))
        if self.fault == "torch":
            return -x if xp.__name__.endswith("numpy") else -1.5 * x
        if self.fault == "inplace":
            x *= 2.0
        return -self.rate * x

    def _initial(self, n, seed):
        if self.fault == "seed":
            return np.random.default_rng([seed, n]).random((n, 4))
        return np.random.default_rng(seed).random((n, 4)) + 0.5


def test_own_system_needs_little():
    decay = Decay()
    decay.verify()
    runs = systems.simulate(decay, 3, [0.0, 1.0])
    np.testing.assert_allclose(runs["state"][:, 1], np.exp(-1) * runs["state"][:, 0], rtol=1e-8)
    assert systems.collocate(decay, 10)["state"].shape == (10, 4)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("shape", r"rhs of states \(3, 4\) returned shape \(3, 2\)"),
        ("dtype", "rhs of float32 returned float64"),
        ("finite", "rhs is not finite at an initial state"),
        ("batch", "rhs of a batch differs from rhs of single states"),
        ("torch", "torch and NumPy differ"),
        ("inplace", "rhs changes x in place"),
        ("seed", r"sample_initial\(2\) differs from the first 2 of sample_initial\(3\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:divide by zero:RuntimeWarning")
def test_verify_says_what_is_wrong(fault, message):
    with pytest.raises(systems.SystemsError, match=f"Decay: .*{message}"):
        Decay(fault=fault).verify()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (np.zeros((2, 4)),),
            VALUE,
            r"x must have shape \(..., 3\) for the system 'Lorenz', got \(2, 4\)",
        ),
        ((np.float64(1.0),), VALUE, r"got \(\)"),
        (
            (np.zeros(3, dtype=int),),
            TYPE,
            "x must hold real floating-point numbers, got int64",
        ),
        ((np.zeros(3, dtype=complex),), TYPE, "got complex128"),
        ((np.array([None] * 3),), TYPE, "got object"),
        (([0.0, 0.0, 0.0],), TYPE, "x must be a NumPy, torch or other array, got list"),
        ((np.zeros(3), {"roh": 1.0}), VALUE, "no parameter 'roh'; did you mean 'rho'"),
        ((np.zeros(3), np.zeros(2)), VALUE, r"mu must have shape \(..., 3\).*got \(2,\)"),
        ((np.zeros(3), "rho"), TYPE, "mu must be a number or an array of numbers"),
        (
            (xr.DataArray(np.zeros(3), dims="x"),),
            VALUE,
            r"must have the dimensions \('comp",
        ),
    ],
)
def test_rhs_refuses_in_plain_words(arguments, error, message):
    with pytest.raises(error, match=message):
        systems.Lorenz().rhs(*arguments)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: systems.Lorenz().sample_initial(0),
            VALUE,
            "n must be at least 1, got 0",
        ),
        (
            lambda: systems.Lorenz().sample_initial(2.5),
            TYPE,
            "n must be an integer, got 2.5",
        ),
        (
            lambda: systems.Lorenz().sample_initial(2, -1),
            VALUE,
            "seed must be at least 0",
        ),
        (
            lambda: systems.Parameter("a b", 1, 0, 2),
            VALUE,
            "Python identifier, got 'a b'",
        ),
        (
            lambda: systems.Parameter("a", 3, 0, 2),
            VALUE,
            "'a' needs low <= default <= high",
        ),
        (lambda: systems.Parameter("a", 1, 0, np.inf), VALUE, "high of the parameter 'a' must be finite, got inf"),
    ],
)
def test_other_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
