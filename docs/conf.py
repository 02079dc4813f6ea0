"""Sphinx configuration.

``python -m sphinx -W -b html docs docs/_build/html`` builds the pages and runs the code cells of the tutorials.
``-D nb_execution_mode=off`` leaves the cells unexecuted.
"""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import Any

project = "latentrom"
author = "The latentrom developers"
copyright = "The latentrom developers"  # noqa: A001
release = version = installed("latentrom")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "benchmarks"]
html_theme = "furo"
html_title = f"latentrom {release}"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 2
nb_execution_mode = "force"  # a cache does not notice changes of the package
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_merge_streams = True
suppress_warnings = ["myst-nb.lexer"]  # the language of a cell is known only once it has run; Python is the default

# Docstrings are in numpydoc form. They state types and shapes, so signatures need no annotations.
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autosummary_generate = False
default_role = "py:obj"
python_maximum_signature_line_length = 88

MADE_BY_FUNCTIONS = ("rom.ReducedOrderModel", "rom.Autoencoder")  # users do not call these constructors
SETTINGS = ("(*_values", "(**settings")  # how signatures of settings begin: their fields are the keyword arguments


def hide_signature(*event: Any) -> tuple[str, str] | None:
    """Return an empty signature for classes whose constructor tells a reader nothing."""
    _app, kind, name, _found, _options, signature, _returns = event
    is_settings = kind == "class" and (signature or "").startswith(SETTINGS)
    return ("", "") if is_settings or name in MADE_BY_FUNCTIONS else None


def setup(app: Any) -> None:
    """Connect the hooks."""
    app.connect("autodoc-process-signature", hide_signature)
