"""Serving: what `demo` and `serve` show and answer, the browser that they open, and what they leave behind."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import tempfile
import threading
import webbrowser

import numpy as np
import pytest
import waitress.server

from thoughtspace.dashboards import cli
from thoughtspace.dashboards.console import Console
from thoughtspace.dashboards.demo import MAP
from thoughtspace.dashboards.map.shown import MapView
from thoughtspace.dashboards.serving import server
from thoughtspace.dashboards.serving.context import open_context
from thoughtspace.dashboards.serving.jobs import Jobs
from thoughtspace.dashboards.serving.settings import Settings
from thoughtspace.explorer import Collection
from thoughtspace.explorer.collection.folders import CARD
from thoughtspace.explorer.errors import CollectionError, MapError

pytestmark = pytest.mark.usefixtures("fits_in_this_process")

PATIENCE = 60  # seconds for a thread, on a busy machine
OWN = "a map of my own"  # the first by the alphabet


def demo(out, model, *options):
    return ["demo", "--items", "16", "--out", str(out), "--model", str(model), "--json", *options]


@pytest.fixture(scope="module")
def first(tmp_path_factory, tiny_model, fits_in_this_process):
    """A demo of 16 pictures."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    assert cli.main(demo(out, tiny_model, "--no-serve")) == 0
    return out


@pytest.fixture
def built(first, tmp_path):
    """The same with a second map, to be damaged at will."""
    shutil.copytree(first, tmp_path / "demo")
    collection = Collection.open(tmp_path / "demo" / "collection")
    collection.save_map(OWN, np.random.default_rng(0).normal(size=(len(collection), 2)))
    return tmp_path / "demo"


@pytest.fixture
def happened(monkeypatch, tmp_path):
    """What is done around the server, in order, without doing it; temporary folders lie in `tmp_path / "t"`."""
    events = []
    (tmp_path / "t").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    monkeypatch.setattr(MapView, "warm", lambda view: events.append(f"warm {view.saved.name}"))
    monkeypatch.setattr(Jobs, "start", lambda jobs: events.append("start worker"))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("CI", raising=False)
    return events


@pytest.fixture
def served(monkeypatch, happened):
    """The same, and the server ends when all threads beside it have; the browser stays in the foreground till then."""
    beside, running = [], threading.Event()

    class Thread(threading.Thread):
        def start(self):
            beside.append(self)
            super().start()

    class Server:
        def __init__(self, *_, **__):
            pass

        def run(self):
            running.set()
            for thread in beside:
                thread.join(PATIENCE)

        def close(self):
            happened.append("close")

    def browse(url):
        happened.append(f"browse {url}" if running.wait(PATIENCE) else "the browser kept the server from running")

    monkeypatch.setattr(server, "Thread", Thread)
    monkeypatch.setattr(waitress.server, "create_server", Server)
    monkeypatch.setattr(webbrowser, "open", browse)
    return happened


# --- What is shown


def test_demo_answers_its_address_and_opens_it(built, tiny_model, served, capsys):
    assert cli.main(demo(built, tiny_model, "--port", "0")) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["url"].startswith(f"http://127.0.0.1:{document['port']}/?token=")
    assert document.keys() >= {"host", "collection", "items", "quality"}
    assert (document["map"], document["seconds"]) == (MAP, {})
    assert [each for each in served if not each.startswith("browse")] == [f"warm {MAP}", "start worker", "close"]
    assert f"browse {document['url']}" in served


@pytest.mark.parametrize(("options", "ci"), [(["--no-open"], ""), ([], "1")])
def test_demo_can_be_kept_from_opening_a_browser(first, tiny_model, served, monkeypatch, capsys, options, ci):
    monkeypatch.setenv("CI", ci)
    assert cli.main(demo(first, tiny_model, "--port", "0", *options)) == 0
    assert json.loads(capsys.readouterr().out)["url"]
    assert served == [f"warm {MAP}", "start worker", "close"]


@pytest.mark.parametrize(
    ("platform", "variables", "answer"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_a_browser_needs_a_screen(monkeypatch, platform, variables, answer):
    monkeypatch.setattr(server.sys, "platform", platform)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert server._has_screen() is answer


@pytest.mark.parametrize(("options", "shown"), [([], MAP), (["--map", OWN], OWN)])
def test_serve_shows_the_map_that_is_asked_for(built, served, capsys, options, shown):
    assert cli.main(["serve", str(built / "collection"), "--port", "0", "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["url"]
    assert served == [f"warm {shown}", "start worker", "close"]


# --- A demo that was there


def test_a_demo_that_lost_its_map_draws_it_again(built, tiny_model, capsys):
    shutil.rmtree(built / "collection" / "maps" / f"{MAP}.lance")
    assert cli.main(demo(built, tiny_model, "--no-serve")) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["map"], document["seconds"].keys()) == (MAP, {"map"})
    assert Collection.open(document["collection"]).maps() == [OWN, MAP]


def test_a_demo_with_the_collection_of_another_model_is_refused(built, tiny_model, capsys):
    card = built / "collection" / CARD
    card.write_text(card.read_text().replace(Collection.open(built / "collection").model_hash, "0" * 64))
    assert cli.main(demo(built, tiny_model, "--no-serve")) == cli.USER_MISTAKE
    assert "0" * 12 in capsys.readouterr().err


# --- What is left


@pytest.mark.parametrize(
    ("folder", "map", "error", "code"),
    [("collection", "mars", MapError, "no such map"), ("nothing", None, CollectionError, "no collection")],
)
def test_a_dashboard_that_cannot_be_opened_leaves_nothing(built, happened, tmp_path, folder, map, error, code, refused):
    with refused(error, code, map or folder):
        open_context(Settings(built / folder, map=map))
    assert not list((tmp_path / "t").iterdir())
    open_context(Settings(built / "collection"))  # negative control: one that can be opened has its folder there
    assert list((tmp_path / "t").iterdir())


def test_a_terminated_server_leaves_nothing(built, happened, tmp_path, monkeypatch):
    """A server that `kill` ends."""
    before = signal.getsignal(signal.SIGTERM)

    def kill(url):
        happened.extend(each.name for each in (tmp_path / "t").iterdir())
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(webbrowser, "open", kill)
    with server.listen("127.0.0.1", 0) as socket, contextlib.suppress(SystemExit):
        settings = Settings(built / "collection", port=socket.getsockname()[1])
        server.run(settings, socket=socket, console=Console(out=io.StringIO()), browse=True)
    assert any(each.startswith("thoughtspace-") for each in happened)
    assert not list((tmp_path / "t").iterdir())
    assert signal.getsignal(signal.SIGTERM) is before
