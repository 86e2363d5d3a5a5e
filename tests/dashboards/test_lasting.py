"""What outlives a server: its token. And what does not: its folder, even when it was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from thoughtspace.dashboards.serving import token as tokens
from thoughtspace.dashboards.serving.folders import temporary_folder
from thoughtspace.dashboards.serving.token import lasting_token, secret_file


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_a_token_lasts_and_is_one_collections_on_one_port(state: Path):
    ours = lasting_token(state / "a", 8050)
    assert lasting_token(state / "a", 8050) == ours
    assert len({ours, lasting_token(state / "b", 8050), lasting_token(state / "a", 8051)}) == 3
    assert len(ours) == 32


def test_another_users_secret_makes_another_token(state: Path, monkeypatch: pytest.MonkeyPatch):
    ours = lasting_token(state, 8050)
    monkeypatch.setenv("XDG_STATE_HOME", str(state / "another"))
    assert lasting_token(state, 8050) != ours


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
def test_only_the_user_can_read_the_secret_and_one_that_others_read_is_thrown_away(state: Path):
    ours = lasting_token(state, 8050)
    assert secret_file().stat().st_mode & 0o777 == 0o600
    secret_file().chmod(0o644)
    assert lasting_token(state, 8050) != ours
    assert secret_file().stat().st_mode & 0o777 == 0o600


def test_a_damaged_secret_is_replaced(state: Path):
    lasting_token(state, 8050)
    secret_file().write_bytes(b"short")
    assert lasting_token(state, 8050) == lasting_token(state, 8050)


def test_where_nothing_can_be_kept_each_start_has_its_own_token(state: Path, monkeypatch: pytest.MonkeyPatch):
    (state / "file").write_text("")
    monkeypatch.setattr(tokens, "secret_file", lambda: state / "file" / "secret")
    assert lasting_token(state, 8050) != lasting_token(state, 8050)


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_of_a_killed_process_is_removed_by_the_next(temp: Path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(ended.pid).create_time()
    ended.wait()
    for name, owner in (
        ("killed", f"{ended.pid} {started:.2f}"),
        ("another", f"{os.getpid()} 12.00"),  # the number was given to another process since
        ("living", f"{os.getpid()} {psutil.Process().create_time():.2f}"),
        ("unknown", "a note"),
    ):
        (temp / f"thoughtspace-{name}").mkdir()
        (temp / f"thoughtspace-{name}" / "owner").write_text(owner)
    (temp / "thoughtspace-other-program").mkdir()
    made = temporary_folder()
    left = {path.name for path in temp.iterdir()} - {made.name}
    assert left == {"thoughtspace-living", "thoughtspace-unknown", "thoughtspace-other-program"}
    again = temporary_folder()
    assert made.exists()
    assert again != made
