"""Reading a model's folder: what must be there, what is refused, and the hash that identifies it.

Weights are safetensors only. Nothing in a folder may make a library run code: no pickles, no classes from outside
the libraries, no `trust_remote_code`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from ...errors import ModelError

INDEX = "model_index.json"
"""Names the parts of a pipeline of diffusers, their libraries and their classes."""

CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
"""Of an open_clip model, in the order in which it takes them."""

NETWORK_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.safetensors.index.json")
"""Of a network of diffusers, whole or in pieces."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_HASHED = (".safetensors", ".json", ".txt", ".model")
_PARTS = ("clip", "diffusion", "adapter")
FEW_STEPS = "few_steps"
"""The folder of a pipeline's few-step weights, and their entry in `thoughtspace.json`."""

_UNNAMED = ("vae", "movq", FEW_STEPS)  # read where they are there, whatever the index says
_TWINS = (".fp16", ".non_ema")
_BESIDE_PARTS = ("*.json", "reference.safetensors")

Opened = TypeVar("Opened")
Read = TypeVar("Read")


def require_weights(folder: Path, *names: str) -> Path:
    """The first of `names` that the folder holds.

    Raises:
        ModelError: the folder is missing, or holds no such file; pickled weights in its place are named and refused.
    """
    if not folder.is_dir():
        raise ModelError(
            f"Got a model without {folder.name}/ in {folder.parent}, expected that folder; restore or export it.",
            code="incomplete",
        )
    for name in names:
        if (folder / name).is_file():
            return folder / name
    refuse_pickles(folder, names[0], beside=True)
    raise ModelError(f"Got no weights in {folder}, expected {names[0]}; restore or export them.", code="incomplete")


def refuse_pickles(folder: Path, expected: str = "safetensors", *, beside: bool = False) -> None:
    """Raises ModelError where a folder's weights are pickled and nothing else.

    A library that finds no safetensors may take what it finds. With `beside`, pickles beside safetensors are refused.
    """
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLES)
    if pickles and (beside or not any(folder.glob("*.safetensors"))):
        raise ModelError(
            f"Got pickled weights {pickles[0]} in {folder}, which can run code when read, expected {expected}; "
            "convert them to safetensors.",
            code="pickle",
        )


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object on disk.

    Raises:
        ModelError: the file is missing or is no JSON object.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"Got no readable {file.name} in {file.parent} ({one_line(error)}); restore it.", code="cannot read"
        ) from error
    if not isinstance(document, dict):
        raise ModelError(
            f"Got {file} holding a {type(document).__name__}, expected a JSON object; restore it.", code="not json"
        )
    return document


def read_if_there(file: Path) -> dict[str, Any]:
    """A JSON object on disk; an empty one where there is no such file."""
    return read_json(file) if file.is_file() else {}


def shapes_in(file: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors in a safetensors file, by name; only its header is read.

    Raises:
        ModelError: the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"Got {file}, whose header is damaged ({one_line(error)}), expected safetensors; restore the file.",
            code="damaged",
        ) from error


def is_pipeline(folder: Path) -> bool:
    """Whether a folder is a pipeline of diffusers."""
    return (folder / INDEX).is_file()


def _until_changed(read: Callable[[Path], Read]) -> Callable[[Path], Read]:
    """The same function of a file, which reads each once for as long as it stays as it is."""

    @lru_cache(maxsize=512)
    def once(file: Path, size: int, changed_ns: int) -> Read:
        del size, changed_ns  # part of the cache's key only
        return read(file)

    def kept(file: Path) -> Read:
        if not file.is_file():
            return read(file)
        state = file.stat()
        return once(file, state.st_size, state.st_mtime_ns)

    return kept


@_until_changed
def _index(file: Path) -> dict[str, Any]:
    return read_json(file)


def read_index(pipeline: Path) -> dict[str, Any]:
    """The `model_index.json` of a pipeline's folder; read once for as long as the file stays as it is.

    Raises:
        ModelError: it is missing or is no JSON object.
    """
    return dict(_index(pipeline / INDEX))


def origins(pipeline: Path) -> dict[str, tuple[str | None, str | None]]:
    """The parts that a pipeline's index names, each with its library and its class; both None of one left empty."""
    named = ((name, origin) for name, origin in read_index(pipeline).items() if not name.startswith("_"))
    return {name: (origin[0], origin[1]) for name, origin in named if isinstance(origin, list) and len(origin) == 2}


def named_parts(pipeline: Path) -> list[Path]:
    """The folders that a pipeline is made of: what its `model_index.json` names and does not leave empty,
    and what is read without being named."""
    named = {name for name, origin in origins(pipeline).items() if all(origin)}
    return [pipeline / name for name in sorted(named.union(_UNNAMED)) if (pipeline / name).is_dir()]


def contents(folder: Path) -> Iterator[Path]:
    """The files that a folder is read for, those behind links to other folders too.

    Of a pipeline, its parts, and beside them JSON files and the means of its joint vectors: a checkpoint of the whole
    model, or a folder of another format, is not read. Neither are the same weights in another precision or of another
    moment.
    """
    if is_pipeline(folder):
        yield from (file for each in _BESIDE_PARTS for file in sorted(folder.glob(each)) if file.is_file())
        folders = named_parts(folder)
    else:
        folders = [folder] if folder.is_dir() else []
    for each in folders:
        for files in _walk(each, frozenset()):
            plain = any(file.suffix == ".safetensors" and not _is_twin(file) for file in files)
            yield from (file for file in files if not (plain and _is_twin(file)))


def _is_twin(file: Path) -> bool:
    return any(mark in file.name for mark in _TWINS)


def _walk(folder: Path, above: frozenset[str]) -> Iterator[list[Path]]:
    """The files of a folder and of each below it. `Path.rglob` does not enter a folder that is a link."""
    real = os.path.realpath(folder)
    if real in above:  # a link to where it lies would never end
        return
    inside = sorted(folder.iterdir())
    yield [each for each in inside if each.is_file()]
    for each in inside:
        if each.is_dir():
            yield from _walk(each, above | {real})


def fingerprint(folder: Path) -> str:
    """sha256 over the names and contents of all weights, configurations and vocabularies of a model, hexadecimal.

    Where there are `clip/`, `diffusion/` or `adapter/` only they count: what lies beside them (a reader, figures)
    does not, and of a pipeline only what `contents` says. Line ends of text files do not count, nor do cards and other
    documents. Of a single file, the hash of its contents.
    """
    if folder.is_file():
        return _file_hash(folder)
    total = hashlib.sha256()
    pipeline = is_pipeline(folder) and not (folder / "diffusion").is_dir()
    parts = [] if pipeline else [folder / part for part in _PARTS if (folder / part).is_dir()]
    files = (file for part in parts or [folder] for file in contents(part))
    for file in sorted(files, key=lambda each: each.relative_to(folder).as_posix()):
        # Default options travel in the provenance of each picture: changing them does not change the model.
        if file.suffix in _HASHED and file.name != "thoughtspace.json":
            total.update(f"{file.relative_to(folder).as_posix()}\0{_file_hash(file)}\n".encode())
    return total.hexdigest()


@_until_changed
def _file_hash(file: Path) -> str:
    if file.suffix != ".safetensors":
        return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def opened(what: str, folder: Path, load: Callable[[], Opened]) -> Opened:
    """`load()` with the libraries kept quiet and their many errors made one.

    Raises:
        ModelError: the library could not read the folder.
    """
    try:
        with quiet():
            return load()
    except ModelError:
        raise
    except Exception as error:  # whatever a damaged file makes a library raise, it is one thing to the user
        raise ModelError(
            f"Got {what} in {folder} that does not open ({one_line(error)}), expected a complete one; restore it.",
            code="does not open",
        ) from error


def one_line(error: BaseException, width: int = 160) -> str:
    """The message of an error on one line of at most `width` characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= width else text[: width - 1] + "…"


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no advice from the libraries while a model, or a part of one, is made."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    both = (of_diffusers, of_transformers)
    before = [(each, each.get_verbosity(), each.is_progress_bar_enabled()) for each in both]
    for each in both:
        each.set_verbosity_error()
        each.disable_progress_bar()
    try:
        yield
    finally:
        for each, level, shown in before:
            each.set_verbosity(level)
            if shown:
                each.enable_progress_bar()
