"""Frames to video and back: MP4 (H.264), WebM (VP9) and GIF, each with its provenance inside."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, ImageSequence
from PIL.Image import Image

from ..checks import whole
from ..errors import VideoError, reason
from ..progress import Progress
from .atomic import replacing, writing_to
from .provenance import KEY, Provenance

FASTEST = {".mp4": 240.0, ".webm": 240.0, ".gif": 50.0}
"""Most frames per second: a GIF counts in hundredths of a second, and browsers slow down frames of one hundredth."""

SLOWEST = 0.01
"""Least frames per second: a frame of a GIF cannot last much longer than a hundred seconds."""

_CODECS = {
    ".mp4": ("mp4", "libx264", {"crf": "16", "preset": "medium"}),
    ".webm": ("webm", "libvpx-vp9", {"crf": "20", "b": "0", "cpu-used": "4"}),
}
_BT709 = 1
_MAX_SIDE = 16_384  # pixels, the limit of H.264


def save_video(
    frames: Sequence[Image],
    path: str | os.PathLike[str],
    *,
    fps: float = 24,
    scale: int = 1,
    provenance: Provenance | None = None,
    progress: Progress | None = None,
) -> None:
    """Write frames as a video, whole or not at all; the ending of the name chooses `.mp4`, `.webm` or `.gif`.

    MP4 and WebM halve the resolution of colour and need even sides, so the last line of an odd side is repeated. A GIF
    has 256 colours per frame, and merges equal neighbouring frames into one longer frame.

    Args:
        frames: pictures of one size.
        fps: frames per second, from `SLOWEST` to `FASTEST`.
        scale: each pixel becomes a square of `scale` pixels, which keeps the colours of small frames.
        provenance: the record to store in the file.
        progress: wraps the frames as they are encoded; if it raises, no file is written.

    Raises:
        VideoError: no frames, frames of two sizes, an unknown kind of file, a rate out of range, or a file that
            cannot be written.
    """
    kind = check_name_and_rate(path, fps)
    _check(frames, scale)
    wrapped = progress(frames, total=len(frames), desc=f"writing {Path(path).name}") if progress else frames
    pictures = (enlarged(frame.convert("RGB"), scale) for frame in wrapped)
    write = _write_gif if kind == ".gif" else _write_container
    with writing_to(path, VideoError), replacing(path) as beside:  # PyAV's errors of files are OSErrors too
        write(pictures, beside, kind, fps, provenance)


def read_frames(path: str | os.PathLike[str], *, n_frames: int | None = None) -> list[Image]:
    """Every frame of a video or GIF as an RGB picture, in the order shown.

    Args:
        n_frames: how many frames were written. A GIF keeps equal neighbours as one longer frame; with this number they
            are separated again by its times.

    Raises:
        VideoError: a missing file, or a file that is not a video.
    """
    import av

    try:
        if Path(path).suffix.lower() == ".gif":
            with Pillow.open(path, formats=["GIF"]) as image:
                kept = [
                    (frame.convert("RGB"), frame.info.get("duration", 0)) for frame in ImageSequence.Iterator(image)
                ]
            return _shown(kept, n_frames)
        with av.open(os.fspath(path)) as container:
            return [frame.to_image() for frame in container.decode(video=0)]
    except (OSError, ValueError, LookupError, SyntaxError, av.FFmpegError) as error:
        raise VideoError(
            f"Got {str(path)!r}, which is not a video ({reason(error)}); check the name.", code="not a video"
        ) from error


def _shown(kept: Sequence[tuple[Image, int]], n_frames: int | None) -> list[Image]:
    """The frames that were written to a GIF, from those that it keeps and their durations."""
    frames = [frame for frame, _ in kept]
    if n_frames is None or len(frames) >= n_frames:
        return frames
    ends = list(accumulate(duration for _, duration in kept))
    middles = ((index + 0.5) * ends[-1] / n_frames for index in range(n_frames))
    return [frames[min(bisect_right(ends, at), len(frames) - 1)] for at in middles]


def check_name_and_rate(path: str | os.PathLike[str], fps: float) -> str:
    """Raise VideoError unless `FASTEST` has the name's ending and allows the rate; returns the ending, lower case."""
    kind = Path(path).suffix.lower()
    if kind not in FASTEST:
        raise VideoError(
            f"Got {str(path)!r} as a video to write, expected a name ending in {', '.join(FASTEST)}.", code="file name"
        )
    if not SLOWEST <= fps <= FASTEST[kind]:
        raise VideoError(f"Got fps {fps:g}, expected from {SLOWEST:g} to {FASTEST[kind]:g} for {kind}.", code="fps")
    return kind


def _check(frames: Sequence[Image], scale: int) -> None:
    whole("scale", scale, 1, 64, error=VideoError)
    sizes = sorted({frame.size for frame in frames})
    if not sizes:
        raise VideoError("Got no frames, expected at least one.", code="no frames")
    if len(sizes) > 1:
        raise VideoError(
            f"Got frames of {sizes[0]} and {sizes[-1]} pixels, expected one size; render them together.", code="size"
        )
    if max(sizes[0]) * scale > _MAX_SIDE:
        message = f"Got a side of {max(sizes[0]) * scale} pixels, expected at most {_MAX_SIDE}; use a smaller scale."
        raise VideoError(message, code="too large")


def enlarged(picture: Image, scale: int) -> Image:
    """The picture with each pixel as a square of `scale` pixels."""
    return ImageOps.scale(picture, scale, Pillow.Resampling.NEAREST)


def _write_container(
    pictures: Iterator[Image], path: Path, kind: str, fps: float, provenance: Provenance | None
) -> None:
    import av
    from av.video.reformatter import ColorRange, Colorspace, Interpolation

    name, codec, options = _CODECS[kind]
    # Without "bitexact" the file carries the library's version and, in WebM, random identities.
    muxing = {"fflags": "+bitexact"} | ({"movflags": "+faststart+use_metadata_tags"} if kind == ".mp4" else {})
    with av.open(os.fspath(path), "w", format=name, options=muxing) as container:
        if provenance:
            container.metadata[KEY] = provenance.to_json()
        stream: Any = container.add_stream(codec, rate=Fraction(fps).limit_denominator(10_000), options=options)
        for index, picture in enumerate(pictures):
            pixels = _even(picture)
            if index == 0:
                stream.height, stream.width, stream.pix_fmt = *pixels.shape[:2], "yuv420p"
                context = stream.codec_context
                context.colorspace = context.color_primaries = context.color_trc = _BT709
                context.color_range = int(ColorRange.MPEG)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.AREA,
            )
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _even(picture: Image) -> NDArray[np.uint8]:
    """The pixels with the last column and row repeated where a side is odd: H.264 in 4:2:0 has even sides."""
    return np.pad(np.asarray(picture), ((0, picture.height % 2), (0, picture.width % 2), (0, 0)), mode="edge")


def _write_gif(pictures: Iterator[Image], path: Path, _kind: str, fps: float, provenance: Provenance | None) -> None:
    listed = [picture.quantize(256) for picture in pictures]
    # Hundredths of a second that add up: at 24 per second 4, 4 and 5 in turn.
    times = [round(index * 100 / fps) for index in range(len(listed) + 1)]
    durations = [10 * (end - start) for start, end in pairwise(times)]
    comment = {"comment": provenance.to_json()} if provenance else {}
    listed[0].save(
        path, "GIF", save_all=True, append_images=listed[1:], duration=durations, loop=0, optimize=False, **comment
    )
