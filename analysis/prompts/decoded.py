"""Prompts by the pictures that they decode into: one word less, many seeds, and in what the pictures differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from .spread import Varying, varying
from .wording import without_each_word

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.progress import Progress
    from thoughtspace.explorer.records.images import Images

Values = NDArray[np.float64]
AMOUNTS = (-2.0, 0.0, 2.0)
"""Standard deviations along a slider that are decoded."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """Pictures of prompts.

    Attributes:
        prompts: of the pictures.
        vectors: `(p, s, d)` of the pictures in the joint space, for each prompt and seed.
        images: the `p·s` pictures, prompt by prompt.
    """

    prompts: tuple[str, ...]
    vectors: Values = field(repr=False)
    images: Images = field(repr=False)


def decoded(
    explorer: Explorer,
    prompts: Sequence[str],
    *,
    seeds: int = 8,
    space: str | None = None,
    progress: Progress | None = None,
) -> Decoded:
    """Decode each prompt from the same seeds, 0 to `seeds - 1`, and encode the pictures in the joint space.

    The vectors are what `spread`, `varying` and `word_effects` take.

    Args:
        space: where the prompts are read; by default the one in which sentences are read.

    Raises:
        AnalysisError: no prompts.
        SpaceError, CannotError: a model that does not decode texts, or that has no joint space.
    """
    from thoughtspace.explorer.options import Decoding

    whole("seeds", seeds, 1, 10_000, error=AnalysisError, hint="8 shows the spread")
    if not prompts:
        raise AnalysisError("Got no prompts, expected one or more.", code="too few")
    read, joint = explorer.space(space or explorer.usual_space), explorer.space("joint")
    points = read.text(*prompts)
    rows = [row for row in range(len(prompts)) for _ in range(seeds)]
    images = read.render(points[rows], Decoding(seed=list(range(seeds)) * len(prompts)), progress=progress)
    vectors = joint.image(*images).flat.double().cpu().numpy()
    return Decoded(tuple(prompts), np.asarray(vectors).reshape(len(prompts), seeds, -1), images)


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What each word of a prompt does, by leaving it out.

    Attributes:
        words: of the prompt, in order.
        texts: the prompt without each of them.
        embedding: `(w,)` how far the text's vector moves, 1 - cosine in the joint space.
        pictures: `(w, s)` how far the decoded picture moves, with the same noise, for each seed.
        null: `(s,)` how far the whole prompt's picture moves from one seed to the next: what the noise alone does.
        images: pictures of the whole prompt, then without each word, seed by seed.
    """

    words: tuple[str, ...]
    texts: tuple[str, ...]
    embedding: Values = field(repr=False)
    pictures: Values = field(repr=False)
    null: Values = field(repr=False)
    images: Images = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each word: `word, embedding, picture, low, high, noise`.

        `picture` is the mean over seeds, `low` to `high` are its least and its largest; `noise` is the null's mean.
        """
        import pandas as pd

        columns = {
            "word": self.words,
            "embedding": self.embedding,
            "picture": self.pictures.mean(1),
            "low": self.pictures.min(1),
            "high": self.pictures.max(1),
            "noise": np.full(len(self.words), self.null.mean()),
        }
        return pd.DataFrame(columns)

    def plot(self) -> go.Figure:
        """How far the picture and the text move without each word, beside the noise."""
        import plotly.graph_objects as go

        table, places = self.table(), list(range(len(self.words)))
        figure = go.Figure(layout={"template": "plotly_white", "yaxis_title": "moved by (1 - cosine)"})
        around = {"array": table["high"] - table["picture"], "arrayminus": table["picture"] - table["low"]}
        figure.add_bar(x=places, y=table["picture"], error_y=around, name="the picture", marker_color="#4f5bd5")
        figure.add_bar(x=places, y=table["embedding"], name="the text", marker_color="#c9ccf2")
        figure.add_hline(
            y=float(self.null.mean()), line_dash="dot", line_color="#9aa0a8", annotation_text="other noise"
        )
        return figure.update_xaxes(tickvals=places, ticktext=self.words)

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"words": self.table().to_dict("records")}


def left_out(
    explorer: Explorer,
    prompt: str,
    *,
    seeds: int = 4,
    space: str | None = None,
    progress: Progress | None = None,
) -> LeftOut:
    """Leave out each word of a prompt in turn, in its vector and in its decoded picture.

    Args:
        seeds: pictures of each text, two or more.

    Raises:
        AnalysisError: a prompt of one word, or one seed.
        SpaceError, CannotError: as `decoded`.
    """
    whole("seeds", seeds, 2, 10_000, error=AnalysisError, hint="two seeds tell noise from words")
    words, texts = zip(*without_each_word(prompt), strict=True)
    found = decoded(explorer, [prompt, *texts], seeds=seeds, space=space, progress=progress)
    vectors = explorer.space("joint").text(prompt, *texts).flat.double().cpu().numpy()
    own, others = found.vectors[:1], found.vectors[1:]
    return LeftOut(
        words,
        texts,
        1 - _cosine(vectors[:1], vectors[1:]),
        1 - _cosine(own, others),
        1 - _cosine(own[0], np.roll(own[0], 1, axis=0)),
        found.images,
    )


def sliders_of(
    explorer: Explorer,
    prompt: str,
    n: int = 4,
    *,
    seeds: int = 16,
    space: str | None = None,
    progress: Progress | None = None,
) -> Varying:
    """In what the pictures of one prompt vary over seeds; see `varying`.

    Raises:
        AnalysisError: no more seeds than directions, or pictures that are all alike.
        SpaceError, CannotError: as `decoded`.
    """
    whole("n", n, 1, seeds - 1, error=AnalysisError, hint="seeds are the limit; take more of them")
    found = decoded(explorer, [prompt], seeds=seeds, space=space, progress=progress)
    return varying(found.vectors[0], n)


def slid(
    explorer: Explorer, sliders: Varying, amounts: Sequence[float] = AMOUNTS, *, progress: Progress | None = None
) -> Images:
    """The pictures along each slider, `amounts` standard deviations from the mean, slider by slider, from one seed.

    Raises:
        SpaceError, CannotError: a model whose joint space does not decode.
    """
    from thoughtspace.explorer.options import Decoding

    joint = explorer.joint
    rows = np.concatenate([sliders.along(which, amounts) for which in range(len(sliders.directions))])
    points = joint.points(rows.astype(np.float32), "a slider")
    return joint.render(points, Decoding(seed=[0] * len(rows)), progress=progress)


def _cosine(a: Values, b: Values) -> Values:
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(-1) / lengths)
