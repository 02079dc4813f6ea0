"""Layers that mix rows or draw random numbers are refused by name."""

import pytest
from torch import nn

from rom.networks.user_modules import require_row_wise
from rom.utils.errors import RomTypeError


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm1d(4),
        nn.BatchNorm2d(4, affine=False).eval(),
        nn.LazyBatchNorm3d(),
        nn.SyncBatchNorm(4),
        nn.InstanceNorm1d(4, track_running_stats=True),
    ],
)
def test_statistics_of_a_batch_are_refused(layer):
    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Tanh(), layer))
    message = (
        rf"^encoder\.1\.1: {type(layer).__name__} has statistics of the batch, .* take LayerNorm or GroupNorm instead$"
    )
    with pytest.raises(RomTypeError, match=message):
        require_row_wise(module, "encoder")


@pytest.mark.parametrize(
    "layer",
    [
        nn.Dropout(0.1),
        nn.Dropout2d(),
        nn.AlphaDropout(),
        nn.RReLU(),
        nn.MultiheadAttention(4, 2, dropout=0.1),
        nn.LSTM(4, 4, 2, dropout=0.1),
    ],
)
def test_random_layers_are_refused(layer):
    with pytest.raises(
        RomTypeError, match=rf"^decoder\.0: {type(layer).__name__} draws random numbers, .* leave it out$"
    ):
        require_row_wise(nn.Sequential(layer), "decoder")


def test_a_refused_layer_may_be_the_whole_network():
    with pytest.raises(RomTypeError, match=r"^encoder: BatchNorm1d has"):
        require_row_wise(nn.BatchNorm1d(4), "encoder")


def test_layers_that_treat_rows_apart_pass():
    layers = [
        nn.LayerNorm(4),
        nn.GroupNorm(2, 4),
        nn.InstanceNorm1d(4),
        nn.MultiheadAttention(4, 2),
        nn.GRU(4, 4),
        nn.SiLU(),
    ]
    require_row_wise(nn.Sequential(*layers), "encoder")


def test_what_is_no_module_is_refused():
    with pytest.raises(RomTypeError, match=r"^encoder must be a torch.nn.Module, got function"):
        require_row_wise(lambda x: x, "encoder")  # type: ignore[arg-type]
