"""The package as a whole: its public names, the effects of importing it, and the conflict with another `systems`."""

import subprocess
import sys
import textwrap

import rom


def run_python(code, cwd=None):
    """Run code in another process and return the completed process."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_every_public_name_exists_and_is_documented():
    for name in rom.__all__:
        assert getattr(rom, name).__doc__, name


def test_importing_changes_nothing_and_runs_quietly():
    result = run_python("""
        import logging
        import numpy as np
        import torch
        torch.manual_seed(0)
        np.random.seed(0)
        def state():
            return (torch.get_default_dtype(), torch.get_num_threads(), torch.get_num_interop_threads(),
                    torch.get_rng_state().tolist(), str(np.random.get_state()), torch.is_grad_enabled(),
                    logging.getLogger().level, logging.getLogger().handlers)
        before = state()
        import rom
        assert state() == before
        assert logging.getLogger("rom").handlers == []
    """)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_another_package_called_systems_is_named(tmp_path):
    (tmp_path / "systems.py").write_text("SOMETHING = 1")
    result = run_python("import sys; sys.path.insert(0, ''); import rom", cwd=tmp_path)
    assert result.returncode != 0
    assert "`rom` needs the package `systems` of the distribution latentrom, but found another one at" in result.stderr
    assert "systems.py" in result.stderr
