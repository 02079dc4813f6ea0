"""States read block by block: every one once, however they are chunked, and whatever goes wrong on the way."""

import dask.array
import numpy as np
import pytest
import xarray as xr

import rom
import systems
from rom.data.fields import Field
from rom.data.lazy import LazyStates, iter_blocks, read
from rom.data.read_trajectories import as_trajectories

STATES = np.arange(4.0 * 6 * 5).reshape(4, 6, 5)
ONE = 8 * 5  # bytes of a state


def parts(shape):
    return (Field("state", tuple(f"axis_{k}" for k in range(len(shape))), shape),)


def lazy(chunks, states=STATES):
    return LazyStates(dask.array.from_array(states, chunks=chunks), np.arange(len(states)), parts(states.shape[2:]))


@pytest.fixture
def reads_of(monkeypatch):
    """The shapes that `read` returned."""
    shapes = []

    def counted(*arguments):
        values = read(*arguments)
        shapes.append(values.shape)
        return values

    monkeypatch.setattr("rom.data.lazy.read", counted)
    return shapes


@pytest.mark.parametrize("states_in_a_block", [0.1, 1, 2, 5, 6, 7, 12, 13, 100])
@pytest.mark.parametrize(
    "chunks", [None, (1, 6, 5), (1, 2, 5), (2, 3, 5), (4, 1, 5), (4, 6, 5), (3, 4, 5), ((1, 3), (5, 1), 5)], ids=str
)
def test_every_state_comes_once_in_blocks_of_bounded_size(monkeypatch, chunks, states_in_a_block):
    monkeypatch.setattr("rom.data.lazy.BLOCK_BYTES", int(states_in_a_block * ONE))
    states = STATES if chunks is None else lazy(chunks)
    found, times_seen = np.full(STATES.shape, np.nan), np.zeros(len(STATES), dtype=int)
    for chosen, within, block in iter_blocks(states):
        assert block.dtype == np.float64
        assert block.nbytes <= max(states_in_a_block, 1) * ONE
        assert np.isnan(found[chosen, within]).all()
        assert (times_seen[chosen] == within.start).all(), "pieces of a trajectory come in the order of time"
        times_seen[chosen] = within.stop
        found[chosen, within] = block
    np.testing.assert_array_equal(found, STATES)


@pytest.mark.parametrize(
    ("chunks", "states_in_a_block", "expected"),
    [
        ((1, 6, 5), 12, [(2, 6, 5), (2, 6, 5)]),
        ((1, 2, 5), 4, [(1, 4, 5), (1, 2, 5)] * 4),
        ((4, 1, 5), 8, [(4, 2, 5)] * 3),
        ((2, 6, 5), 1, [(2, 6, 5)] * 2),  # a chunk that is larger than a block is read once
    ],
)
def test_whole_chunks_are_read_once(monkeypatch, reads_of, chunks, states_in_a_block, expected):
    monkeypatch.setattr("rom.data.lazy.BLOCK_BYTES", states_in_a_block * ONE)
    list(iter_blocks(lazy(chunks)))
    assert reads_of == expected


@pytest.fixture
def folder(tmp_path):
    """A folder of three files, each with two trajectories of twelve times whose chunks are three times."""
    states = np.random.default_rng(0).standard_normal((6, 12, 40))
    dataset = xr.Dataset({"state": (("trajectory", "time", "x"), states)}, coords={"time": np.arange(12.0)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("systems.io.write.LARGEST_CHUNK", 3 * 8 * 40)
        for k in range(3):
            systems.save_trajectories(dataset.isel(trajectory=slice(2 * k, 2 * k + 2)), tmp_path / f"{k}.h5")
    return tmp_path


@pytest.mark.parametrize("pattern", ["*.h5", "0.h5"])
def test_long_trajectories_of_files_are_cut_in_time_at_chunks_of_the_file(folder, monkeypatch, reads_of, pattern):
    monkeypatch.setattr("rom.data.lazy.BLOCK_BYTES", 7 * 8 * 40)
    monkeypatch.setattr("systems.io.open.LARGEST_READ", 7 * 8 * 40)
    (group,), _ = as_trajectories(systems.open_trajectories(folder / pattern))
    n = len(group)
    list(group.blocks())
    assert group.states.array.chunks == ((1,) * n, (6, 6), (40,))
    assert reads_of == [(1, 6, 40), (1, 6, 40)] * n


def test_one_file_stays_on_disk(folder, monkeypatch):
    """`.data` of a variable that is still in its file reads all of it."""
    monkeypatch.setattr("rom.data.lazy.BLOCK_BYTES", 1)
    opened = systems.open_trajectories(folder / "0.h5")
    (folder / "0.h5").unlink()
    (group,), _ = as_trajectories(opened)
    with pytest.raises(systems.SystemsFileNotFoundError, match=r"0\.h5.* has been deleted since it was opened"):
        next(group.blocks())


@pytest.mark.parametrize("large", [False, True])
def test_a_lazy_state_that_is_not_finite_is_named_when_it_is_read(monkeypatch, large):
    if large:
        monkeypatch.setattr("rom.data.lazy.BLOCK_BYTES", 1)
    states = np.ones((3, 6, 2, 4))
    states[2, 4, 1, 3] = np.inf
    sets = [
        xr.Dataset({"state": (("trajectory", "time", "x", "y"), values)}, coords={"time": np.arange(6.0)})
        for values in (np.ones((2, 6, 2, 4)), states)
    ]
    message = r"state is inf at trajectory 4, time index 4, component \(1, 3\); remove or repair it"
    lazy_sets = [sets[0].chunk(trajectory=1), sets[1].chunk(time=5)]
    if not large:  # at the door
        with pytest.raises(rom.RomValueError, match=message):
            as_trajectories(lazy_sets)
        return
    groups, _ = as_trajectories(lazy_sets)
    with pytest.raises(rom.RomValueError, match=message):
        list(groups[1].select([2, 0]).blocks())  # in whatever order they were chosen


def test_a_computation_that_fails_is_named_and_chained():
    def fails(_block):
        raise ZeroDivisionError("the solver")

    states = LazyStates(
        dask.array.map_blocks(fails, lazy((1, 6, 5)).array, dtype=float), np.array([7, 3, 5, 1]), parts((5,))
    )
    message = r"states of trajectories 7 to 1 could not be read or computed \(ZeroDivisionError: the solver\)"
    with pytest.raises(rom.RomReadError, match=message) as caught:
        next(iter_blocks(states))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert isinstance(caught.value, rom.RomError)
    assert isinstance(caught.value, RuntimeError)
