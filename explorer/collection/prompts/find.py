"""Find the settings of a picture, whichever program wrote them."""

from __future__ import annotations

from collections.abc import Callable

from . import a1111, comfyui, fooocus, invokeai, midjourney, novelai, swarmui
from .carried import Carried
from .settings import Settings

READERS: tuple[Callable[[Carried], Settings | None], ...] = (
    fooocus.read,
    swarmui.read,
    a1111.read,
    comfyui.read,
    invokeai.read,
    novelai.read,
    midjourney.read,
    midjourney.read_name,
)
"""In the order in which they are asked.

Fooocus and SwarmUI come before A1111, whose text `parameters` they use too, and say so in it. A1111 comes before
ComfyUI, where nodes that save pictures write infotext beside the graph: it has the values that were used. The name of
the file is the last resort.
"""


def settings_of(carried: Carried) -> Settings | None:
    """The settings that a picture carries, from the first format that it has; None without any. Never raises."""
    return next((found for read in READERS if (found := read(carried)) is not None), None)


def settings_in_text(text: str) -> Settings | None:
    """The settings in a text file beside a picture, if it is infotext rather than a plain caption. Never raises."""
    return a1111.read_text(text)
