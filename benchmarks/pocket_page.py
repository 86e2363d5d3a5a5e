"""Make the page of pictures in the pocket model's card: plain sentences, four seeds of each.

python benchmarks/pocket_page.py datasets/pocket/sentences.png
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"sentences": 2})
ARGUMENTS.add_argument("out", metavar="OUT.png", help="where to save the picture")
ARGUMENTS.add_argument("--model", default="pocket")
ARGUMENTS.add_argument("--sentences", type=int, default=24, help="how many of the sentences to draw")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

from harness.report import print_json
from PIL import Image, ImageDraw, ImageFont

from thoughtspace.explorer import Explorer

SENTENCES = (
    "a smiling face",
    "an angry man with a beard",
    "a sad princess with a crown",
    "a surprised old lady with glasses",
    "a bald man in sunglasses",
    "a girl with pigtails and a red shirt",
    "long golden hair",
    "a gentleman in a top hat",
    "mountains at sunset",
    "a house in the snow",
    "palm trees in the desert",
    "a boat on a lake at night",
    "a windmill on green hills",
    "a river through the plain",
    "a rainy day",
    "the moon above the mountains",
    "a red circle",
    "a yellow star on dark blue",
    "a big red heart",
    "a small green triangle",
    "a striped blue square",
    "an orange cross",
    "a green heart above a small white cube",
    "a yellow star beside a purple circle",
)
SIDE, GAP, CAPTION, SEEDS, COLUMNS = 72, 3, 20, 4, 3


def sheet(rows: list[list[Image.Image]]) -> Image.Image:
    """Each sentence above its pictures, `COLUMNS` sentences side by side."""
    width, height = SEEDS * (SIDE + GAP) + 4 * GAP, CAPTION + SIDE + 3 * GAP
    page = Image.new("RGB", (COLUMNS * width, -(-len(rows) // COLUMNS) * height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for number, pictures in enumerate(rows):
        left, top = number % COLUMNS * width + GAP, number // COLUMNS * height
        pen.text((left, top + 3), SENTENCES[number], fill=(70, 75, 85), font=font)
        for column, picture in enumerate(pictures):
            shown = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            page.paste(shown, (left + column * (SIDE + GAP), top + CAPTION))
    return page


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    explorer = Explorer.open(chosen.model)
    said = [sentence for sentence in SENTENCES[: chosen.sentences] for _ in range(SEEDS)]
    seeds = list(range(SEEDS)) * (len(said) // SEEDS)
    pictures = list(explorer.joint.decode(explorer.joint.text(*said), seed=seeds, batch=16))
    sheet([pictures[at : at + SEEDS] for at in range(0, len(pictures), SEEDS)]).save(chosen.out)
    if chosen.json:
        print_json({"pictures": [chosen.out]})


if __name__ == "__main__":
    main()
