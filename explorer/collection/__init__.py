"""Collections: pictures and texts kept on disk with their vectors and maps.

Classes are loaded when they are first used, so that importing the package is instant. Functions are imported from
their modules: `ingest.ingest`, `atlas.atlas`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..records.pictures import open_picture
    from .ingest import IngestReport
    from .maps import SavedMap
    from .safe_decoding import PictureWorker
    from .store import Collection

__all__ = ["Collection", "IngestReport", "PictureWorker", "SavedMap", "open_picture"]

_MODULES = {
    "Collection": ".store",
    "IngestReport": ".ingest",
    "PictureWorker": ".safe_decoding",
    "SavedMap": ".maps",
    "open_picture": "..records.pictures",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
