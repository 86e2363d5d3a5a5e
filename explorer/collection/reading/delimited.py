"""Delimited text (CSV, TSV): lines to records, and which character stands between the cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .text import is_blank

SEPARATORS = (",", ";", "\t", "|")

MOST_LINES = 1000
"""Most lines of one record. A quotation mark that is never closed must not swallow the rest of the file."""

SAMPLE = 64
"""Records that are looked at to find the separator and the columns."""

ONE_COLUMN = "\x1f"
"""What separates the cells of a table that has one column: a character that no text has."""


@dataclass(frozen=True)
class Record:
    """One record of a delimited text.

    Attributes:
        line: of the file, from 1.
        cells: its cells.
        problem: what is wrong with it.
    """

    line: int
    cells: list[str]
    problem: str = ""


def records(lines: Sequence[str], separator: str) -> Iterator[Record]:
    """The records, by the rules of RFC 4180; blank lines are none.

    A line whose quotation marks break the rules, such as `a.png,"big" fox`, is taken as it is written.
    """
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line or is_blank(line):  # the first is quick, and a file may have millions of empty lines
            at += 1
        elif '"' not in line:
            yield Record(at + 1, line.split(separator))
            at += 1
        else:
            cells, used = _quoted(lines[at : at + MOST_LINES], separator)
            problem = "" if cells else "a quotation mark that is not closed"
            yield Record(at + 1, cells or [line], problem)
            at += used


def separators(lines: Sequence[str], usual: str) -> list[str]:
    """The separators that the first records have, the usual one first; one that no text has if the first has none."""
    told = [line for line in lines[:SAMPLE] if line.strip()]
    first = told[0] if told else ""
    if first.lower().startswith("sep=") and len(first.strip("\r\n")) == 5:
        return [first[4]]
    known = dict.fromkeys((usual, *SEPARATORS))
    found = [each for each in known if any(each in line for line in told)]
    return found if any(each in first for each in known) else [*found, ONE_COLUMN]


def agreement(sample: Sequence[Record]) -> float:
    """The share of records that have as many cells as the first, not counting empty ones at the end."""
    if not sample:
        return 0.0
    wide = len(trimmed(sample[0].cells))
    return sum(len(trimmed(each.cells)) == wide for each in sample) / len(sample)


def trimmed(cells: Sequence[str]) -> list[str]:
    """The cells without empty ones at the end."""
    last = next((at for at in range(len(cells), 0, -1) if cells[at - 1].strip()), 0)
    return list(cells[:last])


def _quoted(lines: Sequence[str], separator: str) -> tuple[list[str], int]:
    """The cells of the record that begins here, and its number of lines; no cells if a quotation mark stays open."""
    before = csv.field_size_limit(2**31 - 1)  # the usual 131,072 would refuse a long caption
    try:
        ended = (f"{line}\n" for line in lines)
        reader = csv.reader(ended, delimiter=separator, skipinitialspace=True, strict=True)
        return next(reader), reader.line_num
    except (csv.Error, StopIteration):
        cells = [cell.strip(" ") for cell in lines[0].split(separator)]
        is_open = any(cell.startswith('"') and cell.count('"') % 2 for cell in cells)
        return ([] if is_open else cells), 1
    finally:
        csv.field_size_limit(before)
