"""Decode pictures in processes that can be killed: an untrusted picture may hang or crash the decoder."""

from __future__ import annotations

import contextlib
import os
import queue
import struct
import subprocess
import sys
import threading
import time
from typing import IO

from PIL import Image

from ..errors import PictureError
from ..records.pictures import decode_picture, printable

SECONDS = 20.0
"""The most time for one picture; then its process is killed."""

MEMORY = 2 * 2**30
"""The most bytes of address space for a process, where the system can limit it."""

_REQUEST = struct.Struct(">IQ")  # bytes of the name, bytes of the data
_REPLY = struct.Struct(">cIIQ")  # P and width, height, bytes of pixels; or E and 0, 0, bytes of code and message


class PictureWorker:
    """One process that decodes one picture at a time. It starts when needed, and again after it died.

    >>> from ..records.pictures import thumbnail
    >>> with PictureWorker() as decode:
    ...     decode(thumbnail(Image.new("RGB", (20, 10))), "black.jpg").size
    (20, 10)
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, data: bytes, name: str = "picture") -> Image.Image:
        """The picture in `data`, as `decode_picture` returns it.

        Raises:
            PictureError: as `decode_picture`, or a picture that takes too long or crashes the decoder.
        """
        process, begun = self._started(), time.monotonic()
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            return self._ask(process, data, name)
        except (OSError, EOFError) as error:
            self.close()
            what, code = "crashes the decoder", "crash"
            if time.monotonic() - begun >= SECONDS:
                what, code = f"takes more than {SECONDS:g} s to decode", "too slow"
            raise PictureError(f"Got {printable(name)}, which {what}; leave it out.", code=code) from error
        finally:
            timer.cancel()

    def __enter__(self) -> PictureWorker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(OSError), process:  # closes its streams, though one is broken, and waits
                pass

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # NumPy's threads would use up the memory
            )
        return self._process

    @staticmethod
    def _ask(process: subprocess.Popen[bytes], data: bytes, name: str) -> Image.Image:
        assert process.stdin is not None
        assert process.stdout is not None
        label = printable(name).encode()
        process.stdin.write(_REQUEST.pack(len(label), len(data)) + label + data)
        process.stdin.flush()
        kind, width, height, length = _REPLY.unpack(_exactly(process.stdout, _REPLY.size))
        answer = _exactly(process.stdout, length)
        if kind == b"P":
            return Image.frombytes("RGB", (width, height), answer)
        code, _, message = answer.decode().partition("\n")
        raise PictureError(message, code=code)


class PictureWorkers:
    """Several workers behind one call, for use by several threads."""

    def __init__(self, n: int) -> None:
        self._workers = [PictureWorker() for _ in range(n)]
        self._free: queue.SimpleQueue[PictureWorker] = queue.SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)

    def __enter__(self) -> PictureWorkers:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.close()

    def __call__(self, data: bytes, name: str = "picture") -> Image.Image:
        """As `PictureWorker`; waits for a free worker."""
        worker = self._free.get()
        try:
            return worker(data, name)
        finally:
            self._free.put(worker)


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests until the stream ends."""
    while True:
        try:
            name_length, data_length = _REQUEST.unpack(_exactly(requests, _REQUEST.size))
        except EOFError:
            return
        name = _exactly(requests, name_length).decode()
        data = _exactly(requests, data_length)
        try:
            picture = decode_picture(data, name=name)
            pixels = picture.tobytes()
            replies.write(_REPLY.pack(b"P", picture.width, picture.height, len(pixels)) + pixels)
        except PictureError as error:
            message = f"{error.code}\n{error}".encode()
            replies.write(_REPLY.pack(b"E", 0, 0, len(message)) + message)
        replies.flush()


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError(f"{len(data)} of {length} bytes")
    return data


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard))


if __name__ == "__main__":
    _limit_memory()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a decoder prints must not be read as an answer
    serve(sys.stdin.buffer, answers)
