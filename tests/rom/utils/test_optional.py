"""Optional packages: the error names what needs one, the package and the extra that installs it."""

import pytest

import rom
from rom.utils.optional import require_package


def test_a_package_that_is_installed_is_accepted():
    require_package("scipy.linalg", "scipy", "extra", "this")


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(rom.RomImportError, match=r"this needs some-package, .* pip install latentrom\[extra\]"):
        require_package("no_such_module.part", "some-package", "extra", "this")


def test_a_broken_package_raises_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module") as caught:
        require_package("broken_module", "broken", "extra", "this")
    assert not isinstance(caught.value, rom.RomError)
