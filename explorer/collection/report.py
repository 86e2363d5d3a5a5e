"""What an ingest did: as JSON values, and in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .reading.text import shortened
from .scanned import Scanned

AMBIGUOUS = "ambiguous"
"""Among the programs that wrote prompts: the prompts with a note, whichever program wrote them."""

SHOWN = 20
"""Most lines of a kind in the report in words; the JSON report has all."""


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did.

    Attributes:
        items: number of items in the collection now.
        added: new items, pictures and texts.
        updated: known items that got a caption or vectors that they lacked, or whose caption or columns were corrected.
        skipped: sources whose content was already there.
        failed: `{source, reason}` of each source that could not be read.
        corrected: known items whose caption, columns or place were corrected.
        removed: captions that were removed, since a correction left nothing that has them.
        kept: captions and prompts that stay although where they came from does not have them any more.
        prompts: pictures with settings, by the program that wrote them; `AMBIGUOUS` counts those with a note.
        stale_maps: the names of maps that show a removed caption, and must be drawn again.
        longer: captions and prompts of which the model reads the beginning only.
        scanned: tables and how they were read, vectors that were given, texts whose encoding is a guess, formats that
            are not read.
    """

    items: int
    added: int
    updated: int
    skipped: int
    failed: list[dict[str, str]]
    corrected: int = 0
    removed: int = 0
    kept: int = 0
    prompts: Mapping[str, int] = field(default_factory=dict)
    stale_maps: list[str] = field(default_factory=list)
    longer: int = 0
    scanned: Scanned = field(default_factory=Scanned)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; `tables`, `unread`, `given` and `guessed` are those of `scanned`."""
        numbers = {name: getattr(self, name) for name in ("items", "added", "updated", "skipped")}
        more = {name: getattr(self, name) for name in ("corrected", "removed", "kept", "longer")}
        more["prompts"] = dict(self.prompts)
        return {**numbers, "failed": self.failed, **more, "stale_maps": self.stale_maps, **self.scanned.to_json()}

    def in_words(self) -> list[str]:
        """The report in lines of plain words."""
        return report_in_words(self.to_json())


def report_in_words(report: Mapping[str, Any]) -> list[str]:
    """A report as `IngestReport.to_json` has it, also a stored one, in lines of plain words: the numbers, then what
    was read and how, then what was not and what to do."""
    first = "{items} items: {added} added, {updated} updated, {skipped} unchanged".format(**report)
    lines = [first]
    if report["corrected"]:
        gone = f"; {report['removed']} captions that nothing has any more were removed" if report["removed"] else ""
        lines.append(f"corrected: {report['corrected']} items whose caption, columns or place have changed{gone}")
    elif report["removed"]:
        lines.append(f"removed: {report['removed']} captions that nothing has any more")
    if report.get("stale_maps"):  # which older reports lack
        lines.append(f"draw again, they show a removed caption: map {', '.join(map(repr, report['stale_maps']))}")
    lines += _details(report)
    said = {each["reason"] for each in report["failed"]}  # also of tables of captions that cannot be read
    tables = [table_in_words(each) for each in report["tables"] if each["used"] or each["why"] not in said]
    lines += _some(tables, "tables")
    lines += [given_in_words(each) for each in report.get("given", ())]  # which older reports lack
    guessed = [f"encoding guessed: {each['source']}: {each['encoding']}" for each in report["guessed"]]
    lines += _some(guessed, "guessed encodings")
    if report["longer"]:
        lines.append(f"longer than the model reads: {report['longer']} texts, whose end is left out")
    lines += [
        f"not read: {each['count']} {each['format']}, such as {each['example']}: {each['remedy']}"
        for each in report["unread"]
    ]
    return lines + [f"not read: {each['source']}: {each['reason']}" for each in report["failed"]]


def table_in_words(table: Mapping[str, Any]) -> str:
    """A table of a report in one line of plain words."""
    if not table["used"]:
        columns = f" (columns {shortened(', '.join(map(repr, table['columns'])), 120)})" if table["columns"] else ""
        return f"table not used: {table['source']}{columns}: {table['why']}"
    asked = [f"files from {table['file']!r}"] if table["file"] is not None else []
    asked.append(f"texts from {', '.join(map(repr, table['texts']))}" if table["texts"] else "no texts")
    how = [f"separated by {table['separator']}"] if table["separator"] else []
    how += [table["encoding"] + (" (guessed)" if table["guessed"] else "")] if table["encoding"] else []
    how += [] if table["header"] else ["without a header"]
    how += [table["why"]] if table["why"] else []
    return f"table {table['source']}: {table['rows']} rows, {'; '.join([*asked, *how])}"


def _details(report: Mapping[str, Any]) -> list[str]:
    """What was kept, and what came from beside and inside the pictures; older reports have none of it."""
    lines = []
    if report.get("kept"):
        what = "captions and prompts that their files do not have any more, or whose files are gone"
        lines.append(f"kept: {report['kept']} {what}")
    if report.get("beside"):
        lines.append(f"texts beside pictures: {report['beside']} were read")
    programs = {name: n for name, n in report.get("prompts", {}).items() if name != AMBIGUOUS}
    if programs:
        by_program = ", ".join(f"{name} {n}" for name, n in sorted(programs.items(), key=lambda each: -each[1]))
        lines.append(f"settings of {sum(programs.values())} pictures were read: {by_program}")
    if report.get("prompts", {}).get(AMBIGUOUS):
        lines.append(f"of these, {report['prompts'][AMBIGUOUS]} have a note on what is not sure, in 'prompt_note'")
    return lines


def given_in_words(given: Mapping[str, Any]) -> str:
    """Vectors that were taken as they are, in one line of plain words."""
    what = "pictures" if given["kind"] == "image" else "texts"
    said = f"taken as they are: {given['count']} vectors of {what} in {given['space']}"
    if not given["compared"]:
        return f"{said}; nothing was there to check that this model made them"
    return f"{said}; {given['compared']} were made again to check them (median cosine {given['cosine']:.3f})"


def _some(lines: Sequence[str], what: str) -> list[str]:
    more = [f"… and {len(lines) - SHOWN} more {what}; --json lists all"] if len(lines) > SHOWN else []
    return [*lines[:SHOWN], *more]
