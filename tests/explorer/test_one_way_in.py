"""One way in for pictures: whatever a picture comes as, it has the right pixels, and the same point in every space."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from thoughtspace.explorer.collection.ingest import ingest
from thoughtspace.explorer.collection.reading.frames import as_png
from thoughtspace.explorer.collection.safe_decoding import PictureWorker
from thoughtspace.explorer.collection.store import Collection
from thoughtspace.explorer.diffusion.anderson import Solver
from thoughtspace.explorer.errors import PictureError
from thoughtspace.explorer.language.nodes import Given
from thoughtspace.explorer.records.pictures import MAX_PIXELS, open_picture
from thoughtspace.explorer.spaces.inputs import opened
from thoughtspace.explorer.spaces.round_trip import round_trip

pytestmark = [
    pytest.mark.filterwarnings("ignore:Got 16-bit values that all fit"),
    pytest.mark.filterwarnings("ignore:Palette images with Transparency"),  # Pillow's, in the negative controls
]

SRGB, P3 = (  # linear RGB -> XYZ under the white of ICC profiles, D50
    np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]),
    np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]),
)


def rgb(width: int = 40, height: int = 30) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 6, y * 8, 255 - (x + y) * 3], -1).astype(np.uint8)


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    return png[:33] + chunk(kind, data) + png[33:]


def png16(values: np.ndarray) -> bytes:
    """A PNG of 16 bits in grey, `(h, w)`, or in colour, `(h, w, 3)`, by the specification alone."""
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if values.ndim == 2 else 2, 0, 0, 0)
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def profile(primaries: np.ndarray) -> bytes:
    """The sRGB profile of LittleCMS with other primaries."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(132, 132 + 12 * int.from_bytes(made[128:132], "big"), 12):
        place = b"rgb".find(made[entry : entry + 1])
        if made[entry + 1 : entry + 4] == b"XYZ" and place >= 0:
            at = int.from_bytes(made[entry + 4 : entry + 8], "big") + 8
            made[at : at + 12] = struct.pack(">3i", *np.rint(primaries[:, place] * 65536).astype(int))
    return bytes(made)


def in_srgb(values: np.ndarray, primaries: np.ndarray) -> np.ndarray:
    """8-bit colours of other primaries in sRGB, by the formulas of IEC 61966-2-1."""
    x = values / 255
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ primaries.T @ np.linalg.inv(SRGB).T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def on_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return colours * share + 255 * (1 - share)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, -1)


@cache
def kinds() -> dict[str, tuple[bytes, np.ndarray, float]]:
    """Files of every kind: their bytes, the colours they show, and by how much these may differ."""
    x, alpha = rgb(), np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    plain = Image.fromarray(x)
    palette = plain.quantize(16)
    table, indices = np.array(palette.getpalette()[:48]).reshape(16, 3), np.asarray(palette)
    deep = np.linspace(0, 65535, 1200).astype(np.uint16).reshape(30, 40)
    high = (deep >> 8).astype(np.uint8)
    colours16 = x.astype(np.uint16) * 257
    keyed16 = np.where((indices == indices[0, 0])[..., None], np.uint16(30000), colours16)
    muted = x // 2 + 64  # Lab of 8 bits is coarse, most of all where colours are strong
    turned = Image.Exif()
    turned[0x0112] = 6
    ink = plain.convert("CMYK")
    c = np.asarray(ink).astype(float)
    stretched = np.rint((deep - 0.0) / 65535 * 255)
    noise = np.random.default_rng(0).integers(0, 256, 1_500_000, np.uint8).tobytes()  # packs to no less
    huge = bytearray(profile(P3) + noise)
    huge[:4] = struct.pack(">I", len(huge))
    clear = np.where(indices == indices[0, 0], 0, 255)
    return {
        "colour": (encoded(plain), x, 0),
        "grey": (encoded(Image.fromarray(high)), grey(high), 0),
        "bits": (encoded(Image.fromarray(high > 99)), grey((high > 99) * 255), 0),
        "palette": (encoded(palette), table[indices], 0),
        "palette, one entry clear": (
            encoded(palette, transparency=int(indices[0, 0])), on_white(table[indices], clear), 0
        ),
        "palette, an alpha each": (
            encoded(palette, transparency=bytes(range(0, 256, 16))), on_white(table[indices], indices * 16.0), 1
        ),
        "grey and alpha": (
            encoded(Image.merge("LA", [Image.fromarray(high), Image.fromarray(alpha)])), on_white(grey(high), alpha), 1
        ),
        "colour and alpha": (encoded(Image.fromarray(np.dstack([x, alpha]))), on_white(x, alpha), 1),
        "colour with a clear one": (
            encoded(plain, transparency=tuple(map(int, x[3, 4]))),
            on_white(x, np.where((x == x[3, 4]).all(-1), 0, 255)), 0,
        ),
        "16-bit grey": (png16(deep), grey(high), 0),
        "16-bit grey, TIFF": (encoded(Image.fromarray(deep), "TIFF"), grey(high), 0),
        "16-bit grey with a clear one": (
            with_chunk(png16(deep), b"tRNS", struct.pack(">H", deep[4, 5])),
            on_white(grey(high), np.where(deep == deep[4, 5], 0, 255)), 0,
        ),
        "16-bit colour": (png16(colours16), x, 0),
        "16-bit colour with a clear one": (
            with_chunk(png16(keyed16), b"tRNS", struct.pack(">3H", 30000, 30000, 30000)), on_white(x, clear), 0
        ),
        "12 bits in 16": (png16(deep >> 4), grey(high), 0),
        "8 bits in 16": (png16(deep >> 8), grey(high), 0),
        "32-bit grey of 16 bits": (encoded(Image.fromarray(deep.astype(np.int32)), "TIFF"), grey(high), 0),
        "measurements": (encoded(Image.fromarray(deep.astype(np.int32) * 3 - 70_000), "TIFF"), grey(stretched), 0),
        "floats in [0, 1]": (encoded(Image.fromarray((high / 510).astype(np.float32)), "TIFF"), grey(high / 2), 0.5),
        "floats": (encoded(Image.fromarray((deep / 1000 - 7).astype(np.float32)), "TIFF"), grey(stretched), 0),
        "inks": (encoded(ink, "TIFF"), (255 - c[..., :3]) * (255 - c[..., 3:]) / 255, 1),
        "YCbCr": (encoded(plain.convert("YCbCr"), "TIFF"), x, 3),
        "Lab": (encoded(Image.fromarray(muted).convert("LAB"), "TIFF"), muted, 10),
        "turned": (encoded(plain, exif=turned), np.rot90(x, -1), 0),
        "turned, WebP": (encoded(plain, "WEBP", lossless=True, exif=turned), np.rot90(x, -1), 0),
        "animation": (encoded(plain, save_all=True, append_images=[Image.new("RGB", plain.size)]), x, 0),
        "Display P3": (encoded(plain, icc_profile=profile(P3)), in_srgb(x, P3), 1.5),
        "sRGB": (encoded(plain, icc_profile=profile(SRGB)), x, 0),
        "Display P3 in grey": (encoded(Image.fromarray(high), icc_profile=profile(P3)), grey(high), 1.5),
        "a broken profile": (encoded(plain, icc_profile=b"broken" * 40), x, 0),
        "a profile of 1.5 MB": (
            with_chunk(encoded(plain), b"iCCP", b"p\0\0" + zlib.compress(bytes(huge))), in_srgb(x, P3), 1.5
        ),
    }  # fmt: skip


CLOSED_TO_PILLOW = {"a profile of 1.5 MB"}  # Pillow itself raises ValueError at once


def loaded(path: Path) -> Image.Image:
    picture = Image.open(path)
    picture.load()
    return picture


ENTRANCES: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "string": str,
    "bytes": Path.read_bytes,
    "memory": lambda path: memoryview(path.read_bytes()),
    "file": lambda path: io.BytesIO(path.read_bytes()),
    "lazy": Image.open,
    "loaded": loaded,
    "copied": lambda path: Image.open(path).copy(),
    "opened": open_picture,
    "in a data frame": lambda path: as_png(Image.open(path)),
    "copied, in a data frame": lambda path: as_png(Image.open(path).copy()),
}
BY_PILLOW = {"lazy", "loaded", "copied", "in a data frame", "copied, in a data frame"}
OF_ARRAYS = ("colour", "grey", "bits", "grey and alpha", "colour and alpha", "16-bit grey", "floats in [0, 1]")
"""The kinds whose array, as numpy makes it of Pillow's picture, shows what the picture does."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("kinds")
    paths = {kind: folder / f"{index} {kind.replace('/', ' ')}" for index, kind in enumerate(kinds())}
    for kind, path in paths.items():
        path.write_bytes(kinds()[kind][0])
    return paths


def wrong(made: Image.Image, kind: str) -> float:
    """By how much colours are further from the right ones than they may be."""
    _, right, tolerance = kinds()[kind]
    assert made.mode == "RGB"
    assert made.size == right.shape[1::-1]
    return float(np.abs(np.asarray(made).astype(float) - right).max() - tolerance)


@pytest.mark.parametrize("kind", kinds())
def test_every_entrance_gives_the_right_pixels(files, kind):
    first = open_picture(files[kind])
    assert wrong(first, kind) <= 0
    assert not first.info, "notes would be obeyed twice"
    for entrance, give in ENTRANCES.items():
        if not (entrance in BY_PILLOW and kind in CLOSED_TO_PILLOW):
            assert open_picture(give(files[kind])).tobytes() == first.tobytes(), entrance
    if kind in OF_ARRAYS:
        assert open_picture(np.asarray(Image.open(files[kind]))).tobytes() == first.tobytes()


def test_plain_conversion_gets_most_of_them_wrong(files):
    """Negative control: what was done with pictures that Pillow had opened."""
    failed = set()
    for kind, path in files.items():
        try:
            failed |= {kind} if wrong(Image.open(path).convert("RGB"), kind) > 0 else set()
        except (AssertionError, ValueError):
            failed.add(kind)
    clear = {kind for kind in kinds() if "alpha" in kind or "clear" in kind}
    assert failed >= clear | {"turned", "turned, WebP", "16-bit grey", "12 bits in 16", "floats", "Display P3"}
    assert not failed & {"colour", "grey", "bits", "palette", "16-bit colour", "sRGB", "animation"}


SPACES: dict[str, Callable[[Any], Any]] = {
    "joint": lambda explorer: explorer.joint,
    "joint-raw": lambda explorer: explorer.joint_raw,
    "latent": lambda explorer: explorer.latent,
    "noise": lambda explorer: explorer.noise,
    "bottleneck": lambda explorer: explorer.bottleneck,
    "mixed": lambda explorer: explorer.mixed("joint", "noise"),
}
FEW = ("turned", "colour and alpha", "16-bit grey", "Display P3")
COSTLY: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "noise": (FEW, {"steps": 1, "solver": Solver(iterations=1)}),
    "bottleneck": (FEW, {"steps": 2, "n_seeds": 1}),
    "mixed": (FEW[:1], {"steps": 1}),
}
"""The few kinds that are tried in slow spaces, and how these are made quicker."""


@pytest.mark.filterwarnings("ignore:.*whose inversion has a step with a residual")
@pytest.mark.parametrize("space", SPACES)
def test_a_picture_has_one_point_whatever_it_comes_as(tiny_explorer, files, space):
    """Several kinds at once, in one order, so that rounding in batches is the same."""
    ours, usual = SPACES[space](tiny_explorer), tuple(kind for kind in kinds() if kind not in CLOSED_TO_PILLOW)
    some, options = COSTLY.get(space, (usual, {}))

    def points(give: Callable[[Path], Any]) -> torch.Tensor:
        return ours.image(*[give(files[kind]) for kind in some], **options).values.flatten(1)

    expected = points(ENTRANCES["path"])
    for entrance in ("loaded",) if space in COSTLY else ("bytes", "lazy", "loaded", "opened"):
        same = (points(ENTRANCES[entrance]) == expected).all(1)
        assert same.all(), (entrance, [kind for kind, fine in zip(some, same, strict=True) if not fine])
    crude = (points(lambda path: np.asarray(Image.open(path).convert("RGB"))) != expected).any(1)
    assert {kind for kind, other in zip(some, crude, strict=True) if other} >= {*FEW} & {*some}, "negative control"


def test_expressions_references_and_round_trips_open_them_alike(tiny_explorer, files):
    names = ("turned", "colour and alpha", "16-bit grey", "Display P3")
    paths, lazy = [files[kind] for kind in names], [Image.open(files[kind]) for kind in names]
    for path, picture in zip(paths, lazy, strict=True):
        expressed = tiny_explorer.points(f'img("{path}")', "joint").values
        assert torch.equal(expressed, tiny_explorer.joint.image(picture).values)
    one, other = (tiny_explorer.measure_reference(each, ["a cat", "a red fox"]) for each in (paths, lazy))
    assert torch.equal(one.mean_image, other.mean_image)
    one, other = (
        round_trip(tiny_explorer.noise, each[:2], steps=1, solver=Solver(iterations=1)) for each in (paths, lazy)
    )
    assert torch.equal(one.autoencoder_psnr, other.autoencoder_psnr)
    pixels = tiny_explorer.model.autoencoder.pixels
    assert torch.equal(pixels(paths), pixels(lazy))


def test_collections_and_decoders_that_can_be_killed_open_them_alike(tiny_explorer, files, tmp_path):
    with PictureWorker() as decode:
        for kind, path in files.items():
            assert decode(path.read_bytes(), kind).tobytes() == open_picture(path).tobytes(), kind
    (tmp_path / "in").mkdir()
    for index, kind in enumerate(FEW):
        (tmp_path / "in" / f"{index}.png").write_bytes(files[kind].read_bytes())
    ingest(tiny_explorer, tmp_path / "in", tmp_path / "out")
    kept = Collection.open(tmp_path / "out").vectors(kind="image")
    lazy = tiny_explorer.model.clip.encode_images([Image.open(files[kind]) for kind in FEW])
    np.testing.assert_allclose(kept, lazy.numpy(), atol=1e-6)


def test_labels_say_the_path_or_the_size(files):
    pictures, nodes = opened([str(files["turned"]), files["turned"].read_bytes(), rgb()])
    assert [str(node) for node in nodes[1:]] == [str(Given("a picture of 30x40")), str(Given("a picture of 40x30"))]
    assert str(files["turned"]) in str(nodes[0])
    assert [picture.size for picture in pictures] == [(30, 40), (30, 40), (40, 30)]


def test_a_path_may_begin_at_home(files, monkeypatch):
    monkeypatch.setenv("HOME", str(files["colour"].parent))
    assert wrong(open_picture(f"~/{files['colour'].name}"), "colour") == 0


def test_the_callers_picture_stays_as_it_is(files):
    for kind in ("turned", "palette, one entry clear", "16-bit grey", "Display P3"):
        picture = loaded(files[kind])
        before = (picture.mode, picture.size, dict(picture.info), picture.tobytes())
        open_picture(picture)
        assert (picture.mode, picture.size, dict(picture.info), picture.tobytes()) == before


# --- arrays

ARRAYS = {
    "uint8": (rgb(), rgb()),
    "one channel": (rgb()[..., :1], grey(rgb()[..., 0])),
    "uint16 colours": (rgb().astype(np.uint16) * 257, rgb()),
    "12 bits": (rgb().astype(np.uint16) * 16 + 15, rgb()),
    "big-endian": ((rgb().astype(np.uint16) * 257).astype(">u2"), rgb()),
    "float32": ((rgb() / 255).astype(np.float32), rgb()),
    "float16": ((rgb() / 255).astype(np.float16), rgb()),
    "float64": (rgb() / 255, rgb()),
    "bool": (rgb()[..., 0] > 99, grey((rgb()[..., 0] > 99) * 255)),
    "clear floats": (np.dstack([rgb() / 255, np.zeros((30, 40))]), np.full((30, 40, 3), 255)),
    "not contiguous": (rgb()[::-1, ::2], rgb()[::-1, ::2]),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_are_read_by_their_type(kind):
    array, right = ARRAYS[kind]
    np.testing.assert_array_equal(np.asarray(open_picture(array)), right)


def test_a_guess_about_the_white_of_16_bits_is_warned_of():
    with pytest.warns(UserWarning, match="fit in 12 bits, so 4095 is taken for white"):
        open_picture(np.array([[0, 4000]], np.uint16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_picture(np.array([[0, 4096]], np.uint16))
        open_picture(np.zeros((2, 2), np.uint16))


@pytest.mark.parametrize(
    ("given", "code", "facts"),
    [
        (np.full((4, 4), 1.01), "range", ("from 1.01 to 1.01", "[0, 1]")),
        (np.full((4, 4, 3), -0.1), "range", ("-0.1",)),
        (np.full((4, 4), np.nan), "range", ("nan", "[0, 1]")),
        (np.full((4, 4), np.inf), "range", ("inf",)),
        (np.zeros((4, 4), np.int64), "dtype", ("int64", "uint8")),
        (np.zeros((4, 4), complex), "dtype", ("complex128",)),
        (np.array([["a"]]), "dtype", ("<U1",)),
        (np.zeros((3, 32, 32)), "shape", ("(3, 32, 32)", "transpose(1, 2, 0)")),
        (np.zeros((2, 4, 4, 3), np.uint8), "shape", ("(2, 4, 4, 3)", "several arguments")),
        (np.zeros(9, np.uint8), "shape", ("(9,)",)),
        (np.zeros((0, 4), np.uint8), "shape", ("(0, 4)",)),
        (np.zeros((MAX_PIXELS // 1000 + 1, 1000), bool), "too large", (f"at most {MAX_PIXELS}",)),
        (torch.zeros(3, 4, 4), "not a picture", ("Tensor", "permute(1, 2, 0)")),
        ([rgb()], "not a picture", ("list", "several arguments")),
        (None, "not a picture", ("NoneType",)),
        (io.StringIO("text"), "not a picture", ("StringIO",)),
        (b"", "empty", ("empty",)),
        (io.BytesIO(), "empty", ("empty",)),
        (b"<!doctype html>", "format", ("not a picture of an allowed format",)),
        (encoded(Image.fromarray(rgb()))[:70], "damaged", ("cut short",)),
        (encoded(Image.fromarray(rgb()), "JPEG")[:-100], "damaged", ("cut short",)),
        (Image.fromarray(np.full((2, 2), np.nan, np.float32)), "not finite", ("not finite",)),
        (Image.new("1", (MAX_PIXELS // 1000 + 1, 1000)), "too large", (f"at most {MAX_PIXELS}",)),
    ],
)
def test_everything_else_is_one_clear_error(refused, given, code, facts):
    for open_it in (open_picture, lambda picture: opened([picture])):
        with refused(PictureError, code, *facts):
            open_it(given)
        if isinstance(given, io.BytesIO):
            given.seek(0)


def test_pictures_that_pillow_opened_have_the_same_list_of_formats(refused):
    """A picture that Pillow opened and did not load may still start a program: PostScript does."""
    picture = Image.open(io.BytesIO(encoded(Image.fromarray(rgb()), "EPS")))
    with refused(PictureError, "format", "EPS"):
        open_picture(picture)


def test_a_file_that_was_closed_too_soon_is_an_error(refused, files):
    with Image.open(files["colour"]) as picture:
        pass
    with refused(PictureError, "damaged", "damaged or cut short"):
        open_picture(picture)
