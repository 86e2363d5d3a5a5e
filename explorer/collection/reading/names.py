"""Match the names that tables write with the files that are there."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote, unquote_to_bytes

from ...records.pictures import is_readable

LONGEST = 4096
"""Most letters of a path, as Linux has it: a longer cell names no file."""

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


def looks_like_picture(name: str) -> bool:
    """Whether a name ends as that of a picture which can be read, whether it is there or not."""
    return is_readable(os.path.splitext(without_number(name.strip()))[1].lower())


class Names:
    """Files, found by names that may be written in another way.

    A name is tried as it is, in the other normal form of Unicode, in upper or lower case, and without its ending; first
    as a path, then by the longest end that it shares with the path of a file, by whole parts: `train/1.png` and
    `C:\\me\\train\\1.png` are `images/train/1.png`. If several files fit equally well, none is meant.

    Args:
        files: absolute paths.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._exact = set(files)
        self._found: dict[tuple[bool, _Key], dict[str, list[str]]] = {}

    def find(self, name: str, folder: Path) -> str | None:
        """The file that a name in a table of this folder means, or None."""
        if len(name) > LONGEST:
            return None
        for written in _ways(name):
            path = os.path.abspath(os.path.join(folder, os.path.expanduser(written)))
            if path in self._exact:
                return path
        for written in _ways(name):
            path = os.path.abspath(os.path.join(folder, os.path.expanduser(written)))
            for key, of_name in ((_nfc, _nfc), (_any_case, _any_case), (_without_ending, _any_case)):
                found = self._by(True, key).get(of_name(path), [])
                if len(found) == 1 and not written.endswith("/"):
                    return found[0]
        fits = self.fits(name)
        return fits[0] if len(fits) == 1 else None

    def fits(self, name: str) -> list[str]:
        """The files whose paths end in the longest same parts as a name: in any case, and then as it is written."""
        for written in _ways(name):
            for key in (_any_case, _without_ending):
                found = (
                    [] if written.endswith("/") else self._by(False, key).get(_any_case(os.path.basename(written)), [])
                )
                if len(found) < 2:
                    best = found
                else:
                    ranks = [(_same_end(path, written, _any_case), _same_end(path, written, _nfc)) for path in found]
                    best = [path for path, rank in zip(found, ranks, strict=True) if rank == max(ranks)]
                if best:
                    return best
        return []

    def nearest(self, name: str) -> str | None:
        """The bare name of the file that looks most like this one, or None if none looks like it."""
        some = [os.path.basename(path) for path in self._files[:MOST_COMPARED]]
        found = difflib.get_close_matches(os.path.basename(name.replace("\\", "/"))[:255], some, n=1, cutoff=0.7)
        return found[0] if found else None

    def _by(self, whole: bool, key: _Key) -> dict[str, list[str]]:
        """The files of each key."""
        if (whole, key) not in self._found:
            made: dict[str, list[str]] = {}
            for path in self._files:
                made.setdefault(key(path if whole else os.path.basename(path)), []).append(path)
            self._found[whole, key] = made
        return self._found[whole, key]


def _ways(name: str) -> list[str]:
    """How a name may be meant: as it is written, with slashes, without the number of a caption, without `%20`."""
    slashed = name.strip().replace("\\", "/")
    ways = (name, name.strip(), slashed, without_number(slashed), unquote(slashed))
    return [each for each in dict.fromkeys(ways) if each]


def _same_end(path: str, name: str, key: _Key) -> int:
    """The number of parts, from the end, that two paths share. The last parts are taken for the same."""
    parts = zip(reversed(key(path).split("/")[:-1]), reversed(key(name).split("/")[:-1]), strict=False)
    return 2 * sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], parts)) + (
        key(os.path.basename(path)) == key(os.path.basename(name))
    )


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
