"""Make the pictures of the pages in docs/methods: each is what a command draws, or saves, on some hundred pictures.

thoughtspace demo --no-serve --items 400 --out demo && python benchmarks/method_pictures.py demo/pictures docs/methods
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"of": ["structure"]})
NAMES = [
    "structure",
    "comparing",
    "maps",
    "aligned",
    "codec",
    "concepts",
    "clusters",
    "directions",
    "noise",
    "paths",
    "places",
    "pointing",
    "probes",
    "prompts",
]
ARGUMENTS.add_argument("pictures", metavar="PICTURES", help="captioned pictures, some hundred")
ARGUMENTS.add_argument("out", metavar="FOLDER", help="where to save the pictures")
ARGUMENTS.add_argument("--of", nargs="+", choices=NAMES, default=NAMES, help="some of the pictures")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import tempfile
from pathlib import Path

from harness.report import print_json
from harness.screenshots import browser, save_page, saved_small
from PIL import Image, ImageOps

from thoughtspace.dashboards.cli import main as thoughtspace

COLLECTION, PICTURES, FIGURE, SHEET = "photos.collection", "photos", "FIGURE", "SHEET"
PAGES: dict[str, int] = {"structure": 630, "prompts": 460, "concepts": 340, "probes": 260, "clusters": 260}
"""Heights of figures that are not of the usual one."""

COMMANDS: dict[str, list[str]] = {
    "structure": ["structure", COLLECTION, "--plot", FIGURE],
    "comparing": ["compare", COLLECTION, "--plot", FIGURE],
    "maps": ["projections", COLLECTION, "--methods", "pca", "umap", "pacmap", "--seeds", "3", "--plot", FIGURE],
    "aligned": ["align", COLLECTION, "--plot", FIGURE],
    "codec": ["codec", PICTURES, "--most", "16", "--plot", FIGURE],
    "concepts": ["explain", "a smiling person with a crown", "--collection", COLLECTION, "--plot", FIGURE],
    "clusters": ["clusters", COLLECTION, "--plot", FIGURE],
    "directions": ["dose", COLLECTION, "crown", "--n", "4", "--doses", "0", "1", "2", "--out", SHEET],
    "noise": ["denoise", PICTURES, "--most", "24", "--plot", FIGURE],
    "paths": ["paths", "a smiling face", "a house at night", "--frames", "16", "--plot", FIGURE],
    "pointing": ["places", "--world", "48", "--plot", FIGURE],
    "places": ["places", "a house by a lake", "--concepts", "house", "sky", "boat", "lake", "--out", SHEET],
    "probes": ["probe", COLLECTION, "expression", "hat", "weather", "shape", "--plot", FIGURE],
    "prompts": ["prompts", "a man", "a sad man", "a house", "a house at night", "a red heart", "--plot", FIGURE],
}
"""The command of each picture, for the folder of pictures and for a collection of them with both spaces."""


def run(*words: str) -> None:
    """Run a command of the program; SystemExit if it fails."""
    if thoughtspace(words) != 0:
        raise SystemExit(f"`thoughtspace {' '.join(words)}` has failed.")


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    out = Path(chosen.out)
    out.mkdir(parents=True, exist_ok=True)
    made = []
    with tempfile.TemporaryDirectory() as place, browser() as shown:
        collection = str(Path(place, COLLECTION))
        run("ingest", chosen.pictures, collection, "--space", "joint", "--space", "latent")
        if "directions" in chosen.of:
            run("direction", collection, "crown", "--positive", "hat=crown", "--negative", "hat=none")
        for name in chosen.of:
            page, picture = Path(place, f"{name}.html"), out / f"{name}.png"
            # `places` saves one picture, `dose` a folder with a sheet of all.
            sheet = Path(place, f"{name}.png" if name == "places" else name)
            given = {COLLECTION: collection, PICTURES: chosen.pictures, FIGURE: str(page), SHEET: str(sheet)}
            run(*(given.get(word, word) for word in COMMANDS[name]))
            if page.exists():
                save_page(shown, page, picture, height=PAGES.get(name, 400))
            else:
                with Image.open(sheet / "sheet.png" if sheet.is_dir() else sheet) as drawn:
                    # A sheet may end with an empty place.
                    saved_small(drawn.crop(ImageOps.invert(drawn.convert("L")).getbbox()), picture)
            made.append(str(picture))
    if chosen.json:
        print_json({"pictures": made})


if __name__ == "__main__":
    main()
