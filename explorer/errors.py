"""The one family of errors a user can meet.

Every message is one line that says what was got, what was expected and how to correct it, so that the command line, the
dashboard and a traceback can all show it as it is. Its `code`, a word or two, says which mistake it is: code and tests
rely on that and never on the wording. The family is also a `ValueError`, so code that knows nothing of this package can
still catch it.
"""

from __future__ import annotations


class ThoughtspaceError(ValueError):
    """A request that cannot be met; the message says how to correct it.

    >>> try:
    ...     raise SpaceError("Got points of 'noise', expected points of 'joint'; encode the picture with joint.image.")
    ... except ThoughtspaceError as error:
    ...     print(type(error).__name__)
    SpaceError

    Attributes:
        code: which mistake it is, such as `"steps"` or `"other space"`; empty where the kind alone says it.
    """

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class GeometryError(ThoughtspaceError):
    """Vectors that have no such interpolation, mean or logarithm: antipodal, zero, not finite, or misshapen."""


class SpaceError(ThoughtspaceError):
    """Points of different spaces or models that were mixed, or a request that does not suit the space."""


class CannotError(SpaceError):
    """A space that cannot do what was asked, such as a prompt space that is asked for the point of a picture."""


class ExpressionError(ThoughtspaceError):
    """An expression that does not parse, or that has no meaning."""


class ModelError(ThoughtspaceError):
    """A model that is unknown, incomplete or unreadable, or an option it cannot take."""


class PictureError(ThoughtspaceError):
    """A picture that is missing, damaged, too large or of no known format."""


class CollectionError(ThoughtspaceError):
    """A collection that cannot be opened, written or used with this model."""


class ProvenanceError(ThoughtspaceError):
    """A record that is missing, malformed or altered."""


class VideoError(ThoughtspaceError):
    """Frames that cannot be written as, or read from, a video."""


class AnalysisError(ThoughtspaceError):
    """An array or an option that a measure or a fit cannot use: too few rows, no such metric, a `k` too large."""


class MapError(ThoughtspaceError):
    """A projection that cannot be fitted, or a map that does not exist or does not fit its collection."""


class Cancelled(Exception):  # noqa: N818 - a request that was obeyed, not an error
    """Raised by a `progress` callable to stop the work it wraps; nothing half-done is kept."""


def reason(error: BaseException) -> str:
    """Why something failed: the system's words where it has some, else those of the error."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
