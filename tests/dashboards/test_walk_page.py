"""The Walk page without a browser: its form, its stops, its task in the worker, and what it shows."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from dash import no_update

from thoughtspace.dashboards.figures import CONFIG, steps_chart
from thoughtspace.dashboards.serving.job import Job
from thoughtspace.dashboards.serving.worker import Progress, run_task
from thoughtspace.dashboards.walk import page as walk
from thoughtspace.dashboards.walk import task as walk_task
from thoughtspace.dashboards.walk.form import INTERPOLANTS, WalkRequest
from thoughtspace.dashboards.walk.stops import EXAMPLES, Parts, edited, length_of, read_form, stop_rows
from thoughtspace.dashboards.walk.view import facts, film, strip
from thoughtspace.explorer.errors import (
    Cancelled,
    CollectionError,
    ExpressionError,
    GeometryError,
    PictureError,
    SpaceError,
    ThoughtspaceError,
)
from thoughtspace.explorer.geometry.product import PATHS
from thoughtspace.explorer.records.video import read_frames

STOPS = ["a red fox", '"a cat" + 0.5 * "a hat"', "a green mountain"]


def progress(shown: list[Any], *, stop_after: int | None = None) -> Any:
    """A progress that keeps its reports, and stops after `stop_after` of them."""
    stop, reports = threading.Event(), list[Any]()

    def report(done: int, total: int | None, desc: str) -> None:
        reports.append((done, total, desc))
        if stop_after is not None and len(reports) > stop_after:
            stop.set()

    made: Any = Progress(report, stop, shown.append)
    made.reports = reports
    return made


def run(workspace: Any, folder: Path, request: WalkRequest, **options: Any) -> tuple[dict[str, Any], Any, list[Any]]:
    shown: list[Any] = []
    watched = progress(shown, **options)
    name = f"{walk_task.__name__}:render"
    return run_task(name, request.to_json(), workspace, watched, folder / "job"), watched, shown


def test_a_request_survives_json():
    request = WalkRequest.read(STOPS, frames="12", spacing="uniform", interpolant="squad", seed=7, fps=12)
    assert WalkRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_the_interpolants_offered_are_those_of_the_explorer():
    assert sorted(INTERPOLANTS) == sorted(PATHS)


@pytest.mark.parametrize(
    ("stops", "form", "error", "code", "fact"),
    [
        (["a fox"], {}, SpaceError, "stops", "Got 1 stops"),
        (STOPS, {"frames": 1}, SpaceError, "frames", "frames 1, expected a whole number from 2 to 1000"),
        (STOPS, {"frames": ""}, SpaceError, "frames", "no frames"),
        (STOPS, {"frames": 2.5}, SpaceError, "frames", "2.5"),
        (STOPS, {"fps": 51}, SpaceError, "fps", "fps 51, expected a whole number from 1 to 50"),
        (STOPS, {"seed": -1}, SpaceError, "seed", "-1"),
        (STOPS, {"spacing": "even"}, SpaceError, "spacing", "'even'"),
        (STOPS, {"interpolant": "cubic"}, SpaceError, "interpolant", "'cubic'"),
        (["a fox", '"a" +'], {}, ExpressionError, "operand", "position 6"),
    ],
)
def test_a_form_with_a_mistake_is_refused(
    stops: list[str], form: dict[str, Any], error: type[ThoughtspaceError], code: str, fact: str, refused: Any
):
    with refused(error, code, fact):
        WalkRequest.read(stops, **form)


def test_stops_are_added_moved_and_removed(refused: Any):
    move = {"type": Parts.MOVE}
    assert edited(["a", "b"], walk.Ids.ADD, "  c ") == (["a", "b", "c"], "")
    assert edited(["a", "b", "c"], move | {"index": 2, "by": -1}, "typed")[0] == ["a", "c", "b"]
    assert edited(["a", "b", "c"], move | {"index": 0, "by": 1}, "typed") == (["b", "a", "c"], "typed")
    assert edited(["a", "b", "c"], move | {"index": 0, "by": -1}, "")[0] == ["a", "b", "c"]
    assert edited(["a", "b", "c"], move | {"index": 1, "by": 0}, "")[0] == ["a", "c"]
    assert edited(["a"], move | {"index": 4, "by": 0}, "")[0] == ["a"]
    with refused(ExpressionError, "operand"):
        edited(["a"], walk.Ids.TEXT, '"a" - ')


def test_a_move_there_and_back_changes_nothing():
    stops = list("abcde")
    there, _ = edited(stops, {"type": Parts.MOVE, "index": 1, "by": 1}, "")
    assert edited(there, {"type": Parts.MOVE, "index": 2, "by": -1}, "")[0] == stops


def test_every_example_is_a_walk():
    for stops in EXAMPLES.values():
        WalkRequest.read(stops)


def test_the_film_has_the_walk_of_the_explorer_to_the_last_bit(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(walk_task, "ROUNDS", 2)
    request = WalkRequest.read(STOPS[:2], frames=40, seed=3, fps=10)
    result, watched, shown = run(workspace, tmp_path, request)
    expected = workspace.explorer.walk(workspace.points(STOPS[:2]), 40, rounds=2, seed=3)
    assert result["steps"] == expected.distances.tolist()
    assert result["cv"] == expected.cv
    assert result["interpolant"] == "slerp"
    assert result["stops"][0] == 0
    assert result["stops"][-1] == 39
    frames = read_frames(tmp_path / "job" / "walk.mp4")
    assert len(frames) == 40
    assert {path.name for path in (tmp_path / "job").iterdir()} == {"walk.mp4", "walk.webm", "walk.gif"}
    assert workspace.explorer.replay(tmp_path / "job" / "walk.mp4").identical
    assert json.loads(json.dumps(result)) == result
    # frames were shown as their batches came: more of the strip each time, all of it at the end of the first round
    filled = [sum(tile is not None for tile in each["tiles"]) for each in shown]
    assert filled[0] < walk_task.TILES
    assert filled == sorted(filled)
    assert filled[-1] == walk_task.TILES
    assert all(done <= total for done, total, _ in watched.reports if total)


def test_uniform_spacing_is_measured_as_the_walk_itself_would_be(workspace, tmp_path, monkeypatch):
    """With two stops it is the first round; with three of unequal legs it is a round of its own."""
    monkeypatch.setattr(walk_task, "ROUNDS", 1)
    for index, stops in enumerate((STOPS[:2], STOPS)):
        request = WalkRequest.read(stops, frames=6)
        result, _, _ = run(workspace, tmp_path / str(index), request)
        expected = workspace.explorer.walk([*stops], 6, spacing="uniform")
        np.testing.assert_allclose(result["uniform"]["steps"], expected.distances, atol=1e-3)
        assert result["uniform"]["cv"] == pytest.approx(expected.cv, abs=1e-2)


def test_a_uniform_walk_is_rendered_once(workspace, tmp_path):
    result, _, _ = run(workspace, tmp_path, WalkRequest.read(STOPS, frames=4, spacing="uniform", interpolant="lerp"))
    assert result["rounds"] == 1
    assert result["uniform"] is None
    assert result["interpolant"] == "lerp"


def test_a_cancelled_walk_leaves_nothing(workspace, tmp_path):
    shown: list[Any] = []
    watched, request = progress(shown, stop_after=2), WalkRequest.read(STOPS).to_json()
    with pytest.raises(Cancelled):
        run_task(f"{walk_task.__name__}:render", request, workspace, watched, tmp_path / "job")
    assert list(tmp_path.iterdir()) == []


def test_a_walk_that_fails_leaves_nothing(workspace, tmp_path, refused):
    request = WalkRequest.read(['"a cat" - "a cat"', "a fox"], frames=4)
    with refused(GeometryError, "zero vector"):
        run(workspace, tmp_path, request)
    assert list(tmp_path.iterdir()) == []


FORM = {"frames": 8, "spacing": "equal", "interpolant": "", "seed": 0, "fps": 24}


def test_the_form_checks_items_and_pictures_before_a_job_is_made(workspace, refused):
    first = workspace.collection.items()["id"][0]
    assert read_form(workspace, [f'item("{first}")', "a fox"], False, FORM).frames == 8
    with refused(CollectionError, "no item", "nobody"):
        read_form(workspace, ['item("nobody")', "a fox"], False, FORM)
    with refused(PictureError, "not dropped", "/etc/passwd"):
        read_form(workspace, ['img("/etc/passwd")', "a fox"], False, FORM)


def test_a_loop_ends_at_its_first_stop(workspace):
    assert read_form(workspace, ["a", "b"], True, FORM).stops == ("a", "b", "a")


class Queue:
    """Jobs that are kept and never run."""

    def __init__(self):
        self.submitted, self.cancelled = [], []

    def submit(self, task, request):
        self.submitted.append((task, request))
        return "new"

    def cancel(self, key):
        self.cancelled.append(key)


def test_a_new_walk_replaces_the_one_before(workspace):
    context: Any = SimpleNamespace(workspace=workspace, jobs=Queue())
    key, error, preview = walk.start(context, 1, ["a", "b"], False, FORM, "old")
    assert (key, error, len(preview.children)) == ("new", [], 8)
    assert context.jobs.submitted == [(walk_task.render, WalkRequest.read(["a", "b"], frames=8).to_json())]
    assert context.jobs.cancelled == ["old"]


def test_a_mistake_in_the_form_starts_no_job(workspace):
    context: Any = SimpleNamespace(workspace=workspace, jobs=Queue())
    key, error, preview = walk.start(context, 1, ["a"], False, FORM, "old")
    assert (key, preview) == (no_update, no_update)
    assert "Got 1 stops" in error.children
    assert context.jobs.submitted == context.jobs.cancelled == []


@pytest.mark.parametrize(
    ("state", "film", "visible"),
    [
        ("", None, {"empty"}),
        ("running", None, {"preview"}),
        ("running", "a film", {"preview", "result"}),
        ("done", "a film", {"result"}),
        ("failed", None, {"empty"}),
        ("cancelled", "a film", {"result"}),
    ],
)
def test_the_page_shows_what_fits_its_state(state: str, film: Any, visible: set[str]):
    *hidden, style = walk.show_state(state, film)
    assert {name for name, off in zip(("preview", "empty", "result"), hidden, strict=True) if not off} == visible
    assert (style == "behind") is (state == "running")


def test_rows_show_items_by_their_pictures(workspace):
    items = workspace.collection.items("image")
    mean = f'mean(item("{items["id"][0]}"), item("{items["id"][1]}"), 0.6, 0.4)'
    rows = json.dumps([row.to_plotly_json() for row in stop_rows(workspace, ["a fox", mean, '"a" -'])], default=encoded)
    assert "a fox" in rows
    assert "A place on the map" in rows
    assert f"/data/thumbnail/{items['id'][0]}" in rows


def test_the_length_is_in_seconds():
    assert length_of(48, 24) == "2.0 s"
    assert length_of("", 24) == length_of(48, 0) == ""


def test_the_chart_compares_and_never_offers_to_send_data_away():
    figure = steps_chart([0.1, 0.1, 0.1], "dark", uniform=[0.05, 0.2, 0.05], stops=[0, 1, 3])
    assert [list(trace.y) for trace in figure.data] == [[0.1, 0.1, 0.1], [0.05, 0.2, 0.05]]
    assert len(figure.layout.shapes) == 2  # the mean, and the one stop between the ends
    assert CONFIG["showSendToCloud"] is False
    assert CONFIG["plotlyServerURL"] == ""
    assert len(steps_chart([0.1]).data) == 1


def test_the_film_names_its_numbers_beside_what_they_compare_with(workspace):
    result = {
        "frames": 4, "fps": 2, "seed": 0, "interpolant": "slerp", "rounds": 2, "cv": 0.05, "steps": [0.1, 0.11, 0.1],
        "uniform": {"cv": 0.5, "steps": [0.3, 0.0, 0.0]}, "stops": [0, 3], "sources": ["a", "b"],
        "tiles": ["data:,"],
    }  # fmt: skip
    urls = {f"walk.{kind}": f"/data/job/k/walk.{kind}" for kind in walk_task.KINDS}
    shown = [*film(Job("k", "task", {}, result=result, urls=urls)), *facts(workspace, result)]
    page = json.dumps(shown, default=encoded, ensure_ascii=False)
    for part in (
        "0.05",
        "0.50 with uniform spacing",
        "/data/job/k/walk.mp4",
        "/data/job/k/walk.webm",
        "/data/job/k/walk.gif",
        "a → b",
    ):
        assert part in page
    assert "with uniform" not in json.dumps(facts(workspace, result | {"uniform": None}), default=encoded)
    assert len(strip([None, "data:,"]).children) == 2


def encoded(component: Any) -> Any:
    return component.to_plotly_json()
