"""Digests of source code, which tell whether a recorded result is still up to date.

A digest depends on what the code does: comments, docstrings, layout and the version of Python do not change it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from runs import HERE, OURS, Record

__all__ = ["digest", "is_of_earlier_packages", "is_up_to_date", "packages"]

PACKAGES = ("rom", "systems")
BOOKKEEPING = ("report", "runs")  # modules that cases import and that change no figure


def is_up_to_date(record: Record | None, made_by: str) -> bool:
    """Return whether a run need not be repeated.

    That is so if it did not fail and was made by the sources with the digest `made_by`. A run of our own method is not
    repeated for a change of the sources, because every change of the package is one.
    """
    if record is None or record.figures is None:
        return False
    return record.run.method == OURS or record.made_by == made_by


def is_of_earlier_packages(record: Record) -> bool:
    """Return whether the packages that a run depends on have changed since it was measured.

    Methods that `rom` is compared with depend on the data of `systems` alone, all others on both packages.
    """
    method = record.run.method
    is_peer = method != OURS and (HERE / "methods" / f"{method}.py").exists()
    names = ("systems",) if is_peer else PACKAGES
    return any(record.packages.get(name) != packages()[name] for name in names)


@cache
def packages() -> dict[str, str]:
    """Return digests of all source files of `rom` and `systems`, as they are imported here."""
    return {name: digest_of_folder(Path(importlib.util.find_spec(name).origin).parent) for name in PACKAGES}


def digest_of_folder(folder: Path) -> str:
    """Return the digest of all Python files in a folder and in the folders below it."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")}
    return hashed({name: outline(ast.parse(paths[name].read_text())) for name in paths})


def digest(case: str, method: str) -> str:
    """Return the digest of what a result depends on in this folder.

    These are the case's `measure`, the method, and all that they use. Of the methods that a case imports only `method`
    counts, so that a change of one leaves the results of the others up to date. What a case lists and shows does not
    count either.
    """
    pending = [HERE / "cases" / f"{case}.py", HERE / "methods" / f"{method}.py"]
    seen: dict[Path, Any] = {}
    while pending:
        path = pending.pop()
        if path in seen or not path.exists():
            continue
        tree = ast.parse(path.read_text())
        is_case = path.parent.name == "cases"
        if is_case:
            tree.body = used_by("measure", tree.body)
        modules = [name for node in ast.walk(tree) for name in imported(node)]
        modules = [name for name in modules if not (is_case and name.startswith("methods."))]
        seen[path] = outline(tree)
        files = [HERE / name.replace(".", "/") for name in modules]
        pending += [path for file in files for path in (file.with_suffix(".py"), file / "__init__.py")]
    return hashed({path.relative_to(HERE).as_posix(): seen[path] for path in seen})


def hashed(outlines: dict[str, Any]) -> str:
    """Return 16 hexadecimal digits for the outlines of some files, by their names."""
    text = "\n".join(f"{name} {outlines[name]}" for name in sorted(outlines))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def outline(node: Any) -> Any:
    """Return a syntax tree as nested tuples, without docstrings and without fields that are empty.

    Versions of Python differ in which empty fields a tree has.
    """
    if isinstance(node, list):
        return tuple(map(outline, node))
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
    if (
        isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and ast.get_docstring(node, clean=False) is not None
    ):
        fields["body"] = node.body[1:]
    return (type(node).__name__, *((name, outline(value)) for name, value in fields.items()))


def used_by(name: str, body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a module that define `name`, or something that it uses directly or indirectly."""
    pending, used = [name], set()
    while pending:
        name = pending.pop()
        if name not in used:
            used.add(name)
            nodes = [node for node in body if name in defined(node)]
            pending += [n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)]
    return [node for node in body if defined(node) & used]


def defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement of a module defines or imports."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return {target.id for target in targets if isinstance(target, ast.Name)}


def imported(node: ast.AST) -> list[str]:
    """Return the modules that an import may mean: ``from problems import burgers`` may mean problems.burgers."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        names = []
    return [name for name in names if name not in BOOKKEEPING]
