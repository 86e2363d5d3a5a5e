"""A small collection of captioned pictures, and the workspace that pages and the worker work in."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from thoughtspace.dashboards.serving.workspace import Workspace
    from thoughtspace.explorer.explorer import Explorer


@pytest.fixture(scope="session")
def collection(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of the pocket world and their eight captions, encoded by the tiny model."""
    from thoughtspace.datasets import captions, world
    from thoughtspace.explorer.collection.ingest import ingest
    from thoughtspace.explorer.explorer import Explorer

    folder = tmp_path_factory.mktemp("collection")
    pictures = folder / "pictures"
    pictures.mkdir()
    with (pictures / "captions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "caption"])
        words = np.random.default_rng(0)
        for index, scene in enumerate(world.sample(8, "demo")):
            world.render(scene, 64).save(pictures / f"{index}.png")
            table.writerow([f"{index}.png", captions.full_caption(scene, words).text])
    ingest(Explorer.open(tiny_model), pictures, folder / "collection")
    return folder / "collection"


@pytest.fixture(scope="session")
def workspace(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The model and the collection, opened once."""
    from thoughtspace.dashboards.serving.workspace import Workspace

    return Workspace(collection, uploads=tmp_path_factory.mktemp("uploads"))


@pytest.fixture(scope="session")
def few_step_workspace(few_step_explorer: Explorer, few_step_model: Path, tmp_path_factory) -> Workspace:
    """Two prompts of a model that has few-step weights, opened once."""
    from thoughtspace.dashboards.serving.workspace import Workspace
    from thoughtspace.explorer.collection.ingest import ingest

    folder = tmp_path_factory.mktemp("few")
    (folder / "prompts.txt").write_text("a fox\na house\n")
    ingest(few_step_explorer, folder / "prompts.txt", folder / "collection")
    return Workspace(folder / "collection", str(few_step_model), uploads=tmp_path_factory.mktemp("uploads"))
