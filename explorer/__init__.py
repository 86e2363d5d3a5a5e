"""The spaces of image models: encode into them, move through them, decode from them, and keep collections.

    from thoughtspace.explorer import Explorer

    ex = Explorer.open("pocket")
    ex.decode('"a red fox" + 0.5 * ("a snowy field" - "a field")')[0]

Names are loaded when first used, so that importing this package is instant; PyTorch comes with the first that needs it.
"""

from typing import TYPE_CHECKING

from .lazy import lazily

if TYPE_CHECKING:
    from .collection.ingest import ingest as ingest
    from .collection.maps import SavedMap as SavedMap
    from .collection.report import IngestReport as IngestReport
    from .collection.store import Collection as Collection
    from .diffusion.anderson import Solver as Solver
    from .errors import AnalysisError as AnalysisError
    from .errors import Cancelled as Cancelled
    from .errors import CannotError as CannotError
    from .errors import CollectionError as CollectionError
    from .errors import ExpressionError as ExpressionError
    from .errors import GeometryError as GeometryError
    from .errors import MapError as MapError
    from .errors import ModelError as ModelError
    from .errors import PictureError as PictureError
    from .errors import ProvenanceError as ProvenanceError
    from .errors import SpaceError as SpaceError
    from .errors import ThoughtspaceError as ThoughtspaceError
    from .errors import VideoError as VideoError
    from .explorer import Explorer as Explorer
    from .explorer import replay as replay
    from .geometry.interpolation import Geometry as Geometry
    from .heatmaps import HeatMaps as HeatMaps
    from .language.evaluate import evaluate as evaluate
    from .language.evaluate import parse as parse
    from .models.placement import Placement as Placement
    from .models.reference import Reference as Reference
    from .options import Decoding as Decoding
    from .options import Walking as Walking
    from .paths import Path as Path
    from .paths import equal_steps as equal_steps
    from .paths import grid as grid
    from .paths import path as path
    from .points import Points as Points
    from .points import SpaceInfo as SpaceInfo
    from .records.images import Blend as Blend
    from .records.images import Images as Images
    from .records.pictures import open_picture as open_picture
    from .records.provenance import Provenance as Provenance
    from .records.video import read_frames as read_frames
    from .records.video import save_video as save_video
    from .replays import Replay as Replay
    from .spaces.round_trip import RoundTrip as RoundTrip
    from .spaces.round_trip import round_trip as round_trip
    from .walk import Walk as Walk

_HOMES = {
    "collection.ingest": ("ingest",),
    "collection.report": ("IngestReport",),
    "collection.maps": ("SavedMap",),
    "collection.store": ("Collection",),
    "diffusion.anderson": ("Solver",),
    "errors": (
        "AnalysisError",
        "Cancelled",
        "CannotError",
        "CollectionError",
        "ExpressionError",
        "GeometryError",
        "MapError",
        "ModelError",
        "PictureError",
        "ProvenanceError",
        "SpaceError",
        "ThoughtspaceError",
        "VideoError",
    ),
    "explorer": ("Explorer", "replay"),
    "geometry.interpolation": ("Geometry",),
    "heatmaps": ("HeatMaps",),
    "language.evaluate": ("evaluate", "parse"),
    "models.placement": ("Placement",),
    "models.reference": ("Reference",),
    "options": ("Decoding", "Walking"),
    "paths": ("Path", "equal_steps", "grid", "path"),
    "points": ("Points", "SpaceInfo"),
    "records.images": ("Blend", "Images"),
    "records.pictures": ("open_picture",),
    "records.provenance": ("Provenance",),
    "records.video": ("read_frames", "save_video"),
    "replays": ("Replay",),
    "spaces.round_trip": ("RoundTrip", "round_trip"),
    "walk": ("Walk",),
}
_HOME, __getattr__, __dir__ = lazily(__name__, _HOMES)

__all__ = sorted(_HOME)
