"""Several files as one set, and the folder of a generation: what fits together, and what is missing or out of place."""

import fcntl
import itertools
import json
import os
import shutil

import h5py
import numpy as np
import pytest
import xarray as xr

import systems
from systems.io.atomic_files import write_whole

VALUE, FILE, MISSING = systems.SystemsValueError, systems.SystemsFileError, systems.SystemsFileNotFoundError

lorenz = systems.Lorenz()
T = np.linspace(0, 0.5, 6)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three shards, made once."""
    folder = tmp_path_factory.mktemp("made") / "runs"
    systems.simulate(lorenz, 70, T, path=folder)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "runs")


def again(folder):
    return systems.simulate(lorenz, 70, T, path=folder)


FIRST, SECOND, THIRD = (f"trajectories-{i:07d}-{j:07d}.h5" for i, j in ((0, 31), (32, 63), (64, 69)))


def test_a_folder_that_lacks_a_shard_is_not_opened_as_if_it_were_whole(folder):
    (folder / SECOND).unlink()
    with pytest.raises(
        MISSING, match=r"32 of 70 trajectories are not there, the first of them 32\. The same call"
    ) as caught:
        systems.open_trajectories(folder)
    assert "runs/*.h5' opens what is there" in str(caught.value)
    assert systems.open_trajectories(folder / "*.h5").sizes["trajectory"] == 38
    xr.testing.assert_identical(again(folder).load(), systems.simulate(lorenz, 70, T))
    assert systems.open_trajectories(folder).sizes["trajectory"] == 70


def test_a_shard_deleted_after_it_was_opened(folder):
    opened = systems.open_trajectories(folder)
    (folder / THIRD).unlink()
    assert np.isfinite(opened["state"][:64].values).all()
    with pytest.raises(MISSING, match=f"{THIRD}' has been deleted since it was opened"):
        opened["state"][66].load()


@pytest.mark.parametrize("use", [systems.open_trajectories, again])
def test_shards_under_each_others_names(folder, use):
    os.replace(folder / THIRD, folder / "aside")
    os.replace(folder / SECOND, folder / THIRD)
    message = f"{THIRD}' is in the wrong place: its name says trajectories 64 to 69, but it holds trajectories 32 to 63"
    with pytest.raises(FILE, match=message):
        use(folder)


def test_a_shard_with_another_name_is_not_taken_for_missing(folder):
    os.replace(folder / SECOND, folder / "second.h5")
    with pytest.raises(FILE, match=r"second.h5' was made by this call, but has none of the names.*was it renamed"):
        again(folder)


def test_a_shard_of_another_call_in_the_folder(folder, tmp_path):
    systems.simulate(lorenz, 70, T, seed=1, path=tmp_path / "other")
    shutil.copy(tmp_path / "other" / SECOND, folder / SECOND)
    with pytest.raises(VALUE, match=f"{SECOND}' was made by another call: it differs in seed"):
        again(folder)
    with pytest.raises(FILE, match=f"{SECOND}' and '.*{FIRST}' were made by different calls of simulate: .* in seed"):
        systems.open_trajectories(folder)
    assert systems.open_trajectories(folder / "*.h5").sizes["trajectory"] == 70


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:3000], lambda _: b""])
def test_a_damaged_shard_is_named_with_the_remedy(folder, damage):
    shard = folder / SECOND
    shard.write_bytes(damage(shard.read_bytes()))
    for use in (again, systems.open_trajectories):
        with pytest.raises(FILE, match=f"{SECOND}' cannot be read: it is truncated, altered"):
            use(folder)
    with pytest.raises(FILE, match="or delete it, and the same call makes it again"):
        again(folder)
    shard.unlink()
    xr.testing.assert_identical(again(folder).load(), systems.simulate(lorenz, 70, T))


def test_damaged_data_name_file_and_trajectory(folder):
    with h5py.File(folder / SECOND) as h5:
        offset = h5["state"].id.get_chunk_info(5).byte_offset
    data = bytearray((folder / SECOND).read_bytes())
    data[offset + 17] ^= 4
    (folder / SECOND).write_bytes(data)
    opened = systems.open_trajectories(folder)
    with pytest.raises(FILE, match=f"{SECOND}': 'state' of trajectory 37 cannot be read, its checksum fails"):
        opened["state"].load()
    assert np.isfinite(opened["state"].sel(trajectory=38).values).all()


# What killed writers leave


def leftover(folder, content=b"half a file"):
    path = folder / f".{SECOND}.4711-0123abcd.part"
    path.write_bytes(content)
    return path


def test_leftovers_are_never_data_and_go_with_the_next_call(folder):
    part = leftover(folder, (folder / SECOND).read_bytes())
    (folder / SECOND).unlink()
    with pytest.raises(MISSING, match="32 of 70"):
        systems.open_trajectories(folder)
    (folder / ".notes.part").write_text("of the user")
    again(folder)
    assert not part.exists()
    assert (folder / ".notes.part").exists()


def test_a_file_that_is_being_written_is_no_leftover(folder):
    part = leftover(folder)
    # A lock belongs to an open file, so that this stands for another process.
    with open(part, "r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_SH)
        again(folder)
        assert part.exists()
    again(folder)
    assert not part.exists()


def test_a_writer_whose_file_is_taken_for_a_leftover_makes_another(folder, monkeypatch):
    """Between the creation of the file and its lock another process may delete it."""
    real, deleted = fcntl.flock, []

    def late(file, kind):
        if not deleted:
            deleted.extend(folder.glob(".*.part"))
            deleted[0].unlink()
        return real(file, kind)

    monkeypatch.setattr(fcntl, "flock", late)
    write_whole(folder / "x", b"all of it")
    assert len(deleted) == 1
    assert (folder / "x").read_bytes() == b"all of it"
    assert not list(folder.glob(".*.part"))


# Files that do not fit together


def saved(tmp_path, *sets):
    return [systems.save_trajectories(one, tmp_path / f"{name}.h5") for name, one in zip("ab", sets, strict=False)]


def refused(tmp_path, *sets):
    with pytest.raises(FILE) as caught:
        systems.open_trajectories(saved(tmp_path, *sets))
    assert "a.h5" in str(caught.value)
    assert "b.h5" in str(caught.value)
    return str(caught.value)


def runs_of(system, seed=0, **options):
    return systems.simulate(system, 2, T, seed=seed, **options)


def test_two_systems_are_no_set(tmp_path):
    message = refused(tmp_path, runs_of(lorenz), runs_of(systems.Rossler()))
    assert "is of the system 'Rossler'" in message


def test_parameters_that_differ_and_are_not_stored(tmp_path):
    burgers = [systems.Burgers(n=16, viscosity=viscosity) for viscosity in (0.01, 0.1)]
    message = refused(tmp_path, *map(runs_of, burgers))
    assert "was made with viscosity = 0.1" in message
    assert "simulate with parameters=..., which are stored" in message
    stored = [runs_of(one, seed, parameters={"viscosity": one.viscosity}) for seed, one in enumerate(burgers)]
    joined = systems.open_trajectories(saved(tmp_path, *stored))
    assert joined["parameters"].values.ravel().tolist() == [0.01, 0.01, 0.1, 0.1]
    bumps = [systems.Burgers(n=16, initial=initial) for initial in ("harmonic", "bumps")]
    assert systems.open_trajectories(saved(tmp_path, *map(runs_of, bumps))).sizes["trajectory"] == 4


def test_defaults_of_a_black_box_belong_to_its_folder(tmp_path):
    def decay(x, mu):
        return -mu[0] * x

    first, second = (systems.from_rhs(decay, 1, parameters={"rate": rate}) for rate in (1.0, 2.0))
    systems.simulate(first, t=T, initial=[[1.0]], path=tmp_path)
    with pytest.raises(VALUE, match="it differs in defaults"):
        systems.simulate(second, t=T, initial=[[1.0]], path=tmp_path)


def test_units_that_disagree(tmp_path):
    one, other = runs_of(lorenz), runs_of(lorenz, seed=1)
    other["time"].attrs["units"] = "s"
    assert "b.h5' has 'time' in units of 's', " in refused(tmp_path, one, other)
    del other["time"].attrs["units"]
    assert systems.open_trajectories(saved(tmp_path, one, other)).sizes["trajectory"] == 4


def test_times_of_one_trajectory_that_overlap(tmp_path):
    one = runs_of(lorenz)
    parts = one.isel(time=slice(0, 4)), one.isel(time=slice(2, None))
    assert "both hold trajectory 0 of the same call of simulate, from t = 0.2 to 0.3" in refused(tmp_path, *parts)
    assert "from t = 0 to 0.5" in refused(tmp_path, one, one)
    apart = systems.open_trajectories(saved(tmp_path, one.isel(time=slice(0, 4)), one.isel(time=slice(3, None))))
    assert [part.sizes["time"] for part in apart] == [4, 3]


@pytest.mark.parametrize("order", list(itertools.permutations("ab")))
def test_two_versions_are_both_named(tmp_path, order):
    a, b = saved(tmp_path, runs_of(lorenz), runs_of(lorenz, seed=1))
    with h5py.File(b, "r+") as h5:
        h5.attrs["latentrom_schema"] = 2
    message = (
        r"b.h5' has schema version 2, from a newer release.*Update latentrom. Beside it, '.*a.h5' has schema version 1"
    )
    with pytest.raises(FILE, match=message):
        systems.open_trajectories([{"a": a, "b": b}[name] for name in order])
    with pytest.raises(FILE, match=message):
        systems.open_trajectories(tmp_path)


def test_a_provenance_of_the_users_own_is_no_obstacle(tmp_path):
    mine = runs_of(lorenz).assign_attrs(provenance="from the wind tunnel")
    assert systems.open_trajectories(saved(tmp_path, mine, mine)).sizes["trajectory"] == 4


# Blocks that failed


def bounded(x):
    return np.where(x > 3, np.nan, -x)


BOX, X0 = systems.from_rhs(bounded, 1), np.r_[np.full(32, 5.0), np.full(4, 0.1)][:, None]
BAD = "trajectories-0000000-0000031.failed.json"


def partly_failed(folder):
    with pytest.warns(systems.IntegrationWarning, match=r"32 of 36 trajectories"):
        return systems.simulate(BOX, t=[0.0, 1.0], initial=X0, path=folder)


def test_a_block_of_failures_is_recorded_and_not_tried_again(tmp_path, monkeypatch):
    from systems import generation

    first = partly_failed(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [BAD, "trajectories-0000032-0000035.h5"]
    monkeypatch.setattr(generation, "make", None)
    xr.testing.assert_identical(partly_failed(tmp_path).load(), first.load())
    assert systems.open_trajectories(tmp_path).sizes["trajectory"] == 4
    monkeypatch.undo()
    (tmp_path / BAD).unlink()
    with pytest.raises(MISSING, match="32 of 36 trajectories are not there"):
        systems.open_trajectories(tmp_path)
    xr.testing.assert_identical(partly_failed(tmp_path).load(), first.load())


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-9], lambda _: "[]", lambda text: text.replace("reason", "treason")]
)
def test_a_damaged_record(tmp_path, damage):
    partly_failed(tmp_path)
    (tmp_path / BAD).write_text(damage((tmp_path / BAD).read_text()))
    with pytest.raises(
        FILE, match=f"{BAD}' cannot be read: it is truncated or altered.*or delete it, and the same call"
    ):
        systems.simulate(BOX, t=[0.0, 1.0], initial=X0, path=tmp_path)
    with pytest.raises(FILE, match=f"{BAD}' cannot be read"):
        systems.open_trajectories(tmp_path)


def test_a_record_that_lacks_a_trajectory_is_out_of_place(tmp_path):
    partly_failed(tmp_path)
    record = json.loads((tmp_path / BAD).read_text())
    record["failed"].pop()
    (tmp_path / BAD).write_text(json.dumps(record))
    with pytest.raises(FILE, match=f"{BAD}' is in the wrong place"):
        systems.simulate(BOX, t=[0.0, 1.0], initial=X0, path=tmp_path)
