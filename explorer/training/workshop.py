"""What every stage works with: the recipe, the folders, the device and the rendered pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from ..errors import ModelError
from ..records.atomic import replacing
from .pictures import Pictures, prepare
from .recipe import Recipe


@dataclass(frozen=True)
class Workshop:
    """A recipe at work: where its checkpoints are, on what it runs.

    Attributes:
        runs: the folder of the run; each stage has one of its own in it.
        out: where the finished model is written.
        start: a finished model to begin from, or None to begin from nothing.
        compiled: whether networks go through `torch.compile`.
        workers: processes that render pictures; with 0 this process renders them itself.
    """

    recipe: Recipe
    runs: Path
    out: Path
    device: torch.device
    compiled: bool = True
    workers: int = 0
    start: Path | None = None

    def __post_init__(self) -> None:
        """Check the recipe and write it into the run's folder; stages finished there stay as they are.

        Raises:
            ModelError: sizes that do not fit each other, a folder begun by a recipe of another model, or no model
                to begin from.
        """
        recipe = self.recipe
        halved = 2 ** (len(recipe.autoencoder_widths) - 1)
        if recipe.size % halved or recipe.size % recipe.patch:
            raise ModelError(
                f"Got size {recipe.size}; expected a multiple of {halved} and of the patch {recipe.patch}.",
                code="size",
            )
        if self.start and not (self.start / "clip").is_dir():
            raise ModelError(
                f"Got {self.start} to begin from, which has no folder 'clip'; name a finished model.", code="no start"
            )
        self.runs.mkdir(parents=True, exist_ok=True)
        begun = self.runs / "recipe.json"
        other = recipe.differences(Recipe.read(begun)) if begun.exists() else []
        if other:
            raise ModelError(
                f"Got {self.runs}, begun with another {', '.join(other)}; give --runs another folder.",
                code="other recipe",
            )
        # Beside it and renamed: stages that are started side by side all read this file.
        with replacing(begun) as beside:
            beside.write_text(recipe.to_json() + "\n", encoding="utf-8")

    @cached_property
    def pictures(self) -> Pictures:
        """The pictures that the autoencoder and CLIP learn from, rendered when first asked for."""
        return self.rendered(self.recipe.pictures, split="train", size=self.recipe.size)

    def rendered(self, n: int, *, split: str, size: int) -> Pictures:
        """`n` pictures of a split, rendered when first asked for."""
        return prepare(self.runs / "pictures", n, split=split, size=size, workers=self.workers)


def device(name: str | None) -> torch.device:
    """The device of that name; without one, a GPU where there is one.

    Raises:
        ModelError: a GPU that this machine has not.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    chosen = name or next(kind for kind, found in here.items() if found)
    if not here.get(chosen.partition(":")[0], False):
        found = ", ".join(kind for kind, there in here.items() if there)
        raise ModelError(f"Got device {chosen!r}; expected one that is here: {found}.", code="device")
    if chosen.startswith("cuda"):
        torch.set_float32_matmul_precision("high")  # the optimizer's products; networks run in half precision
        torch.backends.cudnn.benchmark = True
    return torch.device(chosen)
