"""Imports only look down, and heavy libraries are imported only where the design says."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("datasets", "explorer", "analysis", "dashboards")

MAY_USE = {
    "datasets": {"datasets"},
    "explorer": {"explorer"},
    "explorer.training": {"explorer", "datasets"},
    "analysis": {"analysis", "explorer"},
    "dashboards": {"dashboards", "analysis", "explorer", "datasets"},
}

# Inside explorer, bottom to top. A unit uses those above its line in this table, never one beside or below it.
EXPLORER = (
    ("errors", "lazy"),
    ("checks", "progress"),
    ("options",),
    ("geometry", "language", "language.nodes"),
    ("language.parser", "language.terms"),
    ("records",),
    ("points",),
    ("language.evaluate", "paths"),
    ("models.find",),
    ("models",),  # the contracts and what is opened by itself
    ("diffusion",),
    ("models.families", "models.pipelines"),
    ("models.opening",),
    ("models.abilities", "models.memory"),
    ("models.model",),
    ("spaces",),
    ("walk", "heatmaps"),
    ("replays",),
    ("explorer",),
    ("collection",),
)
RANK = {unit: rank for rank, units in enumerate(EXPLORER) for unit in units}

# What the training may use of explorer: it must work before there is a model to explore.
TRAINING = {"errors", "models.reference", "models.text_map", "records.atomic", "training"}

# Library -> the modules that may import it, by prefix; `anywhere` in the file, or else only inside functions.
HEAVY = {
    "diffusers": ("explorer.models", "explorer.training"),
    "transformers": ("explorer.models", "explorer.training"),
    "open_clip": ("explorer.models", "explorer.training"),
    "tokenizers": ("explorer.models", "explorer.training"),
    "huggingface_hub": ("explorer.models",),
    "umap": ("analysis.projection",),
    "pacmap": ("analysis.projection",),
    "numba": (),
    "pynndescent": ("analysis.knn",),
    "sklearn": ("analysis",),
    "scipy": ("explorer.geometry.spacing", "analysis"),
    "lance": ("explorer.collection.tables",),
    "pyarrow": ("explorer.collection",),
    "pandas": ("explorer.collection", "analysis", "dashboards"),
    "av": ("explorer.records",),
    "waitress": ("dashboards.serving.server",),
}
SCREEN = ("dash", "dash_mantine_components", "plotly", "flask", "werkzeug")
PICKLES = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "diskcache")


@dataclass(frozen=True)
class Import:
    """One import of one module, by its dotted name without `thoughtspace.`; `lazy` inside a function."""

    module: str
    target: str
    lazy: bool

    @property
    def library(self) -> str:
        return self.target.partition(".")[0]

    @property
    def inside(self) -> bool:
        """Whether it is one of ours."""
        return self.library in PARTS


@cache
def modules() -> dict[str, Path]:
    files = (file for part in PARTS for file in (ROOT / part).rglob("*.py"))
    return {dotted(file): file for file in files}


def dotted(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(module: str, source: str, *, package: bool = False) -> Iterator[Import]:
    """Every import: those inside functions, and those for annotations alone, count too."""
    tree = ast.parse(source)
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _for_types(node)
        for inner in ast.walk(node)
    }
    home = module.split(".") if package else module.split(".")[:-1]
    for node in ast.walk(tree):
        for target in targets(node, home):
            yield Import(module, target.removeprefix("thoughtspace."), id(node) in lazy)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def targets(node: ast.AST, home: list[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = home[: len(home) - node.level + 1] if node.level else []
    stem = ".".join([*base, *([node.module] if node.module else [])])
    known = modules()
    inner = [f"{stem}.{alias.name}" for alias in node.names]
    # `from . import clip` means the module, `from .clip import f` the function in it.
    return [each if each.removeprefix("thoughtspace.") in known else stem for each in inner]


@cache
def all_imports() -> tuple[Import, ...]:
    return tuple(
        each
        for name, file in modules().items()
        for each in imports(name, file.read_text(encoding="utf-8"), package=file.name == "__init__.py")
    )


def under(module: str, prefixes: tuple[str, ...] | str) -> bool:
    several = (prefixes,) if isinstance(prefixes, str) else prefixes
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in several)


def unit(module: str) -> str:
    """The unit of `EXPLORER` that a module of explorer belongs to: `spaces.joint` to `spaces`."""
    inner = module.removeprefix("explorer").removeprefix(".")
    found = [name for name in RANK if under(inner, name)]
    return max(found, key=len) if found else inner


def breaches(found: Iterable[Import]) -> list[str]:
    """What is wrong with these imports, in words."""
    wrong = []
    for each in found:
        if not each.inside or each.module == "explorer":
            continue
        part = "explorer.training" if under(each.module, "explorer.training") else each.module.partition(".")[0]
        if each.library not in MAY_USE[part]:
            wrong.append(f"{each.module} imports {each.target}: {part} uses only {sorted(MAY_USE[part])}")
        elif each.library == "explorer" and part == "explorer.training":
            inner = each.target.removeprefix("explorer.")
            if not under(inner, tuple(TRAINING)):
                wrong.append(f"{each.module} imports {each.target}: training uses only {sorted(TRAINING)}")
        elif each.library == "explorer" and part == "explorer":
            own, other = unit(each.module), unit(each.target)
            if own != other and not RANK.get(other, len(EXPLORER)) < RANK.get(own, -1):
                wrong.append(f"{each.module} imports {each.target}: {other} is not below {own}")
    return wrong


def test_imports_only_look_down():
    assert not breaches(all_imports())


def test_every_module_of_explorer_has_a_place():
    names = [name for name in modules() if under(name, "explorer") and not under(name, "explorer.training")]
    assert not [name for name in names if name != "explorer" and unit(name) not in RANK]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("explorer.geometry.sphere", "from ..points import Points"),
        ("explorer.points", "def f():\n    from .collection.store import Collection"),
        ("explorer.models.open_clip", "from ..spaces.joint import JointSpace"),
        ("explorer.spaces.joint", "from thoughtspace.analysis.knn import neighbors"),
        ("explorer.training.clip", "from ..points import Points"),
        ("explorer.paths", "from thoughtspace.datasets import world"),
        ("analysis.quality", "from thoughtspace.dashboards.console import Console"),
        ("datasets.world", "import thoughtspace.explorer.errors"),
        ("explorer.newcomer", "from .points import Points"),
    ],
)
def test_a_violation_is_found(module, source):
    """Negative control."""
    assert len(breaches(imports(module, source))) == 1


def test_imports_for_annotations_count():
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .points import Points"
    assert len(breaches(imports("explorer.errors", source))) == 1


def circle(found: Iterable[Import]) -> list[str]:
    """Modules that import each other in a circle, if there are any.

    The `__init__` files of packages, which load names lazily, are left out.
    """
    fronts = {name for name, file in modules().items() if file.name == "__init__.py"}
    graph: dict[str, set[str]] = {}
    for each in found:
        if each.inside and each.target not in fronts | {each.module} and each.module not in fronts:
            graph.setdefault(each.module, set()).add(each.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle():
    assert not circle(all_imports())


def test_a_circle_is_found_wherever_its_imports_are():
    """Negative control: one import inside a function, one for annotations alone."""
    sources = {
        "explorer.points": "def f():\n    from .paths import path",
        "explorer.paths": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .walk import Walk",
        "explorer.walk": "from .points import Points",
    }
    found = [each for module, source in sources.items() for each in imports(module, source)]
    assert set(circle(found)) == set(sources)
    assert not circle(found[:2])


def test_heavy_libraries_are_imported_late_and_where_they_belong():
    wrong = [
        f"{each.module} imports {each.library}"
        for each in all_imports()
        if each.library in HEAVY and not (each.lazy and under(each.module, HEAVY[each.library]))
    ]
    assert not wrong


def test_only_dashboards_know_the_screen():
    found = [each for each in all_imports() if each.library in SCREEN and not under(each.module, "dashboards")]
    # A result of the analysis draws itself, when it is asked to.
    drawn = [each for each in found if each.library == "plotly" and each.lazy and under(each.module, "analysis")]
    assert [each for each in found if each not in drawn] == []


def test_outside_explorer_torch_is_imported_late():
    found = [each for each in all_imports() if each.library in ("torch", "torchvision")]
    assert not [each for each in found if not each.lazy and not under(each.module, "explorer")]


def test_the_world_needs_only_numpy_and_pillow():
    allowed = {"numpy", "PIL", "datasets", *sys.stdlib_module_names}
    assert {each.library for each in all_imports() if under(each.module, "datasets")} <= allowed


def test_the_reader_takes_no_part_in_training_the_model():
    """It judges the model's pictures, so the pieces of the model may not know it."""
    knowing = {each.module for each in all_imports() if each.target.endswith(".reader")}
    training = {name for name in modules() if under(name, "explorer.training")}
    assert knowing & training == {"explorer.training.stages"}  # which only runs it


def test_nothing_is_pickled():
    assert not [each for each in all_imports() if each.library in PICKLES]
    calls = {"torch.load", "torch.save", "np.load(allow_pickle"}
    texts = {name: file.read_text(encoding="utf-8") for name, file in modules().items()}
    assert not [(name, call) for name, text in texts.items() for call in calls if call in text]


def test_asking_for_help_loads_nothing_heavy():
    code = "import sys\nfrom thoughtspace.dashboards.cli import main\nmain(['--help'])\nprint(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "usage: thoughtspace" in answer.stdout
    loaded = set(answer.stdout.splitlines()[-1].split())
    assert "thoughtspace.dashboards.commands.pictures" in loaded
    assert not loaded & {"torch", "numpy", "PIL", "tqdm", *HEAVY, *SCREEN}
