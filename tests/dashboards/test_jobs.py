"""Jobs: whole results or none, cancelling, a worker that dies, and order. The worker here has no model."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dash import Dash

from thoughtspace.dashboards.components import JobPanel, shown
from thoughtspace.dashboards.serving import jobs as jobs_module
from thoughtspace.dashboards.serving.jobs import Job, Jobs, JobState
from thoughtspace.dashboards.serving.settings import DashboardError
from thoughtspace.dashboards.serving.worker import find_task
from thoughtspace.explorer.errors import ThoughtspaceError

# The worker's own loop, with tasks of this file in place of those of the package and no model to open.
WORKER = """
import importlib.util, json, os, sys, threading
from pathlib import Path
from thoughtspace.dashboards.serving import worker
spec = importlib.util.spec_from_file_location("tasks", sys.argv[1])
tasks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tasks)
worker.find_task = lambda name: getattr(tasks, name.split(":")[1])
class Nothing:
    def warm(self): pass
lock = threading.Lock()
def send(message):
    with lock:
        print(json.dumps(message), flush=True)
worker.serve(sys.stdin, send, Nothing(), Path(sys.argv[2]))
"""


def double(work: Any) -> dict[str, Any]:
    for _ in work.progress(range(3), desc="doubling"):
        pass
    work.file("note.csv").write_text("x")
    return {"twice": 2 * work.request["x"]}


def endless(work: Any) -> dict[str, Any]:
    work.file("half.csv").write_text("half")
    for _ in work.progress(iter(int, 1), total=10**9, desc="counting"):
        time.sleep(0.01)
    return {}


def blocking(work: Any) -> dict[str, Any]:
    work.progress.report(0, None, "blocking")
    time.sleep(600)
    return {}


def wrong(work: Any) -> dict[str, Any]:
    work.file("half.csv").write_text("half")
    raise ThoughtspaceError("Got this, expected that; do so.")


def broken(work: Any) -> dict[str, Any]:
    raise KeyError("oops")


def no_json(work: Any) -> dict[str, Any]:
    work.file("half.csv").write_text("half")
    return {"value": object()}


def dying(work: Any) -> dict[str, Any]:
    os._exit(3)


for task in (double, endless, blocking, wrong, broken, no_json, dying):
    task.__module__ = "thoughtspace.tasks"  # Jobs takes functions of the package only


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs([sys.executable, "-c", WORKER, __file__, str(tmp_path / "jobs")], tmp_path / "jobs")
    (tmp_path / "jobs").mkdir()
    yield made
    made.close()


def wait(table: Jobs, key: str, until: Any = lambda job: job.finished) -> Job:
    limit = time.monotonic() + 120
    while time.monotonic() < limit:
        job = table.get(key)
        assert job is not None
        if until(job):
            return job
        time.sleep(0.02)
    raise AssertionError(f"still {job}")


def test_a_result_and_its_files(table: Jobs):
    job = wait(table, table.submit(double, {"x": 21}))
    assert (job.state, job.result, job.error) == (JobState.DONE, {"twice": 42}, "")
    assert list(job.urls) == ["note.csv"]
    path = table.file(job.key, "note.csv")
    assert path is not None
    assert path.read_text() == "x"


def test_files_are_looked_up_and_never_joined(table: Jobs):
    job = wait(table, table.submit(double, {"x": 1}))
    for name in ("../note.csv", "note.csv/../../x", "..", "", "other.csv", "%2e%2e/note.csv"):
        assert table.file(job.key, name) is None
    assert table.file("../" + job.key, "note.csv") is None


def test_a_cancelled_job_leaves_nothing_and_the_worker_lives_on(table: Jobs):
    key = table.submit(endless, {})
    running = wait(table, key, lambda job: job.done > 0)
    assert running.state is JobState.RUNNING
    before = table._process
    table.cancel(key)
    job = wait(table, key)
    assert (job.state, job.result, dict(job.urls)) == (JobState.CANCELLED, None, {})
    assert list(table.folder.iterdir()) == []
    assert wait(table, table.submit(double, {"x": 1})).state is JobState.DONE
    assert table._process is before


def test_a_waiting_job_is_removed_from_the_queue(table: Jobs):
    first, second = table.submit(endless, {}), table.submit(double, {"x": 1})
    job = table.get(second)
    assert job is not None
    assert job.state is JobState.WAITING
    table.cancel(second)
    table.cancel(first)
    assert wait(table, second).state is JobState.CANCELLED
    assert wait(table, first).state is JobState.CANCELLED


def test_jobs_are_done_in_order(table: Jobs):
    keys = [table.submit(double, {"x": x}) for x in range(4)]
    last = wait(table, keys[-1])
    assert last.result == {"twice": 6}
    assert all(wait(table, key).state is JobState.DONE for key in keys)


def test_a_task_that_does_not_stop_is_killed_and_the_next_is_done(table: Jobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs_module, "GRACE", 0.2)
    key = table.submit(blocking, {})
    wait(table, key, lambda job: job.message == "blocking")
    following = table.submit(double, {"x": 5})
    table.cancel(key)
    assert wait(table, key).state is JobState.CANCELLED
    assert wait(table, following).result == {"twice": 10}


def test_a_task_that_does_not_stop_is_killed_though_nobody_polls_it(table: Jobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs_module, "GRACE", 0.2)
    key = table.submit(blocking, {})
    wait(table, key, lambda job: job.message == "blocking")
    table.cancel(key)
    assert wait(table, table.submit(double, {"x": 5})).result == {"twice": 10}
    assert wait(table, key).state is JobState.CANCELLED


def test_an_error_is_one_line_and_leaves_nothing(table: Jobs):
    facts = {wrong: "Got this, expected that; do so.", broken: "internal KeyError", no_json: "internal TypeError"}
    for task, fact in facts.items():
        job = wait(table, table.submit(task, {}))
        assert job.state is JobState.FAILED
        assert fact in job.error
        assert "\n" not in job.error
        assert list(table.folder.iterdir()) == []


def test_a_worker_that_dies_fails_its_job_only(table: Jobs):
    key, following = table.submit(dying, {}), table.submit(double, {"x": 2})
    job = wait(table, key)
    assert job.state is JobState.FAILED
    assert "code 3" in job.error
    assert wait(table, following).result == {"twice": 4}


def test_old_results_are_forgotten(table: Jobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs_module, "KEPT", 1)
    keys = [table.submit(double, {"x": 1})]
    wait(table, keys[0])
    for _ in range(2):
        keys.append(table.submit(double, {"x": 1}))
        wait(table, keys[-1])
    assert table.get(keys[0]) is None
    assert not (table.folder / keys[0]).exists()


def test_requests_are_json(table: Jobs):
    with pytest.raises(TypeError):
        table.submit(double, {"x": object()})


def test_only_functions_of_the_package_are_tasks(table: Jobs, refused: Any):
    with refused(DashboardError, "task", "json:dumps"):
        table.submit(json.dumps, {})  # type: ignore[arg-type]
    with refused(DashboardError, "task", "os:system"):
        find_task("os:system")


def test_a_closed_table_takes_no_jobs(table: Jobs, refused: Any):
    table.close()
    with refused(DashboardError, "closed"):
        table.submit(double, {"x": 1})


def test_unknown_keys_are_no_jobs(table: Jobs):
    assert table.get(None) is None
    assert table.get("nothing") is None
    table.cancel("nothing")


def test_a_lost_answer_does_not_stop_the_polls(table: Jobs):
    """Each answer allows one more tick; where one is lost, a tick of the watch brings the next."""
    app, panel = Dash(__name__), JobPanel("walk")
    app.layout = panel.layout()
    panel.register(app, SimpleNamespace(jobs=table))  # type: ignore[arg-type]
    asking = app.server.test_client()
    calls = json.loads(asking.get("/_dash-dependencies").data)
    call = next(each for each in calls if "max_intervals" in each["output"])
    key = table.submit(endless, {})

    def answer(trigger: str, ticks: int) -> Any:
        values = {"walk-job.data": key, "walk-interval.n_intervals": ticks, "walk-watch.n_intervals": 1}
        written = [each.split(".") for each in call["output"].strip(".").split("...")]
        body = {
            "output": call["output"],
            "outputs": [{"id": id, "property": name} for id, name in written],
            "inputs": [{**each, "value": values[f"{each['id']}.{each['property']}"]} for each in call["inputs"]],
            "state": [{**each, "value": None} for each in call["state"]],
            "changedPropIds": [trigger],
        }
        return json.loads(asking.post("/_dash-update-component", json=body).data)["response"]

    assert answer("walk-job.data", 0)["walk-interval"] == {"disabled": False, "max_intervals": 1}
    second = answer("walk-watch.n_intervals", 1)  # the answer to the first tick never arrived
    assert second["walk-interval"] == {"disabled": False, "max_intervals": 2}
    assert second["walk-watch"] == {"disabled": False}
    table.cancel(key)
    wait(table, key)
    assert answer("walk-watch.n_intervals", 2)["walk-watch"] == {"disabled": True}


def test_the_panel_of_each_state():
    panel = JobPanel("walk")
    assert len({panel.job, panel.result, panel.cancel, panel.body}) == 4
    off, hidden, state, *_ = shown(None)
    assert (off, hidden, state) == (True, True, "")
    job = Job("k", "t", {}, state=JobState.RUNNING, done=1, total=4, message="decoding")
    off, hidden, state, bar, text, *_ = shown(job, "k")
    assert (off, hidden, state, bar, text) == (False, False, "running", 25.0, "Decoding: 1 of 4")
    done = Job("k", "t", {}, state=JobState.DONE, result={"a": 1}, urls={"f": "/data/job/k/f"})
    assert shown(done, "k")[-1] == "k"
    off, hidden, state, *_ = shown(Job("k", "t", {}, state=JobState.FAILED, error="Got x."), "k")
    assert (off, hidden, state) == (True, False, "failed")


class Asking:
    """Who asks, in place of a browser's cookie."""

    def __init__(self) -> None:
        self.name = "ada"

    def __call__(self) -> str:
        return self.name


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Jobs, Asking]]:
    """A table of jobs that several browsers use."""
    asking = Asking()
    (tmp_path / "jobs").mkdir()
    made = Jobs([sys.executable, "-c", WORKER, __file__, str(tmp_path / "jobs")], tmp_path / "jobs", owner=asking)
    yield made, asking
    made.close()


def test_a_job_is_its_browsers_alone(shared: tuple[Jobs, Asking]):
    table, asking = shared
    key = table.submit(double, {"x": 1})
    asking.name = "bob"
    assert table.get(key) is None
    assert table.done(key) is None
    table.cancel(key)
    asking.name = "ada"
    assert wait(table, key).state is JobState.DONE
    assert table.file(key, "note.csv") is not None
    asking.name = "bob"
    assert table.file(key, "note.csv") is None


def test_browsers_take_turns_and_know_how_many_are_ahead(shared: tuple[Jobs, Asking]):
    table, asking = shared
    first = [table.submit(endless, {}) for _ in range(3)]
    asking.name = "bob"
    second = table.submit(double, {"x": 1})
    job = table.get(second)
    assert job is not None
    assert (job.state, job.ahead) == (JobState.WAITING, 1)  # the one that runs, and not the two of before
    asking.name = "ada"
    waiting = [table.get(key) for key in first[1:]]
    assert [each.ahead for each in waiting if each is not None] == [2, 3]
    table.cancel(first[0])
    asking.name = "bob"
    assert wait(table, second).result == {"twice": 2}


def test_one_browser_has_few_jobs_waiting(shared: tuple[Jobs, Asking], refused: Any):
    table, asking = shared
    for _ in range(1 + jobs_module.WAITING):
        table.submit(endless, {})
    with refused(DashboardError, "too many jobs", str(jobs_module.WAITING)):
        table.submit(endless, {})
    asking.name = "bob"
    assert table.get(table.submit(double, {"x": 1})) is not None  # control: others may


def test_a_job_of_a_closed_page_makes_way(shared: tuple[Jobs, Asking], monkeypatch: pytest.MonkeyPatch):
    table, asking = shared
    left = table.submit(endless, {})
    monkeypatch.setattr(jobs_module, "FORGOTTEN", 0.3)
    time.sleep(0.4)
    assert table.get(left) is not None
    time.sleep(0.4)  # control: alone, it goes on
    job = table.get(left)
    assert job is not None
    assert job.state is JobState.RUNNING
    asking.name = "bob"
    key = table.submit(double, {"x": 4})
    assert wait(table, key).result == {"twice": 8}
    asking.name = "ada"
    assert wait(table, left).state is JobState.CANCELLED
