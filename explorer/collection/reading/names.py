"""Match the names that tables write with the files that are there."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

MOST_COMPARED = 5000
"""Most files that are compared for the nearest name."""

_NUMBER = re.compile(r"#\d+$")
_URI = "file://"
_Key = Callable[[str], str]


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _any_case(name: str) -> str:
    return _nfc(_nfc(name).casefold())


def _without_ending(name: str) -> str:
    return os.path.splitext(_any_case(name))[0]


def without_number(name: str) -> str:
    """A name without the number of its caption, which Flickr8k writes: `fox.png#0` is `fox.png`."""
    return _NUMBER.sub("", name)


class Names:
    """Files, found by names that may be written in another way.

    A name is tried as it is, in the other normal form of Unicode, in upper or lower case, and without its ending; first
    as a path, then as the bare name of a file in any folder. Backslashes are slashes; a `#0` at the end is left out.
    From the second form on, a name must mean one file alone.

    Args:
        files: absolute paths.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._exact = set(files)
        self._found: dict[tuple[bool, _Key], dict[str, str | None]] = {}

    def find(self, name: str, folder: Path) -> str | None:
        """The file that a name in a table of this folder means, or None."""
        slashed = name.strip().replace("\\", "/")
        ways = (name, name.strip(), slashed, without_number(slashed))
        for written in dict.fromkeys(ways):
            path = os.path.abspath(os.path.join(folder, os.path.expanduser(written)))
            if path in self._exact:
                return path
        if not written or written.endswith("/"):
            return None
        for whole, asked in ((True, path), (False, os.path.basename(written))):
            for key, of_name in ((_nfc, _nfc), (_any_case, _any_case), (_without_ending, _any_case)):
                found = self._by(whole, key).get(of_name(asked))
                if found is not None:
                    return found
        return None

    def nearest(self, name: str) -> str | None:
        """The bare name of the file that looks most like this one, or None if none looks like it."""
        some = [os.path.basename(path) for path in self._files[:MOST_COMPARED]]
        found = difflib.get_close_matches(os.path.basename(name.replace("\\", "/"))[:255], some, n=1, cutoff=0.7)
        return found[0] if found else None

    def _by(self, whole: bool, key: _Key) -> dict[str, str | None]:
        """Each file by its key; None where several share it."""
        if (whole, key) not in self._found:
            made: dict[str, str | None] = {}
            for path in self._files:
                this = key(path if whole else os.path.basename(path))
                made[this] = path if this not in made else None
            self._found[whole, key] = made
        return self._found[whole, key]


def stored(path: str | os.PathLike[str]) -> str:
    """A path as it is stored: its absolute path as text, or a `file:` address if its bytes are no text.

    >>> stored("/tmp/\\udce9.png")
    'file:///tmp/%E9.png'
    """
    absolute = os.path.abspath(os.fsdecode(path))
    try:
        absolute.encode()
    except UnicodeEncodeError:
        return _URI + quote_from_bytes(os.fsencode(absolute))
    return absolute


def real(source: str) -> str:
    """The path that was stored as this."""
    return os.fsdecode(unquote_to_bytes(source.removeprefix(_URI))) if source.startswith(_URI) else source
