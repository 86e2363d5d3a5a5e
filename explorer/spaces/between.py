"""Decoding the frames of a walk together with the stops that they lie between, for attention interpolation.

A batch is frames of one piece of the way and, in its last two rows, that piece's ends, all from one seed. Its size is
fixed, as that of any batch: each frame's record has the ends, so that it can be made again alone, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from ..diffusion.attention import unet_of
from ..diffusion.interpolation import ENDS, Mode, check_mode, interpolated
from ..errors import ModelError, SpaceError
from ..models.batch_limit import LARGEST
from ..paths import Path
from ..points import Points
from ..records.images import Images
from ..records.tensor_json import decode_tensor, encode_tensor
from .batches import batch_size, filled
from .records import Options, record
from .rendering import Batch, DecodingSpace, seeds_for
from .space import Progress


class InterpolatingSpace(DecodingSpace):
    """A space whose points guide the denoiser from the same noise, so that frames can look at the ends of their way."""

    def decode_between(
        self,
        walk: Path,
        *,
        mode: Mode,
        seed: int = 0,
        options: Options | None = None,
        batch: int | None = None,
        progress: Progress | None = None,
    ) -> Images:
        """The frames of a walk, the attention of each interpolated between the stops on its two sides.

        Args:
            mode: `"inner"`, `"outer"` or `"fused"`; see `diffusion.interpolation`.
            seed: of the starting noise, one for all.
            options: what `decode` takes besides: steps, guidance, negative, scheduler.
            batch: size of the batches, the two ends included.

        Raises:
            SpaceError, ModelError: as `decode`; a model without a UNet; no such mode.
        """
        self._check_mode(mode)
        points, seeds = seeds_for(seed, self.owned(walk.points))
        if len(set(seeds)) != 1:
            raise SpaceError(f"Got {len(seeds)} seeds for a walk that looks at its ends, expected one; choose one.")
        checked = self._options(**(options or {}))
        pieces, local = _pieces(walk.t, len(walk.stops))
        runs = _runs(pieces)
        ends = {piece: walk.stops.values[piece : piece + ENDS].to(points.device) for piece in set(pieces)}

        def made(size: int) -> tuple[list[Any], list[range]]:
            step = _size(1, size) - ENDS
            parts = [run[at : at + step] for run in runs for at in range(0, len(run), step)]
            batches = [
                self._between(
                    points.values[part.start : part.stop],
                    local[part.start : part.stop],
                    ends[pieces[part.start]],
                    mode=mode,
                    seed=seeds[0],
                    size=size,
                    rows=range(len(part)),
                )
                for part in parts
            ]
            return self._pictures(batches, checked, progress), parts

        size = _size(max(len(run) for run in runs), batch, self.model.batch.largest)
        (pictures, parts), size = self.model.batch.fitted(size, made)
        kept = {piece: encode_tensor(values) for piece, values in ends.items()}
        rows = [row for part in parts for row in range(len(part))]
        provenances = [
            record(
                "decode",
                points[at],
                self.model,
                {"seed": seeds[0], **checked},
                [picture],
                batch={"size": size, "row": rows[at]},
                attention={"mode": mode, "t": float(local[at]), "ends": kept[pieces[at]]},
            )
            for at, picture in enumerate(pictures)
        ]
        return Images(tuple(pictures), tuple(provenances))

    def decode_between_again(
        self, point: Points, *, seed: int, options: Options, batch: Mapping[str, Any], attention: Mapping[str, Any]
    ) -> list[Any]:
        """One frame just as it was decoded before, from what its record says.

        Raises:
            ModelError, SpaceError, ProvenanceError: a record that asks for what cannot be.
        """
        self._check_mode(attention["mode"])
        size, row = _size(1, batch["size"]), batch["row"]
        ends = decode_tensor(attention["ends"]).to(self.model.device)
        fits = tuple(ends.shape) == (ENDS, *self.shape) and 0 <= attention["t"] <= 1
        if not fits or not 0 <= row < size - ENDS:
            raise ModelError(
                f"Got row {row} of a batch of {size}, place {attention['t']} and ends of shape {tuple(ends.shape)}, "
                f"expected a row before the last two, a place in [0, 1] and ends of shape {(ENDS, *self.shape)}; mend "
                "the record."
            )
        values = self.owned(point).values.expand(size - ENDS, *self.shape)
        t = torch.full((size - ENDS,), float(attention["t"]), dtype=torch.float64)
        whole = self._between(values, t, ends, mode=attention["mode"], seed=seed, size=size, rows=range(row, row + 1))
        return self._pictures([whole], self._options(**options), None)

    def _check_mode(self, mode: str) -> None:
        check_mode(mode)
        unet_of(self.model.denoiser)
        if "joint" in self.name and hasattr(self.model.denoiser, "processors"):
            raise ModelError(
                f"Got attention {mode!r} in the {self.info}, whose pictures are looked at by an IP-Adapter's own "
                "attention, expected the prompt space, or attention=None; choose one."
            )

    def _between(
        self, values: Tensor, t: Tensor, ends: Tensor, *, mode: Mode, seed: int, size: int, rows: range
    ) -> Batch:
        """A full batch of frames and their ends."""
        places = torch.cat([filled(t, size - ENDS), torch.tensor([0.0, 1.0], dtype=t.dtype)]).float()

        def around() -> AbstractContextManager[None]:
            return interpolated(self.model.denoiser, places, mode=mode)

        return Batch(torch.cat([filled(values, size - ENDS), ends]), [seed] * size, rows, around)


def _pieces(t: Tensor, n_stops: int) -> tuple[list[int], Tensor]:
    """Which piece of the way each place is on, and how far along it, 0 to 1."""
    pieces = t.floor().clamp(0, n_stops - 2)
    return [int(piece) for piece in pieces.tolist()], t - pieces


def _runs(pieces: Sequence[int]) -> list[range]:
    """Neighbouring frames of one piece each."""
    cuts = [at for at in range(1, len(pieces)) if pieces[at] != pieces[at - 1]]
    return [range(start, stop) for start, stop in zip([0, *cuts], [*cuts, len(pieces)], strict=True)]


def _size(n: int, batch: int | None, largest: int = LARGEST) -> int:
    size = batch_size(n + ENDS, batch, max(largest, 2 * ENDS))
    if size <= ENDS:
        raise ModelError(
            f"Got batch {size}, expected at least {ENDS + 1}: a frame and its two ends; choose a larger one."
        )
    return size
