"""Sphinx configuration. Build with: python -m sphinx -W -b html docs docs/_build/html"""

from __future__ import annotations

import inspect
import pkgutil
from importlib.metadata import version as installed

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

project = "latentrom"
author = "The latentrom developers"
copyright = "The latentrom developers"  # noqa: A001
release = version = installed("latentrom")

extensions = ["myst_nb"]
exclude_patterns = ["_build", "benchmarks"]
html_theme = "furo"
html_title = f"latentrom {release}"

myst_enable_extensions = ["dollarmath", "colon_fence"]
nb_execution_mode = "force"  # a cache would not see that the package itself has changed
nb_execution_timeout = 180
nb_execution_raise_on_error = True
# Results differ from machine to machine in the last digits; a page shows those of its own build.
nb_merge_streams = True


class Docstring(SphinxDirective):
    """The signature and docstring of a public name, as they are written: `{docstring} rom.fit`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0].rpartition(".")[2]
        found = pkgutil.resolve_name(self.arguments[0])
        text = inspect.getdoc(found) or ""
        if callable(found):
            text = f"{name}{signature(found)}\n\n{text}"
        block = nodes.literal_block(text, text)
        block["language"] = "text"
        return [block]


def signature(found: object) -> str:
    """Arguments and defaults, without the annotations that the docstring puts into words."""
    parameters = inspect.signature(found).parameters.values()  # type: ignore[arg-type]
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in parameters if p.name != "self"]
    return str(inspect.Signature(bare))


def setup(app: object) -> None:
    app.add_directive("docstring", Docstring)  # type: ignore[attr-defined]
