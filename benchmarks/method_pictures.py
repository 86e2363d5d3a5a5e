"""Make the pictures of the pages in docs/methods: each is the figure that a command draws, seen by a browser.

thoughtspace demo --no-serve --out demo && python benchmarks/method_pictures.py demo/pictures docs/methods
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"of": ["structure"]})
NAMES = ["structure", "comparing", "maps", "codec", "concepts", "noise", "paths", "prompts"]
ARGUMENTS.add_argument("pictures", metavar="PICTURES", help="captioned pictures, some hundred")
ARGUMENTS.add_argument("out", metavar="FOLDER", help="where to save the pictures")
ARGUMENTS.add_argument("--of", nargs="+", choices=NAMES, default=NAMES, help="pages to make pictures of")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import shutil
import tempfile
from pathlib import Path

from harness.report import print_json
from playwright.sync_api import Browser, sync_playwright

from thoughtspace.dashboards.cli import main as thoughtspace

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-sync"]
SIZE = {"width": 900, "height": 420}
COLLECTION, PICTURES = "COLLECTION", "PICTURES"

COMMANDS = {
    "structure": ["structure", COLLECTION],
    "comparing": ["compare", COLLECTION],
    "maps": ["align", COLLECTION],
    "codec": ["codec", PICTURES, "--most", "16"],
    "concepts": ["explain", "a smiling person with a crown", "--collection", COLLECTION],
    "noise": ["denoise", PICTURES, "--most", "48"],
    "paths": ["paths", "a smiling face", "a house at night", "--collection", COLLECTION],
    "prompts": ["prompts", "a man", "a sad man", "a house", "a house at night", "a red heart", "a blue heart"],
}
"""The command of each page, for the folder of pictures and for a collection of them."""


def taken(browser: Browser, page: Path, picture: Path) -> None:
    """Save what a browser shows of a figure."""
    tab = browser.new_page(viewport=SIZE, color_scheme="light", device_scale_factor=1.5)
    tab.goto(page.as_uri())
    tab.wait_for_selector(".plotly .main-svg")
    tab.wait_for_timeout(1500)
    tab.screenshot(path=picture)
    tab.close()


def run(*words: str) -> None:
    """Run a command of the program; SystemExit if it fails."""
    if thoughtspace(words) != 0:
        raise SystemExit(f"`thoughtspace {' '.join(words)}` has failed.")


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    out = Path(chosen.out)
    out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    made = []
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folders = {COLLECTION: str(Path(place, "collection")), PICTURES: chosen.pictures}
        run("ingest", chosen.pictures, folders[COLLECTION], "--space", "joint", "--space", "latent")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in chosen.of:
            page, picture = Path(place, f"{name}.html"), out / f"{name}.png"
            run(*(folders.get(word, word) for word in COMMANDS[name]), "--plot", str(page))
            taken(browser, page, picture)
            made.append(str(picture))
        browser.close()
    if chosen.json:
        print_json({"pictures": made})


if __name__ == "__main__":
    main()
