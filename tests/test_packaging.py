"""The wheel holds the tree: every module, every asset, the weights, and nothing beside the one import package."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("analysis", "dashboards", "datasets", "explorer")
FILES = ("pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names in a wheel built from a copy of the tree; weights are stood in for by empty files of their names."""
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, copy_function=copied, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(source / "dist"),
        str(source),
    ]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    (path,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield {name: archive.read(name) for name in archive.namelist()}


def copied(source, target):
    if source.endswith(".safetensors"):
        Path(target).touch()
    else:
        shutil.copy(source, target)
    return target


def tree():
    """What belongs into the wheel: all but notes for developers at the top of a part."""
    for part in PARTS:
        for file in (ROOT / part).rglob("*"):
            note = file.suffix == ".md" and file.parent == ROOT / part
            if file.is_file() and not note and "__pycache__" not in file.parts and not file.name.startswith("."):
                yield f"thoughtspace/{file.relative_to(ROOT).as_posix()}"


def test_the_wheel_holds_every_file_of_the_tree(wheel):
    assert not sorted(set(tree()) - set(wheel))


def test_the_wheel_holds_nothing_else(wheel):
    others = {name for name in wheel if ".dist-info/" not in name}
    assert not sorted(others - set(tree()))
    assert {name.partition("/")[0] for name in others} == {"thoughtspace"}


def test_a_missing_file_is_found(wheel):
    """Negative control: the comparison sees a single missing module."""
    name = "thoughtspace/explorer/spaces/joint.py"
    assert name in wheel
    assert set(tree()) - (set(wheel) - {name}) == {name}


def test_the_folder_of_the_world_does_not_hide_the_library_of_its_name():
    assert not (ROOT / "datasets" / "__init__.py").exists()


def test_the_command_and_the_licence_go_along(wheel):
    def text(ending):
        (name,) = (name for name in wheel if name.endswith(ending))
        return wheel[name].decode()

    assert "thoughtspace = thoughtspace.dashboards.cli:main" in text(".dist-info/entry_points.txt")
    assert "License-Expression: Apache-2.0" in text(".dist-info/METADATA")
    assert "Apache License" in text("/LICENSE")


def test_every_constraint_is_a_plain_version():
    lines = (ROOT / "constraints.txt").read_text().split()
    assert all(line.count("==") == 1 and "@" not in line and not line.startswith("-") for line in lines)
    assert [line for line in lines if line.startswith("torch==")]


def test_every_dependency_is_constrained():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {}
    for line in (ROOT / "constraints.txt").read_text().split():
        name, _, version = line.partition("==")
        pinned[canonicalize_name(name)] = version
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    own = project["name"]  # an extra may contain another
    for each in (each for each in map(Requirement, wanted) if each.name != own):
        assert canonicalize_name(each.name) in pinned, f"{each.name} is not in constraints.txt"
        assert each.specifier.contains(pinned[canonicalize_name(each.name)], prereleases=True)
