"""Settings are frozen, survive JSON unchanged, and refuse unusable values by name."""

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest

import rom
from rom.networks.field_network import FieldNetwork


@pytest.mark.parametrize(
    "settings",
    [
        rom.FitConfig(),
        rom.FitConfig(hidden=(), latent_terms=("linear",), steps=7, dtype="float64"),
        rom.LossWeights(),
        rom.LossWeights(prediction=0.0, decoded_physics=2.5),
        rom.LossWeights(denoising=0.1, variational=1e-3),
        rom.FitConfig(noise=0.2, active_share=0.1, warm_up=0.0),
        rom.FitConfig(network=rom.Convolutional(channels=(4, 8), kernel=5, axes=("y", "x"))),
        rom.FitConfig(hidden=(np.int64(8),), steps=np.int64(7), learning_rate=np.float32(0.5)),
        rom.FitConfig(space=rom.Coordinate(n_functions=(np.int64(8), 9))),
    ],
)
def test_settings_survive_json(settings):
    assert type(settings).from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (rom.FitConfig, {"hidden": [64, 64]}, {"hidden": (64, 64)}),
        (rom.FitConfig, {"latent_terms": ["linear"]}, {"latent_terms": ("linear",)}),
        (rom.Convolutional, {"channels": [4, 8], "axes": ["y", "x"]}, {"channels": (4, 8), "axes": ("y", "x")}),
        (rom.Convolutional, {"axes": "x"}, {"axes": ("x",)}),
        (rom.Implicit, {"hidden": [8]}, {"hidden": (8,)}),
        (rom.Coordinate, {"n_functions": [8, 9]}, {"n_functions": (8, 9)}),
    ],
)
def test_lists_and_single_names_are_taken_for_tuples(kind, given, kept):
    assert kind(**given) == kind(**kept)


def test_settings_are_frozen_and_can_be_copied():
    config = rom.FitConfig(steps=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.steps = 4
    assert copy.deepcopy(config) == config == pickle.loads(pickle.dumps(config))
    assert dataclasses.replace(config, steps=5).steps == 5


@pytest.mark.parametrize(
    ("cls", "key", "nearest"),
    [
        (rom.FitConfig, "step", "steps"),
        (rom.FitConfig, "hiden", "hidden"),
        (rom.FitConfig, "optimiser", "optimizer"),
        (rom.FitConfig, "lerning_rate", "learning_rate"),
        (rom.LossWeights, "latent_physic", "latent_physics"),
        (rom.LossWeights, "predictions", "prediction"),
    ],
)
def test_unknown_keys_name_the_nearest_one(cls, key, nearest):
    message = f"{cls.__name__}: unknown setting '{key}'; did you mean '{nearest}'\\?"
    with pytest.raises(rom.RomValueError, match=message):
        cls.from_dict({key: 1})
    with pytest.raises(rom.RomTypeError, match=message):
        cls(**{key: 1})


def test_a_key_unlike_all_others_lists_the_valid_ones():
    with pytest.raises(rom.RomValueError, match="valid names: reconstruction, prediction"):
        rom.LossWeights.from_dict({"qqq": 1})


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"energy_tolerance": 2.0}, ValueError, "energy_tolerance must be finite, at least 0 and at most 1, got 2"),
        ({"energy_tolerance": float("nan")}, ValueError, "energy_tolerance must be finite"),
        ({"max_rank": 0}, ValueError, "max_rank must be at least 1, got 0"),
        ({"window": 2.5}, TypeError, "window must be an integer, got 2.5"),
        ({"validations": True}, TypeError, "validations must be an integer, got True"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"patience": -1}, ValueError, "patience must be at least 1"),
        ({"hidden": 16}, TypeError, "hidden must be a tuple of layer widths"),
        ({"hidden": (16, 0)}, ValueError, r"hidden\[1\] must be at least 1, got 0"),
        ({"multiscale": 1}, TypeError, "multiscale must be True or False"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate must be finite, above 0"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a number, got 'fast'"),
        ({"gradient_clip": float("inf")}, ValueError, "gradient_clip must be finite"),
        ({"activation": "tahn"}, ValueError, "activation: unknown 'tahn'; did you mean 'tanh'"),
        ({"optimizer": "adamw"}, ValueError, "optimizer: unknown 'adamw'; did you mean 'adam'"),
        ({"dtype": "float16"}, ValueError, "dtype: unknown 'float16'; did you mean"),
        ({"latent_terms": ()}, ValueError, "latent_terms must be a tuple of some of"),
        ({"latent_terms": ("linear", "cubic")}, ValueError, "latent_terms: unknown 'cubic'"),
        ({"latent_terms": "linear"}, ValueError, "latent_terms must be a tuple"),
        ({"noise": 0.0}, ValueError, "noise must be finite, above 0, got 0"),
        ({"active_share": 0.6}, ValueError, r"active_share must be finite, above 0 and at most 0.5, got 0.6"),
        ({"active_share": 0.0}, ValueError, "active_share must be finite, above 0"),
        ({"warm_up": 1.5}, ValueError, "warm_up must be finite, at least 0 and at most 1, got 1.5"),
        (
            {"network": "conv"},
            TypeError,
            r"network must be one of .*Convolutional\(\.\.\.\).* or None, got 'conv'; modules of your own are passed as modules=",
        ),
        ({"network": rom.Convolutional}, TypeError, "network must be one of"),
    ],
)
def test_unusable_settings_are_refused_by_name(settings, error, message):
    with pytest.raises(error, match=message) as caught:
        rom.FitConfig(**settings)
    assert isinstance(caught.value, rom.RomError)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (-1.0, ValueError, "LossWeights.prediction must be finite, at least 0, got -1"),
        (float("inf"), ValueError, "LossWeights.prediction must be finite"),
        (None, TypeError, "LossWeights.prediction must be a number, got None"),
        (1j, TypeError, "LossWeights.prediction must be a number"),
    ],
)
def test_unusable_weights_are_refused_by_name(value, error, message):
    with pytest.raises(error, match=message) as caught:
        rom.LossWeights(prediction=value)
    assert isinstance(caught.value, rom.RomError)


@pytest.mark.parametrize("name", ["denoising", "contractive", "sparse", "sparse_kl", "variational", "smoothness"])
def test_weights_of_regularisers_are_zero_unless_they_are_given(name):
    assert getattr(rom.LossWeights(), name) == 0.0
    assert not rom.LossWeights().regularised
    assert rom.LossWeights(**{name: 0.1}).regularised
    with pytest.raises(rom.RomValueError, match=f"LossWeights.{name} must be finite, at least 0, got -0.1"):
        rom.LossWeights(**{name: -0.1})


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (
            {"kind": "Convolutionl"},
            ValueError,
            "FitConfig.network: unknown 'Convolutionl'; did you mean 'Convolutional'",
        ),
        ({"channels": [4]}, ValueError, "FitConfig.network: unknown ''"),
        ({"kind": "Convolutional", "chanels": [4]}, ValueError, "unknown setting 'chanels'; did you mean 'channels'"),
        ({"kind": "Convolutional", "channels": []}, ValueError, "channels must have at least one level"),
        ("conv", TypeError, "FitConfig.network must be a dictionary with its 'kind', got 'conv'"),
    ],
)
def test_a_network_that_json_does_not_describe_is_refused(network, error, message):
    with pytest.raises(error, match=message) as caught:
        rom.FitConfig.from_dict({"network": network})
    assert isinstance(caught.value, rom.RomError)


def test_the_dictionary_of_settings_is_not_changed():
    settings = rom.FitConfig(network=rom.Convolutional()).to_dict()
    before = copy.deepcopy(settings)
    rom.FitConfig.from_dict(settings)
    assert settings == before


def test_errors_derive_from_rom_error_and_from_the_built_in():
    pairs = [
        (rom.RomValueError, ValueError),
        (rom.RomTypeError, TypeError),
        (rom.RomFileNotFoundError, FileNotFoundError),
        (rom.RomFileError, ValueError),
    ]
    for error, built_in in pairs:
        assert issubclass(error, rom.RomError)
        assert issubclass(error, built_in)


def test_a_subclass_is_a_kind_of_network(monkeypatch):
    monkeypatch.setattr(FieldNetwork, "kinds", dict(FieldNetwork.kinds))

    @dataclasses.dataclass(frozen=True)
    class Plain(FieldNetwork):
        width: int = 3

        def encoder(self, geometry, latent_dim, generator=None):
            raise NotImplementedError

        decoder = encoder

    config = rom.FitConfig(network=Plain(width=5))
    settings = config.to_dict()
    assert settings["network"] == {"kind": "Plain", "width": 5}
    assert rom.FitConfig.from_dict(settings) == config
