"""The examples of README.md and docs/ run on a small model; names and commands in them are checked."""

from __future__ import annotations

import inspect
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from thoughtspace.dashboards import cli
from thoughtspace.explorer import Explorer
from thoughtspace.explorer.errors import ModelError, ThoughtspaceError
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.models.find.hub import is_hub_id
from thoughtspace.explorer.models.find.names import parse_spec
from thoughtspace.explorer.models.find.presets import preset_of
from thoughtspace.explorer.models.placement import Placement

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^    (.+)$", re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")
OPEN = inspect.signature(Explorer.open)


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def sections() -> Iterator[tuple[str, str, str]]:
    """Page, heading and Python code of each section that has some: a reader may start at any of them."""
    for page in PAGES:
        for section in re.split(r"^#+ ", text(page), flags=re.MULTILINE)[1:]:
            code = "\n".join(block for language, block in FENCED.findall(section) if language == "python")
            if code:
                yield page, section.partition("\n")[0], code


def commands() -> Iterator[str]:
    """The lines of a shell: in blocks without a language, in indented ones, and in inline code."""
    for page in PAGES:
        prose = FENCED.sub("", text(page))
        yield from (
            line for language, block in FENCED.findall(text(page)) if not language for line in block.split("\n")
        )
        yield from INDENTED.findall(prose)
        yield from (" ".join(code.split()) for code in INLINE.findall(prose) if code.startswith("thoughtspace "))


def check_name(name: str) -> None:
    """Raise `ModelError` unless all that a model's name is made of is known, without asking the hub."""
    import open_clip

    spec = parse_spec(name)
    published = {"/".join(each) for each in open_clip.list_pretrained()}
    known = {
        "main": preset_of(spec.main or "") is not None,
        "clip": spec.clip in published or preset_of(spec.clip or "") is not None,
        **{part: is_hub_id(getattr(spec, part) or "") for part in ("vae", "ip", "preview")},
        "unet": True,
    }
    for part, is_known in known.items():
        if getattr(spec, part) is not None and not is_known:
            raise ModelError(f"Got {part} {getattr(spec, part)!r} in {name!r}, expected a known name; correct it.")


def check_command(line: str) -> None:
    """Raise an error unless a command line is one that is understood."""
    program, *arguments = shlex.split(line, comments=True)
    if program == "make":
        targets = set(re.findall(r"^([\w-]+):", text("Makefile"), re.MULTILINE))
        if not set(arguments) <= targets:
            raise ValueError(f"Got make {arguments}, expected some of {sorted(targets)}.")
    elif program == "thoughtspace":
        chosen = cli.parser().parse_args(arguments)
        given = vars(chosen)
        models = given.get("model") or []
        for name in [models] if isinstance(models, str) else models:
            check_name(name)
        for expression in [given["expression"]] if "expression" in given else given.get("expressions", []):
            parse(expression)
    else:
        raise ValueError(f"Got the program {program!r}, expected make or thoughtspace.")


@pytest.fixture(scope="module")
def photos(tiny_model, pictures, tmp_path_factory, fits_in_this_process) -> Path:
    """A mapped collection, made as a user makes it."""
    folder = tmp_path_factory.mktemp("photos")
    turned = [picture.rotate(angle) for picture in pictures for angle in (0, 5, 10)]
    for row, picture in enumerate(turned):
        picture.save(folder / f"{row}.png")
    lines = [f"{row}.png,picture {row},{('crown', 'none')[row % 2]}" for row in range(len(turned))]
    (folder / "captions.csv").write_text("\n".join(["file,caption,hat", *lines]), encoding="utf-8")
    collection = tmp_path_factory.mktemp("collections") / "photos.collection"
    spaces = ["--space", "joint", "--space", "latent"]
    assert cli.main(["ingest", str(folder), str(collection), "--model", str(tiny_model), *spaces]) == 0
    assert cli.main(["map", str(collection), "--method", "pca"]) == 0
    return collection


@pytest.fixture
def surroundings(tiny_explorer, pictures, photos, tmp_path, monkeypatch):
    """A folder with the files that the examples name, and a small model under every name that can be opened."""

    def opened(*arguments, **options):
        name = OPEN.bind(*arguments, **options).arguments.get("name", "pocket")
        check_name(name)
        return tiny_explorer

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Explorer, "open", opened)
    for name, picture in zip(("a", "b", "face", "portrait", "fox", "cat"), pictures, strict=False):
        picture.save(f"{name}.png")
    shutil.copytree(photos, "photos.collection")
    many = [picture.rotate(angle) for picture in pictures for angle in (0, 5, 10, 15)]
    texts = [f"a {colour} {what}{more}" for colour in ("red", "blue") for what in ("cat", "fox") for more in range(8)]
    examples = {"with_crown": pictures[:3], "without_crown": pictures[3:6], "pictures": many, "captions": texts}
    return {"Explorer": Explorer, "ex": tiny_explorer, **examples}


@pytest.mark.filterwarnings("ignore")  # an untrained model cannot be inverted exactly
@pytest.mark.parametrize(
    ("page", "heading", "code"), [pytest.param(*each, id="-".join(each[:2])) for each in sections()]
)
def test_the_examples_of_a_section_run(page, heading, code, surroundings):
    code = re.sub(r"frames=\d+", "frames=4", re.sub(r"steps=\d+", "steps=4", code))
    assert any(start in code for start in ("ex.", "Explorer.", "Collection.open"))
    exec(compile(code, f"{page}, {heading}", "exec"), surroundings)


def test_the_models_that_the_prose_opens_can_be_opened_so(surroundings):
    prose = [FENCED.sub("", text(page)) for page in PAGES]
    calls = [code for page in prose for code in INLINE.findall(page) if code.startswith("Explorer.open(")]
    assert len(calls) >= 2
    for call in calls:
        exec(call, {**surroundings, "torch": torch, "Placement": Placement, "name": "pocket"})


@pytest.mark.parametrize(
    "wrong",
    [
        'Explorer.open("sdxl-tubro")',
        'Explorer.open("clip:ViT-B-32/laion")',
        'Explorer.open("sd15+ip:IP-Adapter")',
        'Explorer.open("sd15+ip:")',
        'Explorer.open("sdxl", sizes=768)',
        'Explorer.open("sdxl", 768)',
    ],
)
def test_an_example_that_opens_an_unknown_model_fails(wrong, surroundings):
    """Negative control."""
    with pytest.raises((ModelError, TypeError)):
        exec(wrong, surroundings)


@pytest.mark.parametrize("line", sorted({line.strip() for line in commands() if line.strip()}))
def test_the_commands_are_understood(line):
    check_command(line)


@pytest.mark.parametrize(
    "wrong",
    [
        "make dmeo",
        "thoughtspace walk a b -o walk.mp4 --frame-count 4",
        "thoughtspace decode a -o a.png --model sd51",
        """thoughtspace decode '"a" - img("b' -o a.png""",
        "pip install thoughtspace",
    ],
)
def test_a_wrong_command_fails(wrong):
    """Negative control."""
    with pytest.raises((ThoughtspaceError, ValueError)):
        check_command(wrong)


def test_every_block_is_of_a_kind_that_is_checked():
    languages = [language for page in PAGES for language, _ in FENCED.findall(text(page))]
    assert len(languages) >= 12
    assert set(languages) <= {"", "python"}
    assert sum(page_text.count("```") for page_text in map(text, PAGES)) == 2 * len(languages)


def test_the_links_lead_somewhere():
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)#\s]+)", text(page)) if "://" not in link]
    assert len(links) > 10
    assert [link for page, link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
