"""Latents as bytes: quantised channel by channel, then coded to about their entropy by a range coder."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import number
from thoughtspace.explorer.errors import AnalysisError

_HEADER = struct.Struct("<3HHe")  # channels, height, width, largest symbol, step
_MOST_SYMBOL = 2**15 - 1

Latent = NDArray[np.float32]


def encode(latent: ArrayLike, step: float) -> bytes:
    """Code one latent `(c, h, w)`.

    A channel of mean μ and standard deviation σ becomes `round((z - μ) / (step σ))`. The symbols are coded by the range
    coder of the package constriction, under a normal distribution. The bytes have all that `decode` needs: the shape,
    the step, and μ and σ of each channel in half precision.

    Args:
        step: in standard deviations of a channel, 0.001 to 8. A normal channel takes about `log2(4.13 / step)` bits a
            value.

    Raises:
        AnalysisError: an array that is not `(c, h, w)` finite numbers, or a step out of range.
    """
    import constriction

    z = _checked(latent)
    wide = float(np.float16(number("step", step, 0.001, 8, error=AnalysisError, hint="0.5 takes about 3 bits a value")))
    flat = z.reshape(len(z), -1)
    mean = flat.mean(1).astype(np.float16)
    # A channel without variation has no symbols but 0; its σ must not be 0 as a divisor.
    deviation = np.maximum(flat.std(1), 1e-4).astype(np.float16)
    scaled = (flat - mean.astype(np.float32)[:, None]) / (wide * deviation.astype(np.float32)[:, None])
    symbols = np.rint(scaled).astype(np.int64)
    largest = max(1, int(np.abs(symbols).max()))
    if largest > _MOST_SYMBOL:
        message = f"Got a value {largest} steps from the mean of its channel, expected {_MOST_SYMBOL} at most"
        raise AnalysisError(f"{message}; use a larger step.", code="step")
    coder = constriction.stream.queue.RangeEncoder()
    coder.encode(symbols.astype(np.int32).ravel(), *_model(largest, wide, symbols.size))
    payload = coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")  # the decoder adds zeros again
    return _HEADER.pack(*z.shape, largest, wide) + mean.tobytes() + deviation.tobytes() + payload


def decode(data: bytes) -> Latent:
    """The latent `(c, h, w)` of these bytes.

    Raises:
        AnalysisError: bytes that `encode` did not make.
    """
    import constriction

    try:
        channels, height, width, largest, wide = _HEADER.unpack_from(data)
        tables = np.frombuffer(data, np.float16, 2 * channels, _HEADER.size).astype(np.float32).reshape(2, channels)
        payload = data[_HEADER.size + 4 * channels :]
        words = np.frombuffer(payload + b"\0" * (-len(payload) % 4 + 8), "<u4").astype(np.uint32)
        n = channels * height * width
        symbols = constriction.stream.queue.RangeDecoder(words).decode(*_model(largest, wide, n))
    except (struct.error, ValueError, OverflowError) as error:
        raise AnalysisError(f"Got bytes that are no coded latent ({error}).", code="damaged") from error
    mean, deviation = tables[:, :, None]
    return (mean + deviation * wide * symbols.reshape(channels, -1)).reshape(channels, height, width).astype(np.float32)


def _model(largest: int, wide: float, n: int) -> tuple[object, NDArray[np.float64], NDArray[np.float64]]:
    """The distribution of the symbols: normal, of standard deviation 1/step; the same for coder and decoder."""
    import constriction

    return constriction.stream.model.QuantizedGaussian(-largest, largest), np.zeros(n), np.full(n, max(1 / wide, 0.05))


def _checked(latent: ArrayLike) -> Latent:
    z = np.asarray(latent, np.float32)
    if z.ndim != 3 or 0 in z.shape or max(z.shape) >= 2**16 or not np.isfinite(z).all():
        raise AnalysisError(f"Got a latent of shape {z.shape}, expected (c, h, w) finite numbers.", code="shape")
    return z
