"""The package's front: every name is there, and nothing heavy is loaded before it is used."""

import importlib
import subprocess
import sys

import pytest

import thoughtspace.explorer as package
from thoughtspace.explorer import geometry

HEAVY = ("torch", "numpy", "PIL", "diffusers", "transformers", "open_clip", "umap", "lance", "av", "sklearn", "scipy")


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(answer.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import thoughtspace.explorer",
        "from thoughtspace.explorer import ThoughtspaceError, Cancelled",
        'from thoughtspace.explorer import parse; parse(\'"a" + "b"\')',
    ],
)
def test_importing_and_parsing_load_nothing_heavy(statement):
    assert not loaded_after(statement) & set(HEAVY)


def test_the_check_above_can_fail():
    """Negative control."""
    assert "torch" in loaded_after("from thoughtspace.explorer import Points")


@pytest.mark.parametrize("name", package.__all__)
def test_every_public_name_is_there(name):
    value = getattr(package, name)
    assert name in dir(package)
    home = importlib.import_module(f"thoughtspace.explorer.{package._HOME[name]}")
    assert getattr(home, name) is value


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_geometry_has_its_functions():
    assert {"slerp", "lol", "squad", "frechet_mean", "Odometer"} <= set(geometry.__all__)
    for name, home in geometry._HOME.items():
        assert getattr(geometry, name) is getattr(
            importlib.import_module(f"thoughtspace.explorer.geometry.{home}"), name
        )
        assert name in dir(geometry)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        geometry.nothing  # noqa: B018
