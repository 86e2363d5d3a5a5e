"""Render the frames of a walk together with the stops around them, for attention interpolation.

A batch has frames of one piece of the path and, in its last two rows, the two ends of that piece, all from one seed.
Its size is fixed, as for any batch. Each frame's record has the ends, so that the frame can be decoded again alone, bit
for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..diffusion.attention import unet_of
from ..diffusion.interpolation import ENDS, Mode, check_mode, interpolated
from ..errors import ModelError, SpaceError
from ..models.generator import Denoiser
from ..options import Decoding
from ..paths import Path
from ..points import Points
from ..progress import Progress
from ..records.images import Images, picture_of
from ..records.tensor_json import decode_tensor, encode_tensor
from .batches import Batch, batch_size, filled, seeds_for
from .rendering import DecodingSpace, OnBatch


def render_between(
    space: DecodingSpace,
    walk: Path,
    how: Decoding,
    *,
    mode: Mode,
    progress: Progress | None = None,
    on_batch: OnBatch | None = None,
) -> Images:
    """Decode the frames of a walk, the attention of each interpolated between the stops on its two sides.

    Args:
        space: a space whose points guide a network from one noise.
        mode: `"inner"`, `"outer"` or `"fused"`; see `diffusion.interpolation`.
        how: the options; `how.batch` includes the two ends.

    Raises:
        SpaceError, ModelError: as `DecodingSpace.decode`; also a space or a model without such attention, or an unknown
            mode.
    """
    _require_attention(space, mode)
    points, seeds = seeds_for(how, space.owned(walk.points))
    if len(set(seeds)) != 1:
        raise SpaceError(f"Got {len(seeds)} seeds for a walk with interpolated attention, expected one.", code="seed")
    settled = space.settled(points, how)
    denoiser = space.model.denoiser.decoding(settled)
    pieces, local = _pieces(walk.t, len(walk.stops))
    runs = _runs(pieces)
    ends = {piece: walk.stops.values[piece : piece + ENDS].to(points.device) for piece in set(pieces)}

    def made(size: int) -> tuple[list[Tensor], list[range]]:
        step = _size(1, size) - ENDS
        parts = [each[at : at + step] for each in runs for at in range(0, len(each), step)]
        full = []
        for part in parts:
            rows = slice(part.start, part.stop)
            full.append(
                _batch(denoiser, mode, seeds[0], size, points.values[rows], local[rows], ends[pieces[part.start]])
            )
        return space.pixels(full, settled, progress, on_batch), parts

    size = _size(max(len(each) for each in runs), how.batch, space.model.batch.largest)
    (pixels, parts), size = space.model.batch.fitted(size, made)
    kept = {piece: encode_tensor(values) for piece, values in ends.items()}
    rows = [{"size": size, "row": row} for part in parts for row in range(len(part))]
    attention = [
        {"mode": mode, "t": float(place), "ends": kept[piece]} for place, piece in zip(local, pieces, strict=True)
    ]
    return space.recorded(points, pixels, seeds, settled, rows, attention=attention)


def render_between_again(
    space: DecodingSpace, point: Points, how: Decoding, *, batch: Mapping[str, Any], attention: Mapping[str, Any]
) -> list[Any]:
    """Decode one frame again from its record, to the same bits.

    Raises:
        ModelError, SpaceError, ProvenanceError: a record with values out of range.
    """
    _require_attention(space, attention["mode"])
    size, row = _size(1, batch["size"]), batch["row"]
    ends = decode_tensor(attention["ends"]).to(space.model.device)
    fits = tuple(ends.shape) == (ENDS, *space.shape) and 0 <= attention["t"] <= 1
    if not fits or not 0 <= row < size - ENDS:
        raise ModelError(
            f"Got row {row} of a batch of {size}, place {attention['t']} and ends of shape {tuple(ends.shape)}, "
            f"expected a row before the last two, a place in [0, 1] and ends of shape {(ENDS, *space.shape)}; "
            "the record is damaged, use the original file.",
            code="record",
        )
    point, seeds = seeds_for(how, space.owned(point))
    t = torch.full((size - ENDS,), float(attention["t"]), dtype=torch.float64)
    values = point.values.expand(size - ENDS, *space.shape)
    settled = space.settled(point, how)
    denoiser = space.model.denoiser.decoding(settled)
    full = _batch(denoiser, attention["mode"], seeds[0], size, values, t, ends)
    own = replace(full, rows=range(row, row + 1))
    return [picture_of(each) for each in space.pixels([own], settled)]


def _require_attention(space: DecodingSpace, mode: str) -> None:
    check_mode(mode)
    if not space.attends:
        raise SpaceError(
            f"Got attention {mode!r} in the {space.info}, expected the space 'prompt' or 'joint' of a model without "
            "an IP-Adapter, whose points guide a network from one noise; walk there, or with attention=None.",
            code="attention",
        )
    unet_of(space.model.denoiser)


def _batch(denoiser: Denoiser, mode: Mode, seed: int, size: int, values: Tensor, t: Tensor, ends: Tensor) -> Batch:
    """A full batch of neighbouring frames `(k, *shape)` of one piece, at places `(k,)` along it, and its two ends."""
    places = torch.cat([filled(t, size - ENDS), torch.tensor([0.0, 1.0], dtype=t.dtype)]).float()
    around = partial(interpolated, denoiser, places, mode=mode)
    return Batch(torch.cat([filled(values, size - ENDS), ends]), [seed] * size, range(len(values)), around)


def _pieces(t: Tensor, n_stops: int) -> tuple[list[int], Tensor]:
    """The piece of the path that each place is on, and its place there, 0 to 1."""
    pieces = t.floor().clamp(0, n_stops - 2)
    return [int(piece) for piece in pieces.tolist()], t - pieces


def _runs(pieces: Sequence[int]) -> list[range]:
    """Ranges of neighbouring frames on one piece."""
    cuts = [at for at in range(1, len(pieces)) if pieces[at] != pieces[at - 1]]
    return [range(start, stop) for start, stop in zip([0, *cuts], [*cuts, len(pieces)], strict=True)]


def _size(n: int, batch: int | None, largest: int = 0) -> int:
    size = batch_size(n + ENDS, batch, max(largest, 2 * ENDS))
    if size <= ENDS:
        raise ModelError(f"Got batch {size}, expected at least {ENDS + 1}: a frame and its two ends.", code="batch")
    return size
