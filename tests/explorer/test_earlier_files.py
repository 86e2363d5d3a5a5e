"""Files that were decoded by an earlier version of this code are made again bit for bit.

They lie in `tests/fixtures/replay`, with the small random model that most of them were made with: one of each space, of
each kind of file, and of each option that changes how noise is drawn.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from thoughtspace.explorer import Explorer
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.records.machine import machine
from thoughtspace.explorer.records.provenance import read
from thoughtspace.explorer.records.video import read_frames, save_video

FOLDER = Path(__file__).parents[1] / "fixtures" / "replay"
FILES = sorted(
    file.relative_to(FOLDER).as_posix()
    for file in FOLDER.rglob("*")
    if file.name.startswith(("tiny", "pocket")) or file.parent.name.startswith(("tiny", "pocket"))
    if file.is_file()
)
POCKET = "7d7c5ec17baa"
"""How the hash of the pocket model that the files were made with begins."""


@pytest.fixture(scope="module")
def explorers() -> dict[str, Explorer]:
    return {
        name: Explorer.open(place, device="cpu") for name, place in (("tiny", FOLDER / "model"), ("pocket", "pocket"))
    }


def test_every_kind_of_file_and_every_space_is_there():
    records = [read(FOLDER / file).record for file in FILES]
    assert {Path(file).suffix for file in FILES} == {".png", ".gif", ".mp4", ".webm"}
    assert {record["kind"] for record in records} == {"decode", "walk", "blend"}
    spaces = {"joint", "joint-raw", "latent", "prompt", "prompt-x2", "noise", "bottleneck", "prompt+joint+noise"}
    assert spaces <= {record["space"] for record in records}


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_before_is_made_again(explorers, file, tmp_path):
    explorer = explorers[file.partition("-")[0]]
    assert file.startswith("tiny") or explorer.model.hash.startswith(POCKET)
    again = explorer.replay(FOLDER / file)
    recorded = again.provenance.record["machine"]
    here = machine()
    if all(recorded[key] == here[key] for key in ("cpu", "capability", "torch")):
        assert again.identical
    elif file.endswith("png"):
        assert again.max_difference <= 3  # other processors and versions round otherwise
    else:
        assert max(video_differences(FOLDER / file, again.images, tmp_path)) <= 0.5


def video_differences(file: Path, images, folder: Path) -> list[float]:
    """Mean difference of each frame from that of the pictures written once more, so that both lost as much."""
    shown = read_frames(file, n_frames=len(images))
    rate = 24.0
    if file.suffix != ".gif":
        with av.open(str(file)) as container:
            rate = float(container.streams.video[0].average_rate)
    save_video(images, folder / file.name, fps=rate, scale=shown[0].width // images[0].width)
    written = read_frames(folder / file.name, n_frames=len(images))
    return [np.abs(np.asarray(a, float) - np.asarray(b, float)).mean() for a, b in zip(shown, written, strict=True)]


def test_videos_of_other_pictures_differ_by_more(explorers, tmp_path):
    """Negative control: the frames of a walk in the other direction."""
    images = explorers["tiny"].replay(FOLDER / "tiny-walk.gif").images
    assert max(video_differences(FOLDER / "tiny-walk.gif", images[::-1], tmp_path)) > 2


def test_a_file_of_a_former_pocket_model_names_both_models(refused, explorers):
    """It was decoded by weights that are no longer shipped: nothing is made in its place."""
    with refused(ModelError, "other model", "58a872f45b2c", POCKET):
        explorers["pocket"].replay(FOLDER / "former-pocket.png")
