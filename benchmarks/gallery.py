"""Make the README's picture of more spaces: inverted pictures, an edit at the bottleneck, attention of words.

python benchmarks/gallery.py docs/spaces.png
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"steps": 2})
ARGUMENTS.add_argument("out", metavar="OUT.png", help="where to save the picture")
ARGUMENTS.add_argument("--steps", type=int, default=25, help="steps of inverting pictures and decoding them again")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

from collections.abc import Sequence
from typing import Any

from harness.report import print_json
from PIL import Image, ImageDraw, ImageFont

from thoughtspace.datasets import world
from thoughtspace.explorer import Explorer

SIDE, GAP, COLUMNS = 96, 4, 10
CAPTION = 22
CROWN = '"a portrait with a crown" - "a portrait"'
PROMPT = "a red square above a yellow circle"


def rows(explorer: Explorer, steps: int) -> list[tuple[str, Sequence[Any]]]:
    one, two = (world.render(scene) for scene in list(world.sample(40, "fresh"))[22:24])
    noise, seeds = explorer.noise, list(range(COLUMNS))
    inverted = noise.image(one, two, steps=steps)
    walk = explorer.walk(inverted, COLUMNS - 2, space="noise", steps=steps)
    crown = explorer.points(CROWN, "bottleneck")
    before = explorer.bottleneck.decode(0 * crown, prompt="a portrait", seed=seeds)
    after = explorer.bottleneck.decode(3 * crown, prompt="a portrait", seed=seeds)
    maps = explorer.heat_maps(PROMPT, seed=3)
    words = ("red", "square", "above", "yellow", "circle")
    return [
        (
            "a walk between two given pictures (first and last) through their noise, nothing trained",
            [one, *walk.images, two],
        ),
        ("ten seeds of “a portrait”", list(before)),
        ("the same, pushed by 3 * (“a portrait with a crown” - “a portrait”) at the UNet's middle", list(after)),
        (f"“{PROMPT}”, and where “{'”, “'.join(words)}” looked", [maps.image, *(maps.overlay(word) for word in words)]),
    ]


def sheet(content: Sequence[tuple[str, Sequence[Any]]]) -> Image.Image:
    height = len(content) * (CAPTION + SIDE + 2 * GAP)
    page = Image.new("RGB", (COLUMNS * (SIDE + GAP) + GAP, height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    for number, (caption, pictures) in enumerate(content):
        top = number * (CAPTION + SIDE + 2 * GAP)
        pen.text((GAP, top + 3), caption, fill=(70, 75, 85), font=font)
        for column, picture in enumerate(pictures):
            big = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            page.paste(big, (GAP + column * (SIDE + GAP), top + CAPTION))
    return page


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    sheet(rows(Explorer.open("pocket"), chosen.steps)).save(chosen.out)
    if chosen.json:
        print_json({"pictures": [chosen.out]})


if __name__ == "__main__":
    main()
