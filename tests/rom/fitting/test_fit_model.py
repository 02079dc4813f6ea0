"""rom.fit end to end on tiny problems: every mixture of data, black boxes, its oracle, its seed, its history."""

import dataclasses

import numpy as np
import pytest
import torch

import rom
import systems
from rom.models.modules import EXACT

CLOSED_FORM = 1e-3  # seconds: no time for training, so the result is the closed-form model


def relative_error(model, runs) -> float:
    forecast = model.forecast(runs["state"].values[:, 0], runs["time"], parameters_of(runs))["state"].values
    return float(np.linalg.norm(forecast - runs["state"].values) / np.linalg.norm(runs["state"].values))


def parameters_of(runs):
    return runs["parameters"].values if "parameters" in runs else None


def same_weights(one, other) -> bool:
    a, b = one._state.state_dict(), other._state.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# Oracles


def test_closed_form_is_exact_on_a_linear_system(linear, runs, pairs, double):
    fresh = systems.simulate(linear, 4, np.linspace(0.0, 6.0, 31), seed=30)
    model = rom.fit(None, trajectories=runs, collocation=pairs, latent_dim=3, config=double, max_seconds=CLOSED_FORM)
    assert model.history.attrs["stopped"] == "no time"
    forecast = model.forecast(fresh["state"].isel(time=0), fresh["time"], method="dopri5")["state"].values
    # What is left is the ridge's bias and the solver's tolerance, 1e-6: as a mean square, as all errors here, 1e-11.
    assert np.sum((forecast - fresh["state"].values) ** 2) < 1e-10 * np.sum(fresh["state"].values ** 2)
    assert model.history.attrs["closed_form_validation_error"] < 1e-9


def test_closed_form_forecasts_a_quadratic_system(double):
    """Lorenz in its three states: in the class of operator inference, for as long as chaos lets a forecast live."""
    lorenz = systems.Lorenz()
    points = systems.collocate(lorenz, 500, seed=1)
    model = rom.fit(None, collocation=points, latent_dim=3, config=double, max_seconds=CLOSED_FORM)
    runs = systems.simulate(lorenz, 4, np.linspace(0.0, 2.0, 201), seed=31)
    forecast = model.forecast(runs["state"].isel(time=0), runs["time"], method="dopri5")
    error = np.abs(forecast["state"] - runs["state"]).max() / np.abs(runs["state"]).max()
    assert error < 1e-3


@pytest.mark.parametrize("unit", [1e-6, 1e6])
@pytest.mark.parametrize("max_seconds", [CLOSED_FORM, None], ids=["closed form", "trained"])
def test_the_unit_of_time_does_not_matter(pendulum_runs, pendulum_pairs, double, unit, max_seconds):
    runs, pairs = pendulum_runs, pendulum_pairs

    def fit(factor):
        data = runs.assign_coords(time=runs["time"] * factor)
        points = pairs.assign(time_derivative=pairs["time_derivative"] / factor)
        return rom.fit(
            None, trajectories=data, collocation=points, latent_dim=2, config=double, max_seconds=max_seconds
        )

    plain, scaled = fit(1.0), fit(unit)
    assert (plain.history.attrs["best_step"] > 0) == (max_seconds is None)
    x0, t = runs["state"].isel(time=0), runs["time"].values
    expected = plain.forecast(x0, t)["state"]
    np.testing.assert_allclose(scaled.forecast(x0, t * unit)["state"], expected, rtol=0, atol=1e-6)
    assert scaled._state.time_scale.item() == pytest.approx(unit * plain._state.time_scale.item(), rel=1e-9)


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_the_unit_of_the_state_does_not_matter(pendulum_runs, pendulum_pairs, double, unit):
    runs, pairs = pendulum_runs, pendulum_pairs
    plain = rom.fit(None, trajectories=runs, collocation=pairs, latent_dim=2, config=double)
    scaled = rom.fit(None, trajectories=runs * unit, collocation=pairs * unit, latent_dim=2, config=double)
    x0, t = runs["state"].isel(time=0), runs["time"].values
    expected = plain.forecast(x0, t)["state"]
    np.testing.assert_allclose(scaled.forecast(x0 * unit, t)["state"] / unit, expected, rtol=0, atol=1e-5)


# Kinds of data


def test_one_call_makes_everything_itself(linear, small):
    model = rom.fit(linear, 64, n_trajectories=5, latent_dim=3, config=small)
    attrs = model.history.attrs
    assert (attrs["trajectories"], attrs["collocation"]) == ("simulated", "evaluated")
    assert (attrs["n_trajectories"], attrs["n_collocation"]) == (5, 64)
    assert attrs["system"] == "LiftedLinear"


def test_defaults_of_the_system_are_used(linear, small, monkeypatch):
    monkeypatch.setattr("rom.fitting.collect.DEFAULT_COLLOCATION", 50)
    monkeypatch.setattr(systems.LiftedLinear, "default_n_trajectories", 4)
    attrs = rom.fit(linear, config=small, latent_dim=3).history.attrs
    assert (attrs["n_trajectories"], attrs["n_collocation"]) == (4, 50)


@pytest.mark.parametrize(
    ("arguments", "losses", "validated_on"),
    [
        ({"n_trajectories": 0, "n_collocation": 100}, "physics", "held-out collocation points"),
        ({"n_trajectories": 6, "n_collocation": 0}, "data", "held-out trajectories"),
        ({"n_trajectories": 3, "n_collocation": 100}, "both", "held-out collocation points"),
        ({"n_trajectories": 3, "n_collocation": 0}, "data", "the training trajectories"),
        ({"n_trajectories": 6, "n_collocation": 100}, "both", "held-out trajectories"),
    ],
)
def test_physics_only_data_only_and_hybrid(linear, runs, small, arguments, losses, validated_on):
    model = rom.fit(linear, latent_dim=3, config=small, **arguments)
    names = {str(name) for name in model.history if str(name).startswith("loss_")}
    data = {"loss_reconstruction", "loss_prediction"}
    physics = {"loss_latent_physics", "loss_decoded_physics", "loss_collocation_reconstruction"}
    assert names == {"physics": physics, "data": data, "both": physics | data}[losses]
    assert model.history.attrs["validated_on"] == validated_on
    assert relative_error(model, runs) < 0.05


def test_only_collocation_given_means_physics_only(pairs, small, runs):
    model = rom.fit(None, collocation=pairs, latent_dim=3, config=small)
    assert model.history.attrs["trajectories"] == "none"
    assert relative_error(model, runs) < 0.05


def test_only_trajectories_given_means_data_only(linear, runs, small):
    model = rom.fit(linear, trajectories=runs, latent_dim=3, config=small)
    assert model.history.attrs["collocation"] == "none"
    assert model.history.attrs["f_evaluations"] == 8  # whether f depends on time
    assert relative_error(model, runs) < 0.05


def test_a_missing_kind_is_made_when_its_count_is_given(linear, runs, pairs, small):
    attrs = rom.fit(linear, 100, trajectories=runs, latent_dim=3, config=small).history.attrs
    assert (attrs["trajectories"], attrs["collocation"]) == ("given", "evaluated")
    attrs = rom.fit(linear, collocation=pairs, n_trajectories=5, latent_dim=3, config=small).history.attrs
    assert (attrs["trajectories"], attrs["collocation"]) == ("simulated", "given")


def test_arrays_and_datasets_give_the_same_model(runs, pairs, small):
    arrays = {
        "trajectories": (runs["time"].values, runs["state"].values),
        "collocation": (pairs["state"].values, pairs["time_derivative"].values),
    }
    tensors = {name: tuple(torch.from_numpy(a.copy()) for a in data) for name, data in arrays.items()}
    reference = rom.fit(None, trajectories=runs, collocation=pairs, latent_dim=3, config=small)
    for data in (arrays, tensors):
        model = rom.fit(None, latent_dim=3, config=small, **data)
        assert same_weights(model, reference)
        assert model.dims == ("component",)


def test_data_are_left_as_they_were_and_may_be_read_only(runs, pairs, small):
    t, x = runs["time"].values.copy(), runs["state"].values.copy()
    points, f = pairs["state"].values.copy(), pairs["time_derivative"].values.copy()
    before = [a.copy() for a in (t, x, points, f)]
    for array in (t, x, points, f):
        array.setflags(write=False)
    rom.fit(None, trajectories=(t, x), collocation=(points, f), latent_dim=3, config=small)
    for array, copy in zip((t, x, points, f), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_lists_of_unequal_lengths_and_uneven_times(runs, small):
    rng = np.random.default_rng(5)
    times = [np.sort(rng.choice(runs["time"].values, k, replace=False)) for k in (9, 12, 21, 15, 11, 9)]
    states = [runs["state"].isel(trajectory=i).sel(time=t).values for i, t in enumerate(times)]
    model = rom.fit(None, trajectories=(times, states), latent_dim=3, config=small)
    assert model.history.attrs["n_trajectories"] == 6
    assert relative_error(model, runs) < 0.1


def test_shards_opened_lazily(runs, small, tmp_path):
    systems.save_trajectories(runs, tmp_path / "runs.h5")
    lazy = systems.open_trajectories(tmp_path / "runs.h5")
    assert same_weights(
        rom.fit(None, trajectories=lazy, latent_dim=3, config=small),
        rom.fit(None, trajectories=runs, latent_dim=3, config=small),
    )


def test_parameters_in_collocation_alone(decay, double):
    """y = (z, mu): f is quadratic in both, so that operator inference is exact."""
    rng = np.random.default_rng(1)
    x, mu = rng.uniform(-2, 2, (300, 3)), rng.uniform(0.5, 2, (300, 1))
    model = rom.fit(None, collocation=(x, decay.rhs(x, mu), mu), latent_dim=3, config=double, max_seconds=CLOSED_FORM)
    fresh = systems.simulate(decay, 5, np.linspace(0, 2, 21), parameters="sample", seed=40)
    assert model.parameters == ("mu0",)
    assert relative_error(model, fresh) < 1e-3


# Black boxes


@pytest.fixture
def counted(linear):
    """`linear` as a black box that counts the states it is asked about."""
    counts = []

    def f(x):
        counts.append(len(x))
        return linear.rhs(x)

    box = systems.from_rhs(f, n_states=12, batched=True, sampler=systems.InitialStates(linear))
    return box, counts


def test_a_black_box_equals_its_built_in_twin(linear, counted, runs, small):
    """Without fresh points along flows, which a black box does not get."""
    box, _ = counted
    config = dataclasses.replace(small, evaluate_system=False)
    twin = rom.fit(linear, 100, trajectories=runs, latent_dim=3, config=config)
    assert same_weights(rom.fit(box, 100, trajectories=runs, latent_dim=3, config=config), twin)


def test_a_black_box_without_sampler_takes_states_near_the_trajectories(linear, runs, small):
    box = systems.from_rhs(lambda x: linear.rhs(x), n_states=12)
    model = rom.fit(box, 100, trajectories=runs, latent_dim=3, config=small)
    assert model.history.attrs["collocation"] == "evaluated"
    assert relative_error(model, runs) < 0.05


def test_evaluations_of_f_are_counted(counted, runs, small):
    box, counts = counted
    model = rom.fit(box, 100, trajectories=runs, latent_dim=3, config=small)
    assert model.history.attrs["f_evaluations"] == sum(counts) == 200 + 7  # the same as along the 7 training runs?


@pytest.mark.parametrize("given", ["pairs", "count"])
def test_evaluations_while_training_can_be_forbidden(counted, runs, pairs, small, given):
    box, counts = counted
    config = dataclasses.replace(small, evaluate_system=False)
    points = {"collocation": pairs} if given == "pairs" else {"n_collocation": 100}
    model = rom.fit(box, trajectories=runs, latent_dim=3, config=config, **points)
    expected = 0 if given == "pairs" else 100
    assert model.history.attrs["f_evaluations"] == sum(counts) == expected


# Determinism and side effects


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
def test_the_same_seed_gives_the_same_weights(pendulum, pendulum_runs, small, optimizer):
    config = dataclasses.replace(small, optimizer=optimizer, hidden=(), learning_rate=0.003)
    one, two, other = (
        rom.fit(pendulum, 300, trajectories=pendulum_runs, latent_dim=2, config=config, seed=seed) for seed in (1, 1, 2)
    )
    assert one.history.attrs["best_step"] > 0, "the weights must be trained ones"
    assert same_weights(one, two)
    assert not same_weights(one, other)


def test_no_global_state_of_torch_or_numpy_is_changed(linear, small):
    torch.manual_seed(5)
    np.random.seed(5)

    def state():
        return (
            torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
            torch.get_rng_state().tolist(), str(np.random.get_state()),
        )  # fmt: skip

    before = state()
    config = dataclasses.replace(small, optimizer="soap")
    model = rom.fit(linear, 64, n_trajectories=5, latent_dim=3, config=config)
    model.forecast(linear.sample_initial(2), [0.0, 1.0])
    assert state() == before


def test_a_global_dtype_of_float64_does_not_leak_in(linear, small):
    reference = rom.fit(linear, 64, n_trajectories=5, latent_dim=3, config=small)
    torch.set_default_dtype(torch.float64)
    try:
        model = rom.fit(linear, 64, n_trajectories=5, latent_dim=3, config=small)
    finally:
        torch.set_default_dtype(torch.float32)
    floating = {v.dtype for name, v in model._state.state_dict().items() if name not in EXACT and v.is_floating_point()}
    assert floating == {torch.float32}
    assert model.latent_dim == reference.latent_dim


# History


def test_history_tells_how_the_model_came_about(model, small):
    history = model.history
    assert history.sizes["step"] == small.validations
    assert history["step"].values.tolist() == [10, 20, 30, 40]
    for name in ("validation_error", "best_validation_error", "learning_rate", "seconds", "window"):
        assert history[name].dims == ("step",)
        assert np.isfinite(history[name]).all()
    assert (np.diff(history["window"]) >= 0).all()
    expected = {
        "system": "LiftedLinear", "latent_dim": 3, "rank": 3, "validated_on": "held-out trajectories",
        "stopped": "finished", "interrupted": False, "steps": 40, "recoveries": 0, "trajectories": "given",
        "collocation": "given", "n_trajectories": 8, "n_collocation": 200, "n_trajectory_points": 147,
        "n_fresh_points": 8 * 318, "f_evaluations": 147 + 8 + 7 + 8 + 8 * 318, "seed": 0,
    }  # fmt: skip
    assert {name: history.attrs[name] for name in expected} == expected
    assert history.attrs["validation_error"] == history["best_validation_error"][-1]
    assert 0 < history.attrs["training_seconds"] <= history.attrs["seconds"]
