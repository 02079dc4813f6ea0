"""What rom.fit refuses, and what it takes all the same."""

import numpy as np
import pytest
import xarray as xr

import rom
import systems

# Refusals


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"system": None}, ValueError, "nothing to fit: pass a system, trajectories or collocation"),
        (
            {"n_collocation": 0, "n_trajectories": 0},
            ValueError,
            "nothing to fit: no trajectories and no collocation points; pass",
        ),
        (
            {"system": "Burgers"},
            TypeError,
            r"must be a systems.System or None, got str; wrap .* systems.from_rhs\(f, n_states\)",
        ),
        (
            {"system": xr.Dataset()},
            TypeError,
            r"or None, got Dataset; pass data as rom.fit\(None, trajectories=...\)",
        ),
        ({"system": None, "n_collocation": 10}, ValueError, "n_collocation=10 needs a system"),
        ({"n_collocation": -1}, ValueError, "n_collocation must be at least 0, got -1"),
        ({"n_collocation": 2.0}, TypeError, "n_collocation must be an integer, got 2.0"),
        ({"n_trajectories": "many"}, TypeError, "n_trajectories must be an integer, got 'many'"),
        ({"latent_dim": "Auto"}, ValueError, "latent_dim must be an integer or 'auto', got 'Auto'"),
        ({"latent_dim": 0}, ValueError, "latent_dim must be at least 1"),
        ({"latent_dim": 2.0}, TypeError, "latent_dim must be an integer, got 2.0"),
        (
            {"latent_dim": 13, "n_collocation": 9, "n_trajectories": 0},
            ValueError,
            "latent_dim is 13, but a state has only 12",
        ),
        ({"weights": {"prediction": 1}}, TypeError, r"weights must be rom.LossWeights\(...\), got dict"),
        ({"config": {"steps": 1}}, TypeError, r"config must be rom.FitConfig\(...\), got dict"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"latent_dim": np.array([2, 3])}, TypeError, "latent_dim must be an integer"),
        ({"seed": None}, TypeError, "seed must be an integer, got None"),
        ({"max_seconds": 0}, ValueError, "max_seconds must be finite, above 0, got 0"),
        ({"max_seconds": "1"}, TypeError, "max_seconds must be a number, got '1'"),
        ({"device": "gpu"}, ValueError, "device: unknown 'gpu'"),
        (
            {"checkpoint": "/nowhere/at/all"},
            ValueError,
            "the folder of /nowhere/at/all does not exist; create it first",
        ),
        ({"checkpoint": 3}, TypeError, "a path must be a string or a Path, got 3"),
        ({"callbacks": [3]}, TypeError, "callbacks must be functions"),
        ({"callbacks": print}, TypeError, "callbacks must be a sequence of functions"),
    ],
)
def test_arguments_that_cannot_be(linear, small, arguments, error, message):
    arguments = {"system": linear, "config": small} | arguments
    with pytest.raises(error, match=message) as caught:
        rom.fit(**arguments)
    assert isinstance(caught.value, rom.RomError)


def test_data_and_counts_contradict_each_other(linear, runs, pairs):
    with pytest.raises(rom.RomValueError, match="either trajectories or n_trajectories, not both"):
        rom.fit(linear, trajectories=runs, n_trajectories=3)
    with pytest.raises(rom.RomValueError, match="either collocation or n_collocation, not both"):
        rom.fit(linear, 10, collocation=pairs)


def test_data_that_do_not_belong_together(runs, pairs, decay_runs):
    with pytest.raises(rom.RomValueError, match=r"a state has shape \(12,\), but one of Lorenz has \(3,\)"):
        rom.fit(systems.Lorenz(), trajectories=runs)
    with pytest.raises(rom.RomValueError, match=r"collocation: a state has shape \(12,\), but \(3,\) is expected"):
        rom.fit(None, trajectories=decay_runs, collocation=pairs)
    x = np.zeros((5, 3))
    with pytest.raises(
        rom.RomValueError, match=r"collocation: parameters \(\) differ from \('mu',\) .*parameters=.sample"
    ):
        rom.fit(None, trajectories=decay_runs, collocation=(x, x))


def test_parameters_that_are_not_the_systems(decay, decay_runs, small):
    with pytest.raises(rom.RomValueError, match=r"parameters \('nu',\) differ from \('mu',\) of"):
        rom.fit(decay, trajectories=decay_runs.assign_coords(parameter=["nu"]), config=small)
    arrays = (decay_runs["time"].values, decay_runs["state"].values, np.ones((12, 2)))
    with pytest.raises(rom.RomValueError, match=r"parameters \('mu0', 'mu1'\) differ from \('mu',\) of"):
        rom.fit(decay, trajectories=arrays, config=small)


def test_dimensions_in_another_order_than_the_systems(small):
    plane = systems.from_rhs(
        lambda x: -x, shape=(3, 3), dims=("x", "y"), sampler=systems.Box(-np.ones((3, 3)), np.ones((3, 3)))
    )
    runs = systems.simulate(plane, 5, np.linspace(0, 1, 11))
    turned = runs.transpose("trajectory", "time", "y", "x")
    for count in (0, 20):
        with pytest.raises(rom.RomValueError, match="another order"):
            rom.fit(plane, count, trajectories=turned, latent_dim=2, config=small)


@pytest.mark.parametrize("change", ["reversed", "rescaled"])
def test_data_on_another_grid_than_the_systems(small, change):
    burgers = systems.Burgers(n=16)
    runs = systems.simulate(burgers, 4, np.linspace(0.0, 1.0, 11))
    other = runs.isel(x=slice(None, None, -1)) if change == "reversed" else runs.assign_coords(x=3.0 * runs["x"])
    with pytest.raises(
        rom.RomValueError, match=r"trajectories.*: the grid 'x' differs from that of Burgers; bring both"
    ):
        rom.fit(burgers, trajectories=other, latent_dim=2, config=small)


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_points_to_learn_from(linear, small, n):
    with pytest.raises(rom.RomValueError, match=f"collocation has {n} point.* needs at least 3"):
        rom.fit(linear, n, n_trajectories=0, latent_dim=1, config=small)


def test_a_black_box_without_states_says_what_to_do(small):
    box = systems.from_rhs(lambda x: -x, n_states=12)
    with pytest.raises(
        rom.RomValueError, match=r"no sampler of states, and there are no trajectories.*from_rhs\(..., sampler="
    ):
        rom.fit(box, 10, n_trajectories=0, config=small)
    with pytest.raises(systems.SystemsError, match="sampler"):
        rom.fit(box, config=small)


def failing(_):
    raise ZeroDivisionError("my own bug")


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (failing, "ZeroDivisionError: my own bug"),
        (lambda _: np.zeros(7), r"returned shape \(7,\) .*expected \(12,\)"),
        (lambda x: np.full_like(x, np.nan), "is not finite at point 0"),
        (lambda _: "text", "must return real numbers"),
    ],
    ids=["fails", "shape", "not finite", "text"],
)
def test_an_f_that_fails(linear, small, f, message):
    box = systems.from_rhs(f, n_states=12, sampler=systems.InitialStates(linear), arguments="x")
    with pytest.raises(systems.SystemsError, match=message) as caught:
        rom.fit(box, 10, n_trajectories=0, config=small)
    if f is failing:
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


# Taken all the same


def test_parameters_without_names_take_those_of_the_system(decay, decay_runs, small):
    arrays = (decay_runs["time"].values, decay_runs["state"].values, decay_runs["parameters"].values)
    assert rom.fit(decay, trajectories=arrays, latent_dim=3, config=small).parameters == ("mu",)


def test_one_labelled_kind_of_data_labels_the_model(runs, pairs, small):
    arrays = (runs["time"].values, runs["state"].values)
    assert rom.fit(None, trajectories=arrays, collocation=pairs, latent_dim=3, config=small).dims == ("state_index",)


def test_any_non_negative_seed(runs, small):
    assert rom.fit(None, trajectories=runs, latent_dim=3, config=small, seed=2**70).latent_dim == 3


def test_states_that_never_change_make_a_model(small):
    """A fixed point: nothing moves, nothing divides by zero."""
    t = np.linspace(0, 1, 11)
    model = rom.fit(None, trajectories=(t, np.ones((5, 11, 4))), latent_dim=1, config=small)
    np.testing.assert_allclose(model.forecast(np.ones(4), t)["state"], 1.0, atol=1e-4)


def test_the_result_is_labelled_by_the_system(linear, runs, small):
    arrays = (runs["time"].values, runs["state"].values)
    model = rom.fit(linear, trajectories=arrays, latent_dim=3, config=small)
    assert model.dims == ("state_index",)
    assert isinstance(model.history, xr.Dataset)


@pytest.mark.parametrize(
    "kind", [lambda t, s: (t, s), lambda t, s: xr.Dataset({"state": (("time", "x"), s)}, {"time": t})]
)
def test_data_in_the_place_of_a_count_are_named_in_a_few_words(kind):
    data = kind(np.linspace(0, 1, 500), np.ones((500, 40)))
    with pytest.raises(
        rom.RomTypeError, match=r"n_collocation must be an integer.*did you mean trajectories=...\?"
    ) as caught:
        rom.fit(None, data, latent_dim=3)
    assert "500" in str(caught.value)
    assert len(str(caught.value)) < 200
