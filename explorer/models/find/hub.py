"""Fetching a model from the Hugging Face hub: text and safetensors alone, and every refusal as one clear line.

The environment of the hub is obeyed and never changed: `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_HUB_OFFLINE`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import ModelError
from .folder import one_line

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
"""`org/name`, or `org/name@revision`."""

TEXTS = ("*.json", "*.txt", "*.md", "*.model")
WHOLE = (
    *TEXTS,
    # Weights of parts; beside them many repositories keep the whole model once more in a single file.
    *("*/*.safetensors", "open_clip_*.safetensors", "diffusion_pytorch_model*.safetensors"),
)
"""What is taken of a repository that is a model."""

_TWINS = ["*.fp16.safetensors", "*.non_ema.safetensors", "*.fp16-*.safetensors", "*.safetensors.index.fp16.json"]
"""The same weights in another precision or of another moment."""


def is_hub_id(text: str) -> bool:
    """Whether a text has the form of a hub id.

    >>> [is_hub_id(each) for each in ("org/name", "org/name@v1", "./name", "name")]
    [True, True, False, False]
    """
    return HUB_ID.fullmatch(text) is not None and not text.startswith(".")


def fetch(hub_id: str, patterns: Sequence[str] = WHOLE) -> Path:
    """The folder in the hub's cache that holds a repository's files of some patterns, fetched if they are not there.

    Raises:
        ModelError: offline and not in the cache, gated, unknown, or not to be had for another reason.
    """
    from huggingface_hub import snapshot_download

    repository, _, revision = hub_id.partition("@")
    try:
        folder = snapshot_download(
            repository, revision=revision or None, allow_patterns=list(patterns), ignore_patterns=_TWINS
        )
    except Exception as error:  # no network, no such repository, no access: all are "not to be had" here
        raise ModelError(_why(hub_id, error), code="hub") from error
    return Path(folder)


def revision_of(folder: Path) -> str | None:
    """The commit that a folder of the hub's cache is a snapshot of, or None for any other folder.

    >>> revision_of(Path("hub/models--org--name/snapshots/0123abc/unet"))
    '0123abc'
    """
    found = re.search(r"models--[^/]+/snapshots/([^/]+)", folder.as_posix())
    return found[1] if found else None


def _why(hub_id: str, error: Exception) -> str:
    from huggingface_hub import errors

    got = f"Got model {hub_id!r}, which"
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{got} is gated: its licence has to be accepted once on its page, and an access token of that account "
            "given as HF_TOKEN, or by `hf auth login`."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{got} has no such revision on the hub; check what stands behind the @."
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"{got} the hub does not know, or shows only to a token that may see it; check the id, and set HF_TOKEN "
            "if it is private."
        )
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return (
            f"{got} is no folder here, is not in the hub's cache and cannot be fetched while offline "
            f"({one_line(error, 80)}); connect once, unset HF_HUB_OFFLINE, or give a folder that holds it."
        )
    return (
        f"{got} is no folder here and cannot be fetched from the hub ({one_line(error)}); "
        "check the name and the connection."
    )
