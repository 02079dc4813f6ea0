"""Packages that only some functions need."""

from __future__ import annotations

import importlib

from rom.utils.errors import RomImportError

__all__ = ["require_package", "require_scikit_learn", "scikit_learn_is_installed"]


def require_package(module: str, package: str, extra: str, feature: str) -> None:
    """Import a module of an optional package, or say how to install the package.

    Parameters
    ----------
    module : str
        Name of the module, such as ``"sklearn.manifold"``.
    package : str
        Name of the package that has it, such as ``"scikit-learn"``.
    extra : str
        Extra of latentrom that installs the package.
    feature : str
        What needs the package; the error message begins with it.

    Raises
    ------
    RomImportError
        If the package is not installed. An import that fails inside the package is raised as it is.
    """
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != module.split(".")[0]:
            raise
        raise RomImportError(
            f"{feature} needs {package}, which is not installed: pip install latentrom[{extra}]"
        ) from error


def require_scikit_learn(feature: str) -> None:
    """Raise `RomImportError` if scikit-learn, which `feature` needs, is missing."""
    require_package("sklearn.manifold", "scikit-learn", "manifold", feature)


def scikit_learn_is_installed() -> bool:
    """Return whether scikit-learn can be imported."""
    try:
        require_scikit_learn("this")
    except RomImportError:
        return False
    return True
