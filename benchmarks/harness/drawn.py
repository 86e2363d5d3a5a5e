"""Drawn pictures of the pocket world as a collection, and their pixels as a space that no model has made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from thoughtspace.datasets import captions, world
from thoughtspace.explorer import Collection


def drawn(folder: Path, n: int) -> None:
    """Draw scenes of the split `demo`, with captions and factors in a table."""
    rows = []
    for index, scene in enumerate(world.sample(n, "demo")):
        world.render(scene, 128).save(folder / f"{index:04}.png")
        words = captions.caption(scene, np.random.default_rng(scene.seed))
        rows.append({"file": f"{index:04}.png", "caption": words.text, "world": scene.kind, **scene.factors})
    pd.DataFrame(rows).to_csv(folder / "captions.csv", index=False)


def files_of(collection: Collection) -> list[Path]:
    """The files of a collection's pictures, in its order."""
    root = Path(collection.path).parent / "pictures"
    return [root / Path(source).name for source in collection.items("image")["source"]]


def pixels_of(path: Path) -> np.ndarray:
    """A picture as 16 × 16 colours: 768 numbers that no model has made, where a latent of pocket has 1,024."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize((16, 16), Image.Resampling.BOX), np.float32).ravel() / 255
