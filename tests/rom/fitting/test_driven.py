"""Models of systems that inputs drive, or whose f depends on time."""

import numpy as np
import pytest
import torch
import xarray as xr
from driven_plant import BASIS, A, B, T, driven, plant, states

import rom
import systems

SMALL = rom.FitConfig(steps=30, hidden=(16,), latent_hidden=(8,))


def forced(t, x):
    return ((x @ BASIS) @ A.T + np.cos(3.0 * t) * B) @ BASIS.T


def scaled(x, mu, u):
    return mu[..., :1] * driven(x, u)


@pytest.fixture(scope="module")
def runs():
    return systems.simulate(plant(), 12, T, seed=1)


@pytest.fixture(scope="module")
def model(runs):
    return rom.fit(plant(), 400, trajectories=runs, latent_dim=2, config=SMALL)


def relative(forecast, truth):
    return float(np.linalg.norm(forecast["state"] - truth["state"]) / np.linalg.norm(truth["state"]))


# ---------------------------------------------------------------------------------------------------------------------
# Fits and forecasts
# ---------------------------------------------------------------------------------------------------------------------


def test_a_driven_model_forecasts_a_new_signal(model):
    t = np.linspace(0.0, 12.0, 241)  # three times as long as in training
    new = systems.signals(t, {"u": lambda s: np.sin(0.7 * s) + np.sign(np.sin(2 * s))})
    truth = systems.simulate(plant(), t=t, initial=states(3, 5), inputs=new)
    assert model.inputs == ("u",)
    assert model.parameters == ()
    for method in ("rk4", "dopri5"):
        assert relative(model.forecast(states(3, 5), t, inputs=new, method=method), truth) < 2e-3
    few = model.forecast(states(3, 5), t[[0, 100, 240]], inputs=new)
    assert np.allclose(few["state"], model.forecast(states(3, 5), t, inputs=new)["state"][:, [0, 100, 240]], atol=1e-3)


def test_held_inputs_stay_held_in_the_forecast():
    t = np.linspace(0.0, 4.0, 21)
    drawn = np.random.default_rng(2).uniform(-2, 2, (12, 21))
    held = systems.signals(t, {"u": drawn}, "previous")
    runs = systems.simulate(plant(), 12, t, inputs=held)
    model = rom.fit(plant(), 400, trajectories=runs, latent_dim=2, config=SMALL)
    new = systems.signals(t, {"u": np.random.default_rng(3).uniform(-2, 2, 21)}, "previous")
    truth = systems.simulate(plant(), t=t, initial=states(2, 7), inputs=new)
    assert relative(model.forecast(states(2, 7), t, inputs=new), truth) < 2e-3
    linear = new.assign_attrs(interpolation="linear")
    assert relative(model.forecast(states(2, 7), t, inputs=linear), truth) > 0.02


def test_a_system_with_inputs_needs_nothing_else():
    model = rom.fit(plant(), 200, n_trajectories=8, latent_dim=2, config=SMALL)
    assert model.history.attrs["trajectories"] == "simulated"
    truth = systems.simulate(plant(), 4, T, seed=9)
    assert float(rom.evaluate(model, truth)["relative_error"].sel(rom="fitted").isel(time=-1)) < 0.02


def test_physics_alone_knows_the_inputs():
    model = rom.fit(plant(), 500, n_trajectories=0, latent_dim=2, config=SMALL)
    truth = systems.simulate(plant(), 4, T, seed=9)
    assert float(rom.evaluate(model, truth)["relative_error"].sel(rom="fitted").isel(time=-1)) < 0.05


def test_parameters_that_trajectories_change_become_inputs_of_a_plain_system():
    system = systems.Pendulum()
    given = system.sample_initial(8, seed=0)
    signal = systems.driven(system, "torque").sample_inputs(8, T, seed=1)
    runs = systems.simulate(system, t=T, initial=given, inputs=signal)
    model = rom.fit(system, 100, trajectories=runs, latent_dim=2, config=SMALL)
    assert model.inputs == ("torque",)
    assert model.history.attrs["collocation"] == "evaluated"


def test_parameters_and_inputs_go_together():
    system = systems.from_rhs(
        scaled, 12, parameters={"gain": (1.0, 0.5, 1.5)}, inputs={"u": (0.0, -2.0, 2.0)}, sampler=states
    )
    runs = systems.simulate(system, 24, T, parameters="sample", seed=1)
    model = rom.fit(system, 1000, trajectories=runs, latent_dim=2, config=SMALL)
    assert (model.parameters, model.inputs) == (("gain",), ("u",))
    truth = systems.simulate(system, 4, T, parameters="sample", seed=9)
    found = model.forecast(truth["state"].isel(time=0), T, truth["parameters"].values, inputs=truth["inputs"])
    assert relative(found, truth) < 0.05
    rate = model.latent_rhs(np.zeros((3, 2)), {"gain": 1.0}, inputs={"u": 1.0})
    assert rate.shape == (3, 2)
    with pytest.raises(rom.RomValueError, match="inputs are missing: this model is driven by u"):
        model.latent_rhs(np.zeros((3, 2)), {"gain": 1.0})


def test_the_residual_knows_the_inputs(model):
    x, u = states(6, 3), np.linspace(-2, 2, 6)[:, None]
    small = model.residual(x, driven(x, u), inputs=u)
    wrong = model.residual(x, driven(x, u), inputs=-u)
    assert np.abs(small).max() < 10
    assert np.abs(wrong).mean() > 10 * np.abs(small).mean()


def test_arrays_and_lists_with_inputs_give_the_model_of_the_dataset(runs, model):
    t, x, u = runs["time"].values, runs["state"].values, runs["inputs"].values
    arrays = rom.fit(plant(), 400, trajectories=(t, x, None, u), latent_dim=2, config=SMALL)
    assert arrays.inputs == ("u",)
    x0 = states(2, 8)
    same = [m.forecast(x0, T, inputs={"u": np.sin(T)})["state"].values for m in (model, arrays)]
    assert np.array_equal(*same)
    lists = rom.fit(None, trajectories=([t] * 12, list(x), None, list(u)), latent_dim=2, config=SMALL)
    assert lists.inputs == ("u0",)


def test_trajectories_of_unequal_length_and_times_are_fitted_together(runs):
    short = systems.simulate(plant(), 6, np.linspace(0.0, 1.5, 9), seed=4)
    model = rom.fit(plant(), 300, trajectories=[runs, short], latent_dim=2, config=SMALL)
    assert model.history.attrs["n_trajectories"] == 18
    truth = systems.simulate(plant(), 4, T, seed=9)
    assert float(rom.evaluate(model, truth)["relative_error"].sel(rom="fitted").isel(time=-1)) < 0.02


def test_a_driven_model_is_saved_and_loaded(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    again = rom.load(tmp_path / "m.safetensors")
    assert again.inputs == ("u",)
    arguments = (states(2, 1), T)
    one, two = (m.forecast(*arguments, inputs={"u": np.cos(T)}) for m in (model, again))
    xr.testing.assert_identical(one, two)


def test_a_periodic_f_is_forecast_beyond_the_training(tmp_path):
    system = systems.from_rhs(forced, 12, period=2 * np.pi / 3, sampler=states)
    model = rom.fit(system, 600, n_trajectories=12, latent_dim=2, config=SMALL)
    t = np.linspace(0.0, 40.0, 401)
    truth = systems.simulate(system, 3, t, seed=8)
    assert relative(model.forecast(truth["state"].isel(time=0), t), truth) < 5e-3
    model.save(tmp_path / "m.safetensors")
    again = rom.load(tmp_path / "m.safetensors")
    assert relative(again.forecast(truth["state"].isel(time=0), t, method="dopri5"), truth) < 5e-3
    late = t + 1.0  # another phase: another forecast
    assert relative(model.forecast(truth["state"].isel(time=0), late), truth) > 0.05


def test_collocation_arrays_of_an_f_that_depends_on_time_must_tell_the_times():
    system = systems.from_rhs(forced, 12, sampler=states)
    x = states(50, 0)
    with pytest.raises(rom.RomValueError, match="depends on time, so the times are needed"):
        rom.fit(system, collocation=(x, forced(0.3, x)), latent_dim=2, config=SMALL)


# ---------------------------------------------------------------------------------------------------------------------
# What must not go unseen
# ---------------------------------------------------------------------------------------------------------------------


def test_adaptive_forecasts_see_a_short_pulse(model):
    t = np.linspace(0.0, 60.0, 301)
    pulse = {"u": np.where(np.arange(301) == 200, 2.0, 0.0)}
    one, other = (model.forecast(np.zeros(12), t, inputs=pulse, method=m)["state"].values for m in ("rk4", "dopri5"))
    assert np.abs(one).max() > 0.05
    assert np.abs(one - other).max() < 0.01


def test_functions_of_time_do_not_depend_on_the_times_asked_for(model):
    ends = [
        model.forecast(states(1, 3)[0], np.linspace(0.0, 5.0, n), inputs={"u": lambda t: 2 * np.sin(3 * t)})["state"][
            -1
        ]
        for n in (501, 6, 2)
    ]
    assert max(np.abs(ends[0] - end).max() for end in ends[1:]) < 1e-2


def test_forecasts_are_not_valid_beyond_what_drove_the_training(model):
    beyond = model.forecast(0.3 * states(2, 3), T, inputs={"u": np.where(T < 2.0, 0.0, 3.0)})["valid"].values
    assert beyond[:, T < 1.9].all()
    assert not beyond[:, T >= 2.0].any()


def test_without_a_period_later_times_are_not_valid():
    system = systems.from_rhs(forced, 12, sampler=states)
    runs = systems.simulate(system, 12, np.linspace(0.0, 8.0, 81))
    model = rom.fit(system, 400, trajectories=runs, latent_dim=2, config=SMALL)
    valid = model.forecast(states(2, 5), np.linspace(0.0, 20.0, 201))["valid"].values
    assert valid[:, :70].any()
    assert not valid[:, 90:].any()


def test_late_times_keep_their_digits():
    system = systems.from_rhs(late, 12, sampler=states)
    t = 1e8 + np.linspace(0.0, 8.0, 81)
    runs = systems.simulate(system, 12, t)
    model = rom.fit(system, trajectories=runs, n_collocation=0, latent_dim=2, config=SMALL)
    x0 = states(3, 9)
    early = model.forecast(x0, t)["state"].values
    assert np.isfinite(early).all()
    assert np.abs(early - model.forecast(x0, t + 1.0)["state"].values).max() > 1e-3


def late(t, x):
    return forced(t - 1e8, x)


def test_a_declared_period_needs_no_value_of_f():
    system = systems.from_rhs(forced, 12, period=2 * np.pi / 3, sampler=states)
    config = rom.FitConfig(steps=10, hidden=(16,), latent_hidden=(8,), evaluate_system=False)
    model = rom.fit(system, n_collocation=0, trajectories=systems.simulate(system, 8, T), latent_dim=2, config=config)
    assert model._layout.period == system.period


def test_a_checkpoint_of_other_inputs_is_refused(runs, tmp_path):
    stopped = [lambda progress: progress.step >= 10]
    arguments = {"n_collocation": 0, "latent_dim": 2, "config": SMALL, "checkpoint": tmp_path / "c.safetensors"}
    rom.fit(plant(), trajectories=runs, callbacks=stopped, **arguments)
    other = runs.assign(inputs=runs["inputs"].roll(time=3).assign_attrs(runs["inputs"].attrs))
    with pytest.raises(rom.RomValueError, match="checkpoint"):
        rom.fit(plant(), trajectories=other, **arguments)


def test_data_alone_find_the_gain_of_an_input_that_jumps():
    def driven_by(drawn, seed):
        given = systems.signals(T, {"u": drawn}, "previous")
        return systems.simulate(plant(), len(drawn), T, inputs=given, seed=seed)

    drawn = np.random.default_rng(4).uniform(-2, 2, (20, 41))
    model = rom.fit(None, trajectories=driven_by(drawn[:16], 0), latent_dim=2, config=SMALL)
    errors = rom.evaluate(model, driven_by(drawn[16:], 9))["relative_error"].sel(rom="closed_form")
    assert float(errors.isel(time=-1)) < 0.1


def test_held_and_linear_sets_are_not_mixed(runs):
    held = runs.assign(inputs=runs["inputs"].assign_attrs(interpolation="previous"))
    with pytest.raises(rom.RomValueError, match="held between their times"):
        rom.fit(plant(), trajectories=[runs, held], config=SMALL)


def test_gradients_pass_to_inputs(model):
    u = torch.zeros(1, requires_grad=True)
    model.latent_rhs(torch.zeros(2), inputs={"u": u[0]}).sum().backward()
    assert u.grad is not None
    assert u.grad.abs().sum() > 0


# ---------------------------------------------------------------------------------------------------------------------
# Bad input
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "inputs are missing: this model is driven by u"),
        ({"v": np.ones(41)}, "there is no input 'v'"),
        ({"u": np.ones(40)}, r"must have shape \(41,\)"),
        (systems.signals(T[:21], {"u": 1.0}), "known from t = 0 to 2, but t goes from 0 to 4; make them longer"),
        (systems.signals(T, {"u": np.ones((3, 41))}), "belong to 3 trajectories, but there are 2"),
    ],
)
def test_inputs_that_do_not_fit_the_forecast(model, inputs, message):
    with pytest.raises((rom.RomError, systems.SystemsError), match=message):
        model.forecast(states(2, 0), T, inputs=inputs)


def test_inputs_for_a_model_without():
    system = systems.from_rhs(lambda x: -x, 2, sampler=systems.Box([-1, -1], [1, 1]))
    model = rom.fit(system, 100, n_trajectories=4, latent_dim=1, config=SMALL)
    with pytest.raises(rom.RomValueError, match="inputs were given, but this model was fitted without"):
        model.forecast([0.1, 0.2], [0.0, 1.0], inputs={"u": 1.0})


def test_data_whose_inputs_are_not_those_of_the_system(runs):
    other = runs.assign_coords(input=["v"])
    with pytest.raises(rom.RomValueError, match=r"inputs \('v',\) differ from \('u',\)"):
        rom.fit(plant(), 100, trajectories=other, config=SMALL)
    with pytest.raises(rom.RomValueError, match="has no parameter 'u' to be an input"):
        rom.fit(systems.Pendulum(), 100, trajectories=runs, config=SMALL)
    without = runs.drop_vars(["inputs", "input"])
    with pytest.raises(rom.RomValueError, match=r"inputs .* differ from"):
        rom.fit(plant(), 100, trajectories=without, config=SMALL)


def test_inputs_of_the_wrong_shape(runs):
    t, x, u = runs["time"].values, runs["state"].values, runs["inputs"].values
    with pytest.raises(rom.RomValueError, match=r"inputs must have shape \(12, 41, m\)"):
        rom.fit(None, trajectories=(t, x, None, u[:, :-1]))
    with pytest.raises(rom.RomValueError, match="inputs must be a list of as many arrays"):
        rom.fit(None, trajectories=([t] * 12, list(x), None, u[0]))
    broken = u.copy()
    broken[3, 4, 0] = np.nan
    with pytest.raises(rom.RomValueError, match="nan at trajectory 3, time index 4"):
        rom.fit(None, trajectories=(t, x, None, broken))
