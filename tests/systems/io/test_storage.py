"""Files: what comes back, what xarray makes of them, and what is noticed when they are damaged."""

import errno
import os
import pickle

import h5py
import numpy as np
import pytest
import xarray as xr

import systems
from systems.io import read, write

VALUE, TYPE = systems.SystemsValueError, systems.SystemsTypeError

runs = systems.simulate(systems.Burgers(n=16), 4, np.linspace(0, 1, 5), parameters="sample")


@pytest.fixture
def file(tmp_path):
    return systems.save_trajectories(runs, tmp_path / "runs.h5")


@pytest.mark.parametrize(
    "dataset",
    [
        runs,
        runs.astype(np.float32),
        systems.collocate(systems.Lorenz(), 7, parameters="sample"),
        systems.simulate(
            systems.from_rhs(lambda x: -x, shape=(2, 2), dims=("y", "x"), coords={"y": ["low", "höher"]}),
            t=[0.0, 1.0],
            initial=np.ones((1, 2, 2)),
        ),
        xr.Dataset({"state": (("trajectory", "time", "x"), np.ones((2, 3, 4)))}, {"time": [0.0, 1.0, 4.0]}),
    ],
    ids=["trajectories", "float32", "collocation", "two dimensions, names", "no coordinates"],
)
def test_what_is_saved_comes_back(dataset, tmp_path):
    path = systems.save_trajectories(dataset, tmp_path / "set.h5")
    back = systems.open_trajectories(path)
    expected = dataset.assign_attrs(provenance=dataset.attrs.get("provenance", "{}"))
    xr.testing.assert_identical(back.load(), expected)
    for name in dataset.variables:
        if dataset[name].dtype.kind == "f":
            assert back[name].dtype == dataset[name].dtype


def test_xarray_opens_the_file_lazily(file):
    with xr.open_dataset(file) as plain:
        assert plain["state"].dims == ("trajectory", "time", "x")
        np.testing.assert_array_equal(plain["state"], runs["state"])
        np.testing.assert_array_equal(plain["x"], runs["x"])
        assert plain["time"].attrs == {"units": "1"}
        assert plain["parameter"].values.tolist() == ["viscosity"]
    with xr.open_dataset(file, engine="h5netcdf", chunks={}) as lazy:
        assert lazy["state"].chunks[0] == (1, 1, 1, 1)


def test_layout_in_the_file(file):
    with h5py.File(file) as h5:
        state = h5["state"]
        assert state.fletcher32
        assert h5["time"].fletcher32
        assert state.dtype == np.dtype("<f8")
        assert [state.dims[i][0].name for i in range(3)] == ["/trajectory", "/time", "/x"]
        assert h5.attrs["latentrom_schema"] == 1


def test_values_are_read_when_used_and_only_those(file, monkeypatch):
    reads = []
    real = read._StoredArray._read
    monkeypatch.setattr(read._StoredArray, "_read", lambda self, key: reads.append(key) or real(self, key))
    lazy = systems.open_trajectories(file)
    part = lazy["state"].isel(trajectory=2, time=[0, 3])
    assert reads == []
    np.testing.assert_array_equal(part, runs["state"][2, [0, 3]])
    assert len(reads) == 1
    with pickle.loads(pickle.dumps(lazy)) as copy:
        np.testing.assert_array_equal(copy["state"], runs["state"])


def test_several_files_are_one_set_in_order(tmp_path):
    parts = [runs.isel(trajectory=[0, 1]), runs.isel(trajectory=[2]), runs.isel(trajectory=[3])]
    files = [systems.save_trajectories(part, tmp_path / f"{i}.h5") for i, part in enumerate(parts)]
    for path in (files, str(tmp_path / "*.h5"), tmp_path, [str(f) for f in files]):
        joined = systems.open_trajectories(path)
        assert joined["state"].chunks is not None
        xr.testing.assert_identical(joined.load(), runs)


def test_unequal_times_or_grids_stay_apart(tmp_path):
    other = systems.simulate(systems.Burgers(n=8), 2, [0.0, 1.0])
    more, last = (
        systems.simulate(systems.Burgers(n=16), n, np.linspace(0, 1, 5), parameters="sample", seed=n) for n in (4, 1)
    )
    sets = [runs, more.isel(time=slice(0, 3)), other, last]
    for i, one in enumerate(sets):
        systems.save_trajectories(one, tmp_path / f"{i}.h5")
    opened = systems.open_trajectories(tmp_path)
    assert isinstance(opened, list)
    assert [dict(one.sizes) for one in opened] == [
        {"trajectory": 5, "time": 5, "x": 16, "parameter": 1},
        {"trajectory": 4, "time": 3, "x": 16, "parameter": 1},
        {"trajectory": 2, "time": 2, "x": 8},
    ]


def test_large_trajectories_are_chunked_in_time():
    assert write._chunks(("trajectory", "time", "x"), (3, 100, 2**17), 8) == (1, 4, 2**17)
    assert write._chunks(("trajectory", "time", "x"), (3, 100, 8), 8) == (1, 100, 8)
    assert write._chunks(("point", "x"), (10**6, 128), 8) == (4096, 128)


def test_saving_replaces_as_a_whole(file):
    systems.save_trajectories(runs.isel(trajectory=[0]), file)
    assert systems.open_trajectories(file).sizes["trajectory"] == 1
    assert os.listdir(file.parent) == ["runs.h5"]


# Damage


def use(path):
    opened = systems.open_trajectories(path)
    return [opened] if isinstance(opened, list) else [opened.load()]


def test_every_flipped_byte_is_noticed_or_harmless(file):
    original = file.read_bytes()
    rng = np.random.default_rng(0)
    noticed = 0
    for at in rng.choice(len(original), 300, replace=False):
        damaged = bytearray(original)
        damaged[at] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        try:
            (opened,) = use(file)
        except systems.SystemsFileError as error:
            noticed += str(file) in str(error)
        else:
            # Space that nothing uses; the data are what they were.
            for name in ("state", "parameters", "time", "x", "trajectory"):
                np.testing.assert_array_equal(opened[name], runs[name])
    assert noticed > 20


def test_flipped_bytes_of_data_fail_the_checksum(file):
    with h5py.File(file) as h5:
        offset = h5["state"].id.get_chunk_info(1).byte_offset
    data = bytearray(file.read_bytes())
    data[offset + 17] ^= 4
    file.write_bytes(data)
    opened = systems.open_trajectories(file)
    np.testing.assert_array_equal(opened["state"][0], runs["state"][0])
    with pytest.raises(
        systems.SystemsFileError, match=r"runs.h5.*'state' of trajectory 1 cannot be read, its checksum"
    ):
        opened["state"][1].load()


@pytest.mark.parametrize("keep", [0, 7, 100, 0.5, 0.98])
def test_truncated_files(file, keep):
    data = file.read_bytes()
    file.write_bytes(data[: keep if keep >= 1 else int(keep * len(data))])
    with pytest.raises(systems.SystemsFileError, match=r"runs.h5' cannot be read: it is truncated, altered"):
        use(file)


def change(file, attribute, value):
    with h5py.File(file, "r+") as h5:
        h5.attrs[attribute] = value


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: change(f, "latentrom_schema", 2),
            "schema version 2, from a newer release.*Update latentrom",
        ),
        (
            lambda f: change(f, "latentrom_schema", 0),
            "schema version 0, from an older release.*Make the file again",
        ),
        (lambda f: change(f, "provenance", "{}"), "has been altered: its header does not match"),
        (lambda f: f.write_text("time,x\n0,1\n"), "no HDF5 file"),
        (
            lambda f: runs.to_netcdf(f, engine="h5netcdf"),
            "was not written by save_trajectories.*xarray.open_dataset",
        ),
    ],
)
def test_other_files_are_named_with_the_remedy(file, damage, message):
    damage(file)
    with pytest.raises(systems.SystemsFileError, match=f"runs.h5.*{message}"):
        systems.open_trajectories(file)


def test_a_file_that_vanishes(file):
    opened = systems.open_trajectories(file)
    file.unlink()
    with pytest.raises(systems.SystemsFileNotFoundError, match=r"runs.h5' has been deleted since it was opened"):
        opened.load()


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("none.h5", systems.SystemsFileNotFoundError, "none.h5': no such file"),
        ("none*.h5", systems.SystemsFileNotFoundError, "no file matches the pattern"),
        (".", systems.SystemsFileNotFoundError, "the folder holds no .h5 file"),
        ([], VALUE, "path is an empty list"),
        ([None], TYPE, r"path\[0\] must be the path of a file, got None"),
        (3, TYPE, "path must be a file, a pattern or a list of files, got 3"),
    ],
)
def test_paths_that_lead_nowhere(path, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        systems.open_trajectories(path)


@pytest.mark.parametrize(
    ("dataset", "error", "message"),
    [
        (np.zeros(3), TYPE, "dataset must be an xarray.Dataset, got ndarray"),
        (xr.Dataset(), VALUE, "must have a variable 'state'"),
        (runs.transpose("time", ...), VALUE, r"dimensions \(trajectory, time, ...\) or"),
        (runs.isel(trajectory=[]), VALUE, "dataset is empty"),
        (runs.drop_vars("time"), VALUE, "must have the coordinate 'time'"),
        (runs.isel(time=slice(None, None, -1)), VALUE, r"time\[0\] = 1 is followed by time\[1\] = 0.75: sort by time"),
        (
            runs.assign_coords(time=np.array([5, 4, 3, 2, 1], np.uint8)),
            VALUE,
            r"time\[0\] = 5 is followed by time\[1\] = 4",
        ),
        (runs.assign_coords(time=[0, 1, 2, np.nan, 3]), VALUE, r"time\[2\] = 2 is followed by time\[3\] = nan"),
        (runs.assign_coords(time=list("abcde")), TYPE, "'time' must hold numbers, got <U1"),
        (
            runs.astype(complex),
            TYPE,
            "variable 'state' must hold real numbers, got complex128",
        ),
        (runs.where(runs["state"] < 0.1), VALUE, r"state must be finite, but state\[\d"),
    ],
)
def test_data_that_cannot_be_stored(dataset, error, message, tmp_path):
    with pytest.raises(error, match=message):
        systems.save_trajectories(dataset, tmp_path / "x.h5")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_what_was_there(file, monkeypatch):
    before = file.read_bytes()

    def full(descriptor):  # noqa: ARG001
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(systems.SystemsOSError, match=r"runs.h5' could not be written: No space left") as caught:
        systems.save_trajectories(runs.isel(trajectory=[0]), file)
    assert isinstance(caught.value.__cause__, OSError)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == ["runs.h5"]


def test_a_file_that_is_replaced_while_it_is_open(file):
    opened = systems.open_trajectories(file)
    systems.save_trajectories(systems.simulate(systems.Burgers(n=16), 4, np.linspace(0, 1, 5), seed=9), file)
    with pytest.raises(
        systems.SystemsFileError, match=r"runs.h5' has been replaced since it was opened: open it again"
    ):
        opened["state"].load()
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(systems.SystemsFileError, match=r"runs.h5': 'state' cannot be read, it is truncated"):
        opened["state"].load()


def test_a_file_that_another_program_writes_to(file):
    lock = pytest.importorskip("fcntl")
    with open(file, "r+b") as other:
        lock.flock(other, lock.LOCK_EX)
        with pytest.raises(systems.SystemsOSError, match=r"runs.h5' could not be read: "):
            systems.open_trajectories(file)


def test_a_path_that_is_none():
    with pytest.raises(TYPE, match=r"path must be the path of a file, such as 'runs.h5', got None"):
        systems.save_trajectories(runs, None)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(systems.SystemsOSError, match=r"No such file or directory"):
        systems.save_trajectories(runs, tmp_path / "no" / "x.h5")
