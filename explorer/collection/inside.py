"""The prompt and the settings inside a picture or a text beside it, as the caption and the columns of its source."""

from __future__ import annotations

import os
from dataclasses import replace

from ..records.pictures import printable
from .captions import Source, plain_text
from .prompts.carried import read_carried
from .prompts.find import settings_of
from .prompts.settings import Settings


def with_settings(source: Source, data: bytes) -> Source:
    """The source of a picture with what its bytes carry.

    The prompt becomes the caption if there is none yet, else, if it is another text, the column `prompt`. Columns of a
    table keep their values.
    """
    if source.path is None:
        return source
    settings = settings_of(read_carried(data, source.path.name))
    return source if settings is None else described(source, settings, origin=printable(os.path.abspath(source.path)))


def described(source: Source, settings: Settings, *, origin: str) -> Source:
    """A source with these settings, which were found at `origin`."""
    columns, prompt = settings.columns(), plain_text(settings.prompt)
    if prompt and source.caption:
        columns |= {"prompt": prompt} if prompt != source.caption else {}
    elif prompt:
        source = replace(source, caption=prompt, origin=origin)
    return replace(source, extras={**columns, **source.extras})
