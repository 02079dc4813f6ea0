"""Pages name what exists: public names, links, files, benchmarks and commands."""

import gc
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import rom
import systems
from rom.networks.geometry import Geometry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [path for path in DOCS.rglob("*.md") if "_build" not in path.parts]
PAGES += [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PATH = re.compile(r"`((?:rom|systems|docs|tests|\.ci)/[\w./-]*)`")
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"`([\w.]+)` in `((?:rom|systems)/[\w/]+\.py)`")
MEASUREMENT = re.compile(r"`python docs/benchmarks/run\.py ([a-z][\w\s]*)`")


@pytest.mark.parametrize("module", [rom, systems, rom.plotting])
def test_every_public_name_is_on_a_page_of_names(module):
    text = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.rst"))
    names = set(re.findall(r"^\.\. (?:auto(?:function|class|exception)|py:data):: (\w+)$", text, re.MULTILINE))
    assert set(module.__all__) - names - {"DISTRIBUTION", "plotting"} == set()


def test_links_between_pages_lead_somewhere():
    for path in PAGES:
        for target in re.findall(r"\]\(([^)#:]+\.(?:md|rst|svg))\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_links_and_pictures_of_the_readme_lead_somewhere():
    targets = re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    paths = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    assert len(paths) >= 10
    assert [path for path in paths if path and not (ROOT / path).exists()] == []


def test_files_and_folders_that_pages_name_exist():
    named = {(page.name, path) for page in PAGES for path in PATH.findall(page.read_text(encoding="utf-8"))}
    assert len(named) >= 30
    assert [(page, path) for page, path in sorted(named) if not (ROOT / path).exists()] == []


def test_functions_and_classes_that_pages_name_are_in_their_files():
    named = {found for page in PAGES for found in NAME.findall(page.read_text(encoding="utf-8"))}
    assert len(named) >= 5
    for name, path in sorted(named):
        last = name.rpartition(".")[2]
        assert re.search(rf"(?:def|class) {last}\b", (ROOT / path).read_text(encoding="utf-8")), f"{path} has no {name}"


def test_benchmarks_that_pages_name_exist():
    commands = [words for page in PAGES for words in MEASUREMENT.findall(page.read_text(encoding="utf-8"))]
    names = {name for words in commands for name in words.split()}
    assert len(names) >= 20
    assert [name for name in sorted(names) if not (DOCS / "benchmarks" / "cases" / f"{name}.py").exists()] == []


def test_every_decision_is_in_the_index():
    folder = DOCS / "decisions"
    listed = re.findall(
        r"^- \[[^\]]+\]\(([\w-]+)\.md\)", (folder / "index.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted([*listed, "index"]) == sorted(path.stem for path in folder.glob("*.md"))


def test_commands_of_the_command_line_page_can_be_read():
    from rom import cli

    text = (DOCS / "command_line.md").read_text(encoding="utf-8")
    commands = [line.split()[1:] for line in text.splitlines() if line.startswith("rom ")]
    assert len(commands) >= 5
    for command in commands:
        cli.parser().parse_args(command)


def test_examples_of_the_contributing_guide_run():
    names = {}
    for block in EXAMPLE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        exec(block, names)
    names["Brusselator"]().verify()
    z = torch.tensor([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
    assert names["decorrelation"](z) == pytest.approx(0.5)
    assert names["decorrelation"](z[:, :1]) == 0.0
    geometry = Geometry(channels=2, shape=(4, 3), axes=("x", "y"))
    encoder, decoder = (make(geometry, 3) for make in (names["Linear"]().encoder, names["Linear"]().decoder))
    assert decoder(encoder(torch.ones(5, 2, 4, 3))).shape == (5, 2, 4, 3)
    decay = SimpleNamespace(as_function=lambda _: torch.neg)
    z0, times = torch.ones(2, 1), np.array([0.0, 0.1, 0.2])
    latent, inside = names["roll_out_euler"](decay, z0, times, None, 1.0, lambda z: (z > 0.85).all(dim=-1), None)
    assert latent[:, 0, 0].tolist() == pytest.approx([1.0, 0.9, 0.81])
    assert inside.tolist() == [[True, True], [True, True], [False, False]]
    assert callable(names["plot_weights"])
    names.clear()
    gc.collect()  # settings know all kinds of networks that exist
