"""Video: every frame comes back, in order, about as it was; nothing half-written stays behind."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from thoughtspace.explorer.errors import Cancelled, VideoError
from thoughtspace.explorer.records.provenance import Provenance, read
from thoughtspace.explorer.records.video import read_frames, save_video

KINDS = ["mp4", "webm", "gif"]


def frames(n: int = 6, size: tuple[int, int] = (48, 32)) -> list[Image.Image]:
    """A smooth ground with a disc that moves: each frame differs from the next."""
    width, height = size
    ys, xs = np.mgrid[:height, :width]
    ground = np.stack([200 * xs / width, 200 * ys / height, np.full_like(xs, 90)], -1)
    made = []
    for step in range(n):
        disc = ((xs - width * (step + 1) / (n + 1)) ** 2 + (ys - height / 2) ** 2 < (height / 4) ** 2)[..., None]
        made.append(Image.fromarray(np.where(disc, [220, 60, 40], ground).astype(np.uint8)))
    return made


def error(a: Image.Image, b: Image.Image) -> float:
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_back_in_order(kind, tmp_path):
    path, made = tmp_path / f"walk.{kind}", frames(8)
    save_video(made, path)
    again = read_frames(path)
    assert len(again) == len(made)
    assert all(frame.mode == "RGB" and frame.size == (48, 32) for frame in again)
    for index, frame in enumerate(again):
        assert error(frame, made[index]) < (6 if kind != "gif" else 2)  # of 256, most of it the halved colour
        # Negative control: the frame is nearer to itself than to its neighbours.
        others = [error(frame, other) for other in made[:index] + made[index + 1 :]]
        assert error(frame, made[index]) < min(others)


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_colours_survive_where_they_are_flat(kind, tmp_path):
    colours = [(230, 30, 30), (30, 200, 60), (20, 40, 220), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
    made = [Image.new("RGB", (32, 32), colour) for colour in colours]
    save_video(made, tmp_path / f"flat.{kind}")
    for frame, colour in zip(read_frames(tmp_path / f"flat.{kind}"), colours, strict=True):
        assert np.abs(np.asarray(frame).astype(int) - colour).max() <= 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_frames_make_the_same_file(kind, tmp_path):
    digests = set()
    for name in ("one", "two"):
        path = tmp_path / f"{name}.{kind}"
        save_video(frames(), path, provenance=Provenance({"kind": "walk"}))
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 64)])
def test_any_size_can_be_written(kind, size, tmp_path):
    path = tmp_path / f"odd.{kind}"
    save_video(frames(3, size), path)
    width, height = size
    even = (width + width % 2, height + height % 2)
    again = read_frames(path)[0]
    assert again.size == (size if kind == "gif" else even)
    grey = [each.convert("L") for each in (again.crop((0, 0, width, height)), frames(3, size)[0])]
    assert error(*grey) < 6


@pytest.mark.parametrize("kind", KINDS)
def test_scale_makes_squares_and_keeps_small_colours(kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, size=(16, 16, 3), dtype=np.uint8)
    made = [Image.fromarray(np.roll(noise, step, axis=1)) for step in range(2)]
    errors = {}
    for scale in (1, 4):
        save_video(made, tmp_path / f"x.{kind}", scale=scale)
        again = read_frames(tmp_path / f"x.{kind}")[0]
        assert again.size == (16 * scale, 16 * scale)
        errors[scale] = error(again.resize((16, 16), Image.Resampling.BOX), made[0])
    assert errors[4] < (errors[1] / 2 if kind != "gif" else errors[1] + 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fps", [0.5, 12.5, 24, 50])
def test_the_rate_is_the_one_asked_for(kind, fps, tmp_path):
    import av

    path = tmp_path / f"rate.{kind}"
    save_video(frames(12), path, fps=fps)
    if kind == "gif":
        with Image.open(path) as image:
            times = []
            for index in range(image.n_frames):
                image.seek(index)
                times.append(image.info["duration"])
        assert sum(times) == pytest.approx(1000 * 12 / fps, abs=10)
        assert max(times) - min(times) <= 10
        return
    with av.open(str(path)) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(fps, rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_progress_sees_every_frame_and_may_stop_the_work(kind, tmp_path):
    seen: list[object] = []

    def counted(items, *, total, desc):
        seen.append((total, desc))
        for item in items:
            seen.append(item)
            yield item

    path = tmp_path / f"walk.{kind}"
    made = frames()
    save_video(made, path, progress=counted)
    assert seen == [(6, f"writing walk.{kind}"), *made]
    whole = path.read_bytes()

    for stop in (0, 3):

        def stopped(items, *, total, desc, stop=stop):
            for index, item in enumerate(items):
                if index == stop:
                    raise Cancelled
                yield item

        with pytest.raises(Cancelled):
            save_video(frames(), path, progress=stopped)
        assert path.read_bytes() == whole
        assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_a_one_line_error_and_leaves_nothing(refused, kind, tmp_path):
    """A limit on file size stands for the full disk: the system refuses the bytes in the same place."""
    import resource
    import signal

    noise = np.random.default_rng(0).integers(0, 256, size=(8, 64, 64, 3), dtype=np.uint8)
    made = [Image.fromarray(each) for each in noise]
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with refused(VideoError, "cannot write", f"full.{kind}"):
            save_video(made, tmp_path / f"full.{kind}", provenance=Provenance({"kind": "walk"}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


class Lazy(Sequence):
    """A sequence that is no list, as a decoder's answer is."""

    def __init__(self, pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.pictures[index]


def test_any_sequence_and_any_mode_will_do(tmp_path):
    made = frames(3)
    save_video(Lazy([made[0].convert("RGBA"), made[1].convert("P"), made[2]]), tmp_path / "walk.mp4")
    assert len(read_frames(tmp_path / "walk.mp4")) == 3


def test_equal_frames_of_a_gif_are_one_longer_frame(tmp_path):
    still = frames(1)[0]
    save_video([still, still, still], tmp_path / "still.gif", fps=10)
    save_video([still, still, still], tmp_path / "still.mp4", fps=10)
    assert len(read_frames(tmp_path / "still.gif")) == 1
    assert len(read_frames(tmp_path / "still.gif", n_frames=3)) == 3
    assert len(read_frames(tmp_path / "still.mp4")) == 3


@pytest.mark.parametrize("fps", [7, 24, 50])
def test_equal_frames_of_a_gif_are_separated_again(tmp_path, fps):
    first, second = frames(2)
    made = [first, first, second, second, second, first, second, second]
    save_video(made, tmp_path / "walk.gif", fps=fps)
    kept = read_frames(tmp_path / "walk.gif")
    assert len(kept) == 4
    found = read_frames(tmp_path / "walk.gif", n_frames=len(made))
    expected = [kept[0], kept[0], kept[1], kept[1], kept[1], kept[2], kept[3], kept[3]]
    assert [frame.tobytes() for frame in found] == [frame.tobytes() for frame in expected]


def test_one_frame_is_a_video_with_its_record(tmp_path):
    for kind in KINDS:
        save_video(frames(1), tmp_path / f"one.{kind}", provenance=Provenance({"kind": "walk", "text": '"é"'}))
        assert read(tmp_path / f"one.{kind}").record["text"] == '"é"'
        assert len(read_frames(tmp_path / f"one.{kind}")) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "fact"),
    [
        ({"path": "walk.avi"}, "file name", ".mp4, .webm, .gif"),
        ({"path": "walk"}, "file name", "walk'"),
        ({"frames": []}, "no frames", "no frames"),
        ({"frames": [Image.new("RGB", (8, 8)), Image.new("RGB", (8, 9))]}, "size", "(8, 8) and (8, 9)"),
        ({"frames": [Image.new("RGB", (1, 1025))], "scale": 16}, "too large", "16400"),
        ({"fps": 0}, "fps", "fps 0"),
        ({"fps": 1e-5, "path": "walk.gif"}, "fps", "fps 1e-05"),
        ({"fps": float("nan")}, "fps", "fps nan"),
        ({"fps": 60, "path": "walk.gif"}, "fps", "to 50 for .gif"),
        ({"scale": 0}, "scale", "scale 0"),
        ({"scale": 1.5}, "scale", "scale 1.5"),
        ({"path": "missing/walk.mp4"}, "cannot write", "No such file or directory"),
        ({"path": "missing/walk.gif"}, "cannot write", "No such file or directory"),
    ],
)
def test_bad_requests_are_refused(refused, arguments, code, fact, tmp_path):
    chosen = {"frames": frames(2), "path": "walk.mp4"} | arguments
    with refused(VideoError, code, fact):
        save_video(chosen.pop("frames"), tmp_path / chosen.pop("path"), **chosen)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_not_videos_are_refused(refused, tmp_path):
    for name in ("words.mp4", "words.gif", "missing.mp4", "missing.gif"):
        if name.startswith("words"):
            (tmp_path / name).write_bytes(b"only words, and enough of them to look at " * 20)
        with refused(VideoError, "not a video", name):
            read_frames(tmp_path / name)
