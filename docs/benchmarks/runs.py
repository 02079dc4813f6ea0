"""One measured run of a benchmark case, where it is kept, and whether what is kept is still up to date."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent
RESULTS = HERE / "results"
OURS = "ours"  # its sources are the package: what is kept of it is measured again only on demand


@dataclass(frozen=True)
class Run:
    """What one call of a case's `measure` measures: a method, its seed, and settings as (name, value) pairs."""

    method: str
    seed: int = 0
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """A file name without its ending, for instance "operator_inference-d16-seed0"."""
        parts = [self.method, *(f"{name}{plain(value)}" for name, value in self.settings), f"seed{self.seed}"]
        return re.sub(r"[^\w.+-]", "_", "-".join(parts))

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a setting."""
        return dict(self.settings).get(name, default)


@dataclass(frozen=True)
class Record:
    """What is kept of a run. `figures` is None for a run that failed, and `error` then says why.

    `made_by` is the digest of its sources in this folder, `packages` those of `rom` and `systems` at the time.
    """

    run: Run
    figures: dict[str, Any] | None
    machine: dict[str, Any] = field(default_factory=dict)
    made_by: str = ""
    error: str | None = None
    packages: dict[str, str] = field(default_factory=dict)

    @property
    def of_earlier_packages(self) -> bool:
        """Whether what it measures has changed since: peers depend on the data of `systems`, all else on both packages."""
        names = ("systems",) if is_peer(self.run.method) else ("rom", "systems")
        return any(self.packages.get(name) != packages()[name] for name in names)


def is_peer(method: str) -> bool:
    """Whether `method` is one that the package is compared with."""
    return method != OURS and (HERE / "methods" / f"{method}.py").exists()


def seeds(count: int, method: str = OURS, **settings: Any) -> list[Run]:
    """Runs of one method that differ in their seed."""
    return [Run(method, seed, tuple(settings.items())) for seed in range(count)]


def plain(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return "+".join(map(plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


# -- keeping ----------------------------------------------------------------------------------------------------------


def path_of(case: str, run: Run, folder: Path = RESULTS) -> Path:
    return folder / case / f"{run.key}.json"


def keep(case: str, record: Record, folder: Path = RESULTS) -> None:
    """Write a record aside and move it into place, so that a kill leaves the old one or the new one."""
    path = path_of(case, record.run, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    run = {"method": record.run.method, "seed": record.run.seed, "settings": list(map(list, record.run.settings))}
    document = {
        "run": run, "figures": record.figures, "error": record.error,
        "machine": record.machine, "made_by": record.made_by, "packages": record.packages,
    }  # fmt: skip
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(text_of(document))
    os.replace(aside, path)


def text_of(document: Mapping[str, Any]) -> str:
    """JSON with one line for each entry of a part, however many numbers it holds."""
    parts = []
    for name, part in document.items():
        if isinstance(part, dict) and part:
            entries = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in part.items())
            parts.append(f" {json.dumps(name)}: {{\n{entries}\n }}")
        else:
            parts.append(f" {json.dumps(name)}: {json.dumps(part)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def kept(case: str, folder: Path = RESULTS) -> Iterator[Record]:
    """All records of a case."""
    for path in sorted((folder / case).glob("*.json")):
        document = json.loads(path.read_text())
        of = document.pop("run")
        settings = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in of["settings"])
        yield Record(Run(of["method"], of["seed"], settings), **document)


def up_to_date(record: Record | None, made_by: str) -> bool:
    """Whether a run need not be repeated: it did not fail, and was made by the present sources, or by our own method."""
    if record is None or record.figures is None:
        return False
    return record.run.method == OURS or record.made_by == made_by


# -- sources ----------------------------------------------------------------------------------------------------------


def digest(case: str, method: str) -> str:
    """What a result depends on in this folder: the case's `measure`, the method, and all that these two use.

    Of the methods that a case imports only this one counts, so that a change of one leaves the results of the others.
    Comments, docstrings, layout, and what a case lists and shows do not count either.
    """
    pending = [HERE / "cases" / f"{case}.py", HERE / "methods" / f"{method}.py"]
    seen: dict[Path, str] = {}
    while pending:
        path = pending.pop()
        if path in seen or not path.exists():
            continue
        tree = ast.parse(path.read_text())
        of_case = path.parent.name == "cases"
        if of_case:
            tree.body = used_by("measure", tree.body)
        names = [name for node in ast.walk(tree) for name in imports(node)]
        names = [name for name in names if not (of_case and name.startswith("methods."))]
        for node in ast.walk(tree):
            drop_docstring(node)
        seen[path] = ast.dump(tree)
        files = [HERE / name.replace(".", "/") for name in names]
        pending += [path for file in files for path in (file.with_suffix(".py"), file / "__init__.py")]
    text = "\n".join(f"{path.relative_to(HERE)} {seen[path]}" for path in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def packages() -> dict[str, str]:
    """Digests of the sources of `rom` and `systems`, as they are imported here; docstrings and layout do not count."""
    result = {}
    for name in ("rom", "systems"):
        folder = Path(importlib.util.find_spec(name).origin).parent
        paths = {str(path.relative_to(folder)): path for path in folder.rglob("*.py")}
        trees = {path: ast.parse(paths[path].read_text()) for path in sorted(paths)}
        for tree in trees.values():
            for node in ast.walk(tree):
                drop_docstring(node)
        text = "\n".join(f"{path} {ast.dump(tree)}" for path, tree in trees.items())
        result[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return result


def used_by(name: str, body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a module that define `name` or what it uses, and so on, in their order."""
    pending, used = [name], set()
    while pending:
        name = pending.pop()
        if name not in used:
            used.add(name)
            nodes = [node for node in body if name in names_of(node)]
            pending += [n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)]
    return [node for node in body if names_of(node) & used]


def names_of(node: ast.stmt) -> set[str]:
    """The names that a statement of a module defines or imports."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return {target.id for target in targets if isinstance(target, ast.Name)}


def drop_docstring(node: ast.AST) -> None:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
        node.body = node.body[1:]


def imports(node: ast.AST) -> list[str]:
    """The modules that an import statement may mean: `from problems import burgers` means problems.burgers."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        names = []
    return [name for name in names if name not in ("runs", "report")]


def machine() -> dict[str, Any]:
    """What the figures are measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
