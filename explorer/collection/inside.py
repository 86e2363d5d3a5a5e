"""The prompt and the settings inside a picture or a text beside it, as the caption and the columns of its source."""

from __future__ import annotations

import os
from dataclasses import replace

from .prompts.carried import read_carried
from .prompts.find import settings_of
from .prompts.settings import COLUMNS
from .reading.text import clean
from .source import Source


def with_settings(source: Source, data: bytes) -> Source:
    """The source of a picture with what its bytes carry.

    The prompt becomes the caption if there is none yet, else, if it is another text, the column `prompt`. Columns of a
    table keep their values.
    """
    settings = settings_of(read_carried(data, os.path.basename(source.name)))
    if settings is None:
        return source
    columns, prompt = settings.columns(), clean(settings.prompt)
    if prompt and source.caption:
        columns |= {"prompt": prompt} if prompt != source.caption else {}
    elif prompt:
        source = replace(source, caption=prompt, origin=source.name)
    extras = {**columns, **source.extras}
    return replace(source, extras=extras, empty=source.empty | (COLUMNS - extras.keys()))
