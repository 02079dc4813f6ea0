"""All code cells of the documentation run, with smaller sizes than on the pages, and make as many pictures."""

import ast
import io
import re
import shutil
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[2] / "docs"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Replacements that make the cells of a page fast enough for a test. Each text must occur in the page.
SHORTER = {
    "systems.md": {},
    "quickstart.md": {
        "n=256": "n=32",
        "n_collocation=4096": "n_collocation=256",
        "max_seconds=20": "max_seconds=4",
    },
    "large_data.md": {
        "n=256": "n=32",
        "max_seconds=20": "max_seconds=4",
    },
    "trust.md": {
        "n=256": "n=32",
        "n_collocation=4096": "n_collocation=256",
        "max_seconds=15": "max_seconds=4",
        "max_seconds=5": "max_seconds=2",
    },
    "tutorials/burgers.md": {
        "n=256": "n=32",
        "n_collocation=8192": "n_collocation=256",
        "n_trajectories=96": "n_trajectories=12",
        "latent_dim=16": "latent_dim=6",
        "max_seconds=40": "max_seconds=5",
    },
    "tutorials/own_solver.md": {
        "n, feed, diffusivity = 64": "n, feed, diffusivity = 16",
        "simulate(plant, 48": "simulate(plant, 8",
        "8000": "300",
        "latent_dim=8": "latent_dim=4",
        "max_seconds=25": "max_seconds=5",
        "latent_dim=6": "latent_dim=3",
        "max_seconds=10": "max_seconds=2.5",
    },
    "tutorials/inputs.md": {
        "n = 50": "n = 12",
        "simulate(plant, 32": "simulate(plant, 8",
        "4096": "256",
        "n_trajectories=16": "n_trajectories=6",
        "latent_dim=6": "latent_dim=3",
        "max_seconds=25": "max_seconds=3",
        "(0, 40, 401)": "(0, 20, 201)",
        "time=[10.0, 40.0]": "time=[10.0, 20.0]",
    },
    "tutorials/other_data.md": {
        "max_seconds=15": "max_seconds=3",
        "max_seconds=5": "max_seconds=2",
    },
    "networks.md": {
        "steps=20": "steps=4",
    },
    "tutorials/grids.md": {
        "simulate(system, 32": "simulate(system, 8",
        "2048": "256",
        "(32, 21, 90)": "(8, 21, 90)",
        "max_seconds=12": "max_seconds=4",
    },
    "tutorials/autoencoders.md": {
        "steps=400": "steps=20",
        "steps=250": "steps=10",
        "steps=300": "steps=10",
    },
    "tutorials/compiled_solver.md": {
        "n = 32": "n = 8",
        "(0, 100, 201)": "(0, 20, 41)",
        "simulate(plant, 48": "simulate(plant, 8",
        "6000": "300",
        "latent_dim=8": "latent_dim=4",
        "max_seconds=40": "max_seconds=5",
    },
}
# Number of pictures that the cells of a page make.
PICTURES = {
    "systems.md": 0,
    "quickstart.md": 2,
    "large_data.md": 0,
    "trust.md": 0,
    "tutorials/burgers.md": 2,
    "tutorials/own_solver.md": 1,
    "tutorials/compiled_solver.md": 0,
    "tutorials/inputs.md": 1,
    "tutorials/other_data.md": 1,
    "networks.md": 0,
    "tutorials/grids.md": 1,
    "tutorials/autoencoders.md": 4,
}


def cells(page):
    """Return the sources of the code cells of a page."""
    return CELL.findall((DOCS / page).read_text(encoding="utf-8"))


def run(source, names, place):
    """Run one cell and return the value of its last expression, which a notebook shows."""
    tree = ast.parse(source, filename=place)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), place, "eval"), names)


def picture(figure):
    """Return the pixels (height, width, 3) of a figure, as they would be written to a file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", dpi=50)
    width, height = (figure.get_size_inches() * 50).astype(int)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8).reshape(height, width, 4)[..., :3]


@pytest.fixture
def pyplot():
    """Return pyplot without windows, as in a notebook. All figures are closed at the end."""
    before = mpl.get_backend()
    mpl.use("agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")
    mpl.use(before)


@pytest.mark.parametrize("page", SHORTER)
def test_every_cell_runs_and_makes_its_pictures(page, pyplot, tmp_path, monkeypatch):
    if page == "tutorials/compiled_solver.md" and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sources = cells(page)
    for text, shorter in SHORTER[page].items():
        assert any(text in source for source in sources), f"{page} has no {text!r} to shorten"
        sources = [source.replace(text, shorter) for source in sources]
    names, figures = {}, []
    with warnings.catch_warnings():
        # Models that are trained for a moment may diverge far from their data, and warn.
        warnings.filterwarnings("ignore", ".*forecasts? of t", RuntimeWarning)
        for k, source in enumerate(sources):
            shown = run(source, names, f"{page}, cell {k + 1}")
            figures += [shown] if isinstance(shown, Figure) else []
        figures += map(pyplot.figure, pyplot.get_fignums())
    assert len(figures) == PICTURES[page]
    for figure in figures:
        assert picture(figure).std() > 10, "a blank picture"


def test_every_page_with_cells_is_run():
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if "_build" not in path.parts}
    assert {page for page in pages if cells(page)} == set(SHORTER)
