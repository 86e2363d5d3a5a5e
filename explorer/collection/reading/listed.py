"""Tables in text files: lines such as `fox.png, a red fox`, or `fox.png#0` and a caption after a tab."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import CollectionError
from .columns import IsFile
from .names import looks_like_picture
from .rows import Sheet
from .sheets import TEXTS, read_sheet

PROMPTS_NAME = "prompts"
"""The name, without its ending, of a text file whose lines are prompts."""


def is_prompts(path: str) -> bool:
    """Whether a file is called as one whose lines are prompts."""
    stem, suffix = os.path.splitext(os.path.basename(path).lower())
    return stem == PROMPTS_NAME and suffix in TEXTS


def table_in_text(path: Path, is_file: IsFile) -> Sheet | None:
    """The table in a text file: of its lines, some name pictures that are there, and have texts. None if there is none.

    Prompts may begin with a word that is also the name of a picture, such as `fox, in the snow`. So names without an
    ending count only below a header or before a tab, and only if most of them are there.
    """
    try:
        sheet = read_sheet(path, is_file)
    except CollectionError:
        return None
    names = [row.file for row in sheet.rows if row.file]
    if sheet.file is None or not sheet.texts or not (there := sum(map(is_file, names))):
        return None
    ended = sum(looks_like_picture(name) for name in names)
    marked = sheet.header or sheet.separator == "tab"
    return sheet if 2 * ended >= len(names) or (marked and 2 * there >= len(names)) else None
