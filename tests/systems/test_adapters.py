"""Systems of other packages, where these are installed: extra `adapters`."""

import pickle
import sys

import numpy as np
import pytest

import systems

VALUE, TYPE = systems.SystemsValueError, systems.SystemsTypeError


@pytest.mark.parametrize(
    ("module", "make", "message"),
    [
        (
            "dysts.flows",
            lambda: systems.from_dysts("Lorenz"),
            "dysts is not installed; pip install 'latentrom.adapters.'",
        ),
        ("pde", lambda: systems.from_pde(None, None), "py-pde is not installed"),
        ("pymor.models.basic", lambda: systems.from_pymor(None), "pymor is not installed"),
    ],
)
def test_a_package_that_is_not_there(monkeypatch, module, make, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(systems.SystemsImportError, match=message):
        make()


# -- dysts ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def flows():
    pytest.importorskip("dysts")
    from dysts import flows

    return flows


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["Lorenz", "Rossler", "Thomas", "Lorenz96", "Hopfield", "ForcedVanDerPol"])
def test_f_of_dysts_is_the_flows_own(flows, name):
    flow = getattr(flows, name)()
    system = systems.from_dysts(name)
    system.verify()
    assert (system.name, system.n_states, system.time_scale) == (name, flow.dimension, flow.period)
    x = system.sample_initial(4, seed=1).values
    np.testing.assert_allclose(system.rhs(x, t=0.7), np.stack([flow.rhs(state, 0.7) for state in x]), rtol=1e-12)


def test_parameters_of_dysts(flows):
    system = systems.from_dysts(flows.Rossler())
    x = systems.Rossler().sample_initial(5).values
    mu = {"a": np.linspace(0.15, 0.25, 5), "b": 0.3, "c": 5.0}
    np.testing.assert_allclose(system.rhs(x, mu), systems.Rossler().rhs(x, mu), rtol=1e-12)
    np.testing.assert_allclose(
        system.rhs(x[0], {"a": 0.2, "b": 0.3, "c": 5.0}), systems.Rossler(b=0.3, c=5.0).rhs(x[0])
    )
    first = system.parameters[0]
    assert (first.name, first.low, first.high) == ("a", pytest.approx(0.18), pytest.approx(0.22))


def test_initial_states_of_dysts_lie_on_the_attractor(flows):  # noqa: ARG001
    x = systems.from_dysts("Lorenz").sample_initial(300).values
    own = systems.Lorenz().sample_initial(300).values
    np.testing.assert_allclose(x.std(axis=0), own.std(axis=0), rtol=0.15)


@pytest.mark.parametrize(
    ("flow", "error", "message"),
    [
        ("Rosler", VALUE, "unknown flow 'Rosler'; did you mean 'Rossler'"),
        ("MackeyGlass", VALUE, "MackeyGlass has a delay"),
        (3, TYPE, "flow must be a dysts.base.DynSys or the name of one, got int"),
    ],
)
def test_flows_that_cannot_be_used(flows, flow, error, message):  # noqa: ARG001
    with pytest.raises(error, match=message):
        systems.from_dysts(flow)


# -- py-pde -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pde():
    return pytest.importorskip("pde")


def test_f_of_py_pde_is_the_equations_own(pde):
    """Allen-Cahn's equation by central differences there and by Fourier modes here: they agree to second order."""
    grid = pde.CartesianGrid([[-1, 1]], 512, periodic=True)
    equation = pde.PDE({"u": "0.0025 * laplace(u) + u - u**3"})
    twin = systems.AllenCahn(n=512)
    system = systems.from_pde(equation, pde.ScalarField(grid), sampler=systems.InitialStates(twin))
    assert (system.dims, system.shape) == (("x",), (512,))
    np.testing.assert_allclose(system.coords["x"], twin.coords["x"] + 1 / 512)
    system.verify()
    x = twin.sample_initial(3).values
    assert np.abs(system.rhs(x) - twin.rhs(x)).max() < 1e-2 * np.abs(twin.rhs(x)).max()
    runs = systems.simulate(system, t=[0.0, 0.5], initial=x)["state"].values
    np.testing.assert_allclose(runs, systems.simulate(twin, t=[0.0, 0.5], initial=x)["state"].values, atol=2e-3)
    again = pickle.loads(pickle.dumps(system))
    np.testing.assert_array_equal(again.rhs(x), system.rhs(x))


def test_fields_of_a_collection_keep_their_labels(pde):
    grid = pde.CartesianGrid([[0, 1], [0, 2]], [6, 8], periodic=[True, False])
    equation = pde.PDE({"u": "laplace(u) - v", "v": "u"})
    state = pde.FieldCollection([pde.ScalarField(grid), pde.ScalarField(grid)], labels=["u", "v"])
    system = systems.from_pde(equation, state, sampler=systems.Box(np.zeros((2, 6, 8)), np.ones((2, 6, 8))))
    assert (system.dims, system.shape) == (("component", "x", "y"), (2, 6, 8))
    assert system.coords["component"].tolist() == ["u", "v"]
    x = system.sample_initial(2).values
    state.data = x[0]
    np.testing.assert_allclose(system.rhs(x)[0], equation.evolution_rate(state, 0.0).data)
    vector = systems.from_pde(pde.DiffusionPDE(), pde.VectorField(grid))
    assert (vector.dims, vector.shape) == (("component", "x", "y"), (2, 6, 8))


def test_equations_that_cannot_be_used(pde):
    state = pde.ScalarField(pde.UnitGrid([8]))
    for equation, message in [
        (pde.PDE({"u": "laplace(u)"}, noise=0.1), "equation has noise"),
        (pde.PDE({"u": "I * laplace(u)"}), "equation is complex"),
        (pde.PDE({"u": "laplace(u) + t"}), "equation depends on time.*give t to freeze it"),
    ]:
        with pytest.raises(VALUE, match=message):
            systems.from_pde(equation, state)
    with pytest.raises(TYPE, match=r"equation must be a pde.PDEBase, got str"):
        systems.from_pde("heat", state)
    with pytest.raises(TYPE, match="state must be a field of py-pde, got ndarray"):
        systems.from_pde(pde.DiffusionPDE(), state.data)
    frozen = systems.from_pde(pde.PDE({"u": "laplace(u) + t"}), state, t=2.0)
    np.testing.assert_allclose(frozen.rhs(np.ones(8)), 2.0)


# -- pyMOR ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def burgers():
    """pyMOR's Burgers demo on 100 cells, and the ranges of its parameters."""
    pytest.importorskip("pymor")
    from pymor.analyticalproblems.burgers import burgers_problem
    from pymor.core.logger import set_log_levels
    from pymor.discretizers.builtin import discretize_instationary_fv

    set_log_levels({"pymor": "ERROR"})
    problem = burgers_problem()
    model, _ = discretize_instationary_fv(problem, diameter=1 / 50, nt=2000, num_flux="engquist_osher")
    return model, problem.parameter_ranges


def test_a_model_of_pymor_runs_as_pymor_runs_it(burgers):
    model, ranges = burgers
    system = systems.from_pymor(model, ranges)
    system.verify()
    (parameter,) = system.parameters
    assert (parameter.name, parameter.default, parameter.low, parameter.high) == ("exponent", 1.5, 1.0, 2.0)
    t = np.array([0.0, model.T])
    exponents = np.array([1.2, 1.8])
    runs = systems.simulate(system, 2, t, parameters={"exponent": exponents})["state"].values
    for exponent, run in zip(exponents, runs, strict=True):
        exact = model.solve(model.parameters.parse([exponent])).to_numpy()[:, [0, -1]].T
        np.testing.assert_allclose(run[0], exact[0])
        assert np.abs(run[1] - exact[1]).mean() < 1e-3  # their explicit Euler method with 2,000 steps


def test_states_with_parameters_of_their_own(burgers):
    model, ranges = burgers
    system = systems.from_pymor(model, ranges)
    x, mu = system.sample_initial(4).values, np.array([[1.2], [1.8], [1.2], [1.5]])
    np.testing.assert_allclose(system.rhs(x, mu), np.stack([system.rhs(a, b) for a, b in zip(x, mu, strict=True)]))


def test_a_model_with_a_mass_matrix():
    pytest.importorskip("pymor")
    from pymor.algorithms.timestepping import ImplicitEulerTimeStepper
    from pymor.models.basic import InstationaryModel
    from pymor.operators.numpy import NumpyMatrixOperator

    a, mass = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[2.0, 1.0], [0.0, 4.0]])
    operators = {"operator": NumpyMatrixOperator(a), "mass": NumpyMatrixOperator(mass)}
    space = operators["operator"].source
    system = systems.from_pymor(
        InstationaryModel(
            T=1.0,
            initial_data=space.from_numpy(np.array([[1.0], [2.0]])),
            rhs=space.from_numpy(np.ones((2, 1))),
            time_stepper=ImplicitEulerTimeStepper(10),
            **operators,
        )
    )
    x = np.array([[1.0, 2.0], [3.0, -1.0]])
    np.testing.assert_allclose(system.rhs(x), np.linalg.solve(mass, 1.0 - a @ x.T).T)
    np.testing.assert_allclose(system.sample_initial(2).values, [[1.0, 2.0], [1.0, 2.0]])


def test_models_that_cannot_be_used(burgers):
    model, _ = burgers
    with pytest.raises(VALUE, match="the model has the parameter 'exponent': give its"):
        systems.from_pymor(model)
    with pytest.raises(
        VALUE, match="parameters has 'exponents', which is not a parameter of the model; did you mean 'exponent'"
    ):
        systems.from_pymor(model, {"exponents": (1, 2)})
    with pytest.raises(VALUE, match=r"must be \(default, low, high\) or \(low, high\)"):
        systems.from_pymor(model, {"exponent": (1,)})
    with pytest.raises(TYPE, match="model must be a pymor InstationaryModel, got str"):
        systems.from_pymor("burgers")
    from pymor.models.examples import heat_equation_example

    with pytest.raises(VALUE, match="depends on time"):
        systems.from_pymor(heat_equation_example(), {"top": (1, 2)})
