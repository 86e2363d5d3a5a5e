"""Tensors as JSON, bit for bit, so that a record can hold points."""

from __future__ import annotations

import base64
import binascii
import math
import sys
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ProvenanceError

MAX_BYTES = 1 << 30
"""Largest tensor that is decoded, so that a few bytes of a forged record cannot fill the memory."""

_DTYPES = {
    str(each).removeprefix("torch."): each
    for each in (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8)
}


def encode_tensor(tensor: Tensor) -> dict[str, Any]:
    """`{"dtype", "shape", "data"}`; data is base64 of zlib of the raw little-endian values, row by row.

    Raises:
        ProvenanceError: a dtype that records cannot hold.

    >>> encode_tensor(torch.zeros(2, 3))["shape"]
    [2, 3]
    """
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in _DTYPES:
        raise ProvenanceError(
            f"Got a tensor of {dtype}, expected one of {', '.join(_DTYPES)}; convert it first.", code="dtype"
        )
    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    data = base64.b64encode(zlib.compress(_little_endian(raw, tensor.dtype), 6))
    return {"dtype": dtype, "shape": list(tensor.shape), "data": data.decode("ascii")}


def decode_tensor(document: Mapping[str, Any]) -> Tensor:
    """Decode a tensor on the CPU, with the same bits that `encode_tensor` encoded.

    Raises:
        ProvenanceError: a document that is not a tensor, or whose data do not fill its shape.
    """
    try:
        dtype, shape = _DTYPES[document["dtype"]], tuple(int(size) for size in document["shape"])
        expected = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or expected > MAX_BYTES:
            raise ValueError(f"its shape is {shape}")
        stream = zlib.decompressobj()
        raw = stream.decompress(base64.b64decode(document["data"], validate=True), expected + 1)
        if len(raw) != expected:
            raise ValueError(f"its data do not fill {shape}")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, binascii.Error, zlib.error) as error:
        raise ProvenanceError(
            f"Got a document that is not a tensor ({error}), expected the dtype, shape and data that "
            "encode_tensor wrote; use the original file.",
            code="not a tensor",
        ) from error
    if not raw:
        return torch.empty(shape, dtype=dtype)
    values = torch.frombuffer(bytearray(_little_endian(raw, dtype)), dtype=torch.uint8)
    return values.view(dtype).reshape(shape)


def _little_endian(raw: bytes, dtype: torch.dtype) -> bytes:
    if sys.byteorder == "little" or dtype.itemsize == 1:
        return raw
    return np.frombuffer(raw, dtype=f"u{dtype.itemsize}").byteswap().tobytes()
