"""Streams of random numbers: one for each purpose, the same for equal seeds, and no global side effect."""

import itertools

import numpy as np
import pytest
import torch

from rom.utils.random import AutoencoderStream, FitStream, random_stream, step_generator, torch_generator


@pytest.mark.parametrize("streams", [FitStream, AutoencoderStream], ids=lambda streams: streams.__name__)
def test_streams_of_one_fit_differ(streams):
    drawn = [random_stream(3, stream).integers(2**60) for stream in streams]
    drawn += [random_stream(3, FitStream.FRESH_FLOWS, k, block).integers(2**60) for k in (0, 1) for block in (1, 2)]
    assert len(set(drawn)) == len(drawn)


def test_equal_seeds_give_equal_numbers():
    for stream in FitStream:
        a, b = (random_stream(5, stream, 1).random(4) for _ in range(2))
        np.testing.assert_array_equal(a, b)
    assert torch.equal(torch.rand(3, generator=torch_generator(7)), torch.rand(3, generator=torch_generator(7)))


def test_steps_have_generators_of_their_own():
    rows = [torch.rand(4, generator=step_generator(seed, step)) for seed in (0, 1) for step in (0, 1)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(rows, 2))


def test_global_generators_are_not_touched():
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    random_stream(0, FitStream.HELD_OUT_POINTS).random(3)
    torch.rand(3, generator=torch_generator(0))
    assert torch.equal(torch.random.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


def test_large_seeds_are_taken():
    assert torch_generator(2**70 + 1).initial_seed() == (2**70 + 1) % 2**63
