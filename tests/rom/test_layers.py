"""Imports of `rom` go one way: each part may import only the parts to its left, and `systems` only by its public names."""

import ast
from pathlib import Path

import pytest

import rom

FOLDER = Path(rom.__file__).parent
LAYERS = (
    "utils",
    "reduction",
    "data",
    "networks",
    "config",
    "dynamics",
    "training",
    "models",
    "fitting",
    "plotting",
    "cli",
)
APART = ({"training", "models"}, {"fitting", "plotting"})  # these do not import each other either
FACES = {"__init__", "__main__"}  # of the package itself


def part_of(path: Path) -> str:
    return path.relative_to(FOLDER).parts[0].removesuffix(".py")


def imported_by(path: Path) -> list[str]:
    """Names of the modules that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]


FILES = [path for path in sorted(FOLDER.rglob("*.py")) if part_of(path) not in FACES]


def test_every_part_has_a_layer():
    assert {part_of(path) for path in FILES} == set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_imports_go_one_way(path):
    own = part_of(path)
    for name in imported_by(path):
        package, _, rest = name.partition(".")
        if package == "systems":
            assert not rest, f"{name}: only the public names of systems"
        if package != "rom" or (not rest and own == "cli"):
            continue
        other = rest.split(".")[0]
        assert LAYERS.index(other) <= LAYERS.index(own), f"{own} imports {name}"
        assert {own, other} not in APART, f"{own} imports {name}"
