"""A sparse autoencoder: each item as a sum of few features out of many (TopK; Gao et al., 2024).

`matryoshka` is that of MSAE (Zaigrajew et al., 2502.20578): the codes of several sparsities, each those of the last one
with the smaller numbers left out, are all trained to be decoded at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import Matrix, blocks, prepare

if TYPE_CHECKING:
    from torch import Tensor

    from thoughtspace.explorer.progress import Progress

KINDS = ("topk", "matryoshka")
LEVELS = 4
"""Sparsities of a Matryoshka autoencoder: k, 2k, 4k and 8k."""

_BATCH, _RATE = 256, 2e-3
_ASLEEP = 50  # steps without being used after which a feature is trained on what the others leave
_REVIVAL = 1 / 32  # weight of that loss, as in the paper


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """Codes `z = TopK(max(0, W x' + b))` of `x' = (x - mean) / scale`, decoded as `mean + scale · z D`.

    Attributes:
        encoder: W, `(m, d)`.
        bias: b, `(m,)`.
        decoder: D, `(m, d)` of unit rows.
        mean: `(d,)` of the items.
        scale: their standard deviation over all numbers.
        levels: the sparsities that it was trained for, smallest first.
    """

    encoder: Matrix = field(repr=False)
    bias: Matrix = field(repr=False)
    decoder: Matrix = field(repr=False)
    mean: Matrix = field(repr=False)
    scale: float
    levels: tuple[int, ...]

    def encode(self, x: ArrayLike, k: int | None = None) -> Matrix:
        """The codes of items, `(n, d) -> (n, m)`, of which at most `k` are not 0; by default the smallest level.

        Raises:
            AnalysisError: items of another width, or a `k` that is not from 1 to the number of features.
        """
        rows = prepare(x, "euclidean")
        if rows.shape[1] != len(self.mean):
            message = f"Got items of {rows.shape[1]} numbers, expected {len(self.mean)}, as it was fitted on."
            raise AnalysisError(message, code="width")
        m = len(self.bias)
        k = whole("k", self.levels[0] if k is None else k, 1, m, error=AnalysisError)
        codes = np.empty((len(rows), m), np.float32)
        for part in blocks(len(rows), m):
            some = np.maximum((rows[part] - self.mean) / self.scale @ self.encoder.T + self.bias, 0)
            if k < m:
                np.put_along_axis(some, np.argpartition(-some, k, axis=1)[:, k:], 0, axis=1)
            codes[part] = some
        return codes

    def decode(self, codes: ArrayLike) -> Matrix:
        """The items of codes, `(n, m) -> (n, d)`."""
        return np.asarray(self.mean + self.scale * (np.asarray(codes, np.float32) @ self.decoder), np.float32)

    def unexplained(self, x: ArrayLike, k: int | None = None) -> float:
        """The fraction of variance unexplained, `Σ|x - x̂|² / Σ|x - mean|²`: 0 is perfect."""
        rows = prepare(x, "euclidean")
        left = rows - self.decode(self.encode(rows, k))
        return float(np.square(left, dtype=np.float64).sum() / np.square(rows - self.mean, dtype=np.float64).sum())


def fit_autoencoder(
    x: Matrix,
    n_features: int,
    levels: tuple[int, ...],
    *,
    steps: int,
    random_state: int = 0,
    progress: Progress | None = None,
) -> Autoencoder:
    """Train on prepared rows `(n, d)`, on the CPU; the same seed gives the same on the same kind of machine."""
    import torch

    mean = x.mean(0, dtype=np.float64).astype(np.float32)
    scale = float((x - mean).std())
    rows = torch.from_numpy((x - mean) / scale)
    generator = torch.Generator().manual_seed(random_state)
    decoder = torch.nn.functional.normalize(torch.randn(n_features, x.shape[1], generator=generator))
    decoder.requires_grad_()
    encoder, bias = decoder.detach().clone().requires_grad_(), torch.zeros(n_features, requires_grad=True)
    optimizer = torch.optim.Adam([encoder, bias, decoder], lr=_RATE)
    idle = torch.zeros(n_features, dtype=torch.long)
    ticks = range(steps) if progress is None else progress(range(steps), total=steps, desc="features")
    for step in ticks:
        optimizer.param_groups[0]["lr"] = _RATE * min(1.0, 2 * (1 - step / steps))
        batch = rows[torch.randint(len(rows), (min(_BATCH, len(rows)),), generator=generator)]
        codes = torch.relu(batch @ encoder.T + bias)
        sums = [_largest(codes, level) @ decoder for level in levels]
        loss = torch.stack([(batch - each).square().mean() for each in sums]).mean()
        asleep = idle > _ASLEEP
        if asleep.any():
            left = (batch - sums[-1]).detach()
            waking = _largest(codes.relu() * asleep, min(2 * levels[-1], int(asleep.sum()))) @ decoder
            loss = loss + _REVIVAL * (left - waking).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            decoder.div_(decoder.norm(dim=1, keepdim=True).clamp_min(1e-8))
            used = (_largest(codes, levels[-1]) > 0).any(0)
            idle = torch.where(used, 0, idle + 1)
    arrays = [each.detach().numpy().copy() for each in (encoder, bias, decoder)]
    return Autoencoder(arrays[0], arrays[1], arrays[2], mean, scale, levels)


def _largest(codes: Tensor, k: int) -> Tensor:
    """The `k` largest numbers of each row, the others 0."""
    found = codes.topk(min(k, codes.shape[1]), dim=1)
    return codes.new_zeros(codes.shape).scatter(1, found.indices, found.values)


def agreement(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The mean over unit rows of the first of the largest cosine with one of the second."""
    return float((first @ second.T).max(1).mean())
