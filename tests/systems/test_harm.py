"""Kills, flipped bytes, disks that refuse: short versions of the benchmark case `robustness`."""

import os
import sys

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("kills process groups, and mounts disks, as Linux does", allow_module_level=True)

import harm

import systems

N = 144  # the last of five blocks is half as large as the others


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A folder made by one process, and the digests of its files."""
    folder = tmp_path_factory.mktemp("reference") / "runs"
    systems.simulate(harm.SYSTEM, N, harm.TIMES, path=folder)
    return folder, harm.digests(folder)


def test_what_a_kill_leaves_is_whole_and_the_same_call_makes_the_rest(reference, tmp_path):
    (tmp_path / "whole").mkdir()
    harm.seconds_to_generate(tmp_path / "whole", N)  # the first one waits for imports
    duration = harm.seconds_to_generate(tmp_path / "again", N)
    for i, share in enumerate(np.random.default_rng(0).random(5)):
        kill = harm.kill(tmp_path / str(i), N, share * duration, reference[1])
        assert kill.damaged == 0, kill
        assert kill.restored, kill


def test_flipped_bytes_are_noticed(reference):
    path, rng = reference[0] / "trajectories-0000128-0000143.h5", np.random.default_rng(1)
    counts = harm.flipped(path, rng.choice(harm.chunk_bytes(path), 20, replace=False), rng)
    assert counts == {"noticed": 20, "harmless": 0, "unnoticed": 0}
    assert harm.flipped(path, rng.choice(os.path.getsize(path), 20, replace=False), rng)["unnoticed"] == 0


@pytest.mark.parametrize(
    ("harmful", "finished", "message"),
    [
        (harm.on_a_full_disk, {1, 2}, "could not be written: No space left on device"),
        (
            harm.on_a_read_only_disk,
            {2},
            "the folder 'runs' may not be written to, and 3 of 5 blocks of trajectories are",
        ),
        (harm.beyond_a_limit, {0}, "could not be written: File too large"),
    ],
)
def test_disks_that_refuse(harmful, finished, message, reference, tmp_path):
    try:
        refusal = harmful(tmp_path / "runs", N, reference[1])
    except harm.NotPossible as error:
        pytest.skip(str(error))
    assert message in refusal.error
    assert refusal.error.startswith("SystemsOSError: ")
    assert refusal.finished in finished
    assert refusal.leftovers == 0
    assert refusal.damaged == 0
    assert refusal.restored


def test_a_full_disk_leaves_the_file_that_was_there(reference, tmp_path):
    runs = systems.open_trajectories(reference[0])
    disk, file = tmp_path / "disk", tmp_path / "disk" / "runs.h5"
    try:
        with harm.small_disk(disk, "256k"):
            systems.save_trajectories(runs.isel(trajectory=[0]), file)
            before = file.read_bytes()
            with pytest.raises(systems.SystemsOSError, match=r"runs.h5' could not be written: No space left on device"):
                systems.save_trajectories(runs, file)
            assert os.listdir(disk) == ["runs.h5"]
            assert file.read_bytes() == before
    except harm.NotPossible as error:
        pytest.skip(str(error))


def test_a_complete_folder_needs_no_permission(tmp_path):
    disk = tmp_path / "disk"
    try:
        with harm.small_disk(disk, "1g"):
            expected = systems.simulate(harm.SYSTEM, 40, harm.TIMES, path=disk).load()
            harm.mount("-o", "remount,ro", str(disk))
            assert systems.simulate(harm.SYSTEM, 40, harm.TIMES, path=disk).load().identical(expected)
            with pytest.raises(systems.SystemsOSError, match=r"x.h5' could not be written: Read-only file system"):
                systems.save_trajectories(expected, disk / "x.h5")
    except harm.NotPossible as error:
        pytest.skip(str(error))
