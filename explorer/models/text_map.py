"""The linear map from an encoder's texts to its pictures, which closes the modality gap where means alone do not.

CLIP's texts and pictures lie in separate cones (Liang et al., 2022), and differ in shape as well: the vector of a short
caption is not the mean of the pictures that it is true of. A ridge regression from the unit vectors of captions to
those of their pictures is that mean, as far as it is linear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError
from ..geometry.ridge import fit_linear_map

HELD_OUT = 0.2
"""Share of the pairs that the map is scored on before it is fitted to all."""
SHUFFLES = 5
"""How many times the pairs are shuffled for the null."""
PAIRS_A_COLUMN = 2.5
"""Fewest pairs for each number of a vector: those that are not held out are twice as many as the columns."""


@dataclass(frozen=True, eq=False)
class TextMap:
    """`picture = text @ weight + offset`, of unit vectors, with how far it can be trusted.

    Attributes:
        weight: `(d, d)` float32.
        offset: `(d,)` float32.
        explained: R² over held-out pairs and all columns: 1 is perfect, 0 no better than the mean picture.
        by_chance: the largest of the same over maps fitted to shuffled pairs.
        penalty: of the ridge, chosen by leaving one pair out.
        pairs: how many it was fitted to.
    """

    weight: Tensor
    offset: Tensor
    explained: float
    by_chance: float
    penalty: float
    pairs: int

    @classmethod
    def fit(cls, texts: Tensor, pictures: Tensor, *, random_state: int = 0) -> TextMap:
        """Fit the map to the unit vectors of captions and of their pictures, `(n, d)` each.

        Args:
            random_state: seed of the held-out pairs and of the shuffles.

        Raises:
            ModelError: fewer than `PAIRS_A_COLUMN` pairs for each number of a vector.
        """
        n, d = texts.shape
        if len(pictures) != n or n < PAIRS_A_COLUMN * d:
            raise ModelError(
                f"Got {n} texts and {len(pictures)} pictures of width {d} to fit a linear map, expected the caption "
                f"of each picture, and at least {PAIRS_A_COLUMN * d:.0f} of them; add pairs, or measure only means.",
                code="too few pairs",
            )
        x, y = (each.detach().cpu().double().numpy() for each in (texts, pictures))
        generator = np.random.default_rng(random_state)
        tested, fitted = np.split(generator.permutation(n), [round(HELD_OUT * n)])
        orders = [fitted, *(generator.permutation(fitted) for _ in range(SHUFFLES))]
        explained, *null = (_r2(y[tested], fit_linear_map(x[fitted], y[order])(x[tested])) for order in orders)
        whole = fit_linear_map(x, y)
        weight, offset = (torch.from_numpy(each).float() for each in (whole.weight, whole.offset))
        return cls(weight, offset, explained, max(null), whole.penalty, n)

    def __call__(self, texts: Tensor) -> Tensor:
        """Unit vectors of texts -> unit vectors among those of pictures, `(n, d)` float64."""
        moved = texts.double() @ self.weight.double() + self.offset.double()
        return torch.nn.functional.normalize(moved, dim=-1)

    def to(self, device: torch.device | str) -> TextMap:
        """The same map elsewhere."""
        return TextMap(self.weight.to(device), self.offset.to(device), *self._figures)

    def tensors(self) -> dict[str, Tensor]:
        """What a reference's file keeps of it."""
        return {
            "text_weight": self.weight.detach().cpu().contiguous(),
            "text_offset": self.offset.detach().cpu().contiguous(),
            "text_figures": torch.tensor(self._figures, dtype=torch.float64),
        }

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> TextMap | None:
        """The map in a reference's file, or None where it has none.

        Raises:
            ModelError: a part of it is missing.
        """
        parts = [tensors.get(name) for name in ("text_weight", "text_offset", "text_figures")]
        if all(part is None for part in parts):
            return None
        weight, offset, figures = parts
        if weight is None or offset is None or figures is None or figures.numel() != 4:
            raise ModelError("Got a reference with half a linear map; measure it again.", code="incomplete")
        explained, by_chance, penalty, pairs = figures.tolist()
        return cls(weight.float(), offset.float(), explained, by_chance, penalty, int(pairs))

    @property
    def _figures(self) -> tuple[float, float, float, int]:
        return self.explained, self.by_chance, self.penalty, self.pairs


def _r2(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(1 - np.square(y - predicted).sum() / np.square(y - y.mean(0)).sum())
