"""Prompts in one or several models: how alike they are, what styles and other orders do, and whether models agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import AnalysisError

from .. import evidence
from ..comparison.compare import Comparison, compare
from .alignment import Alignment, align
from .closeness import Closeness, closeness
from .similarity import Similarity, similarity
from .styles import StyleEffects, style_effects
from .wording import Sensitivity, orders, sensitivity
from .words import WordEffects, word_effects

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer import Collection, Explorer

Values = NDArray[np.float64]
UNRELATED = (
    "a map of the railway lines",
    "two spoons on a table",
    "how to repair a bicycle",
    "the price of copper",
    "an old letter about the weather",
    "a football match",
    "three green bottles",
    "the inside of a computer",
)
"""Texts that have little to do with most prompts, for nulls."""


def vectors_of(explorer: Explorer, prompts: Sequence[str], *, space: str = "joint") -> Values:
    """The vectors of prompts, flattened: `(n, d)`."""
    return np.asarray(explorer.space(space).text(*prompts).flat.double().cpu().numpy())


def prompt_similarity(
    explorer: Explorer, prompts: Sequence[str], *, space: str = "joint", unrelated: Sequence[str] = UNRELATED
) -> Similarity:
    """The cosines of prompts with their tree, beside those of unrelated texts; see `similarity`."""
    others = vectors_of(explorer, unrelated, space=space) if unrelated else None
    return similarity(vectors_of(explorer, prompts, space=space), prompts, unrelated=others)


def token_alignment(explorer: Explorer, first: str, second: str, *, unrelated: Sequence[str] = UNRELATED) -> Alignment:
    """Which token of one prompt is most like which of another, by the states that the denoiser reads; see `align`."""
    space = explorer.prompt

    def read(prompt: str) -> tuple[list[str], Values]:
        rows = space.layout.rows(prompt, (0, len(prompt)))
        states = space.states(space.text(prompt))[0, rows].double().cpu().numpy()
        names = space.tokens(prompt)
        return [names[row] for row in rows], np.asarray(states)

    (names, states), (other_names, other_states) = read(first), read(second)
    return align(states, other_states, (names, other_names), unrelated=[read(each)[1] for each in unrelated])


def wording(
    explorer: Explorer,
    prompt: str,
    *,
    paraphrases: Sequence[str] = (),
    space: str = "joint",
    unrelated: Sequence[str] = UNRELATED,
    random_state: int = 0,
) -> Sensitivity:
    """How far other orders of a prompt's words, and paraphrases if there are some, are from it; see `sensitivity`."""
    kinds = {"other orders": orders(prompt, random_state=random_state)}
    if paraphrases:
        kinds["paraphrases"] = list(paraphrases)
    variants = {kind: vectors_of(explorer, texts, space=space) for kind, texts in kinds.items()}
    own = vectors_of(explorer, [prompt], space=space)[0]
    return sensitivity(own, variants, vectors_of(explorer, unrelated, space=space))


def styles(
    explorer: Explorer,
    prompts: Sequence[str],
    words: Sequence[str],
    *,
    space: str = "joint",
    template: str = "{prompt}, {style}",
    random_state: int = 0,
) -> StyleEffects:
    """What each style does to all prompts; see `style_effects`.

    Args:
        template: how a prompt and a style become one text.

    Raises:
        AnalysisError: a template without both; or as `style_effects`.
    """
    if "{prompt}" not in template or "{style}" not in template:
        message = f"Got template {template!r}, expected one with {{prompt}} and {{style}} in it."
        raise AnalysisError(message, code="template")
    texts = [[template.format(prompt=prompt, style=style) for prompt in prompts] for style in words]
    styled = np.stack([vectors_of(explorer, each, space=space) for each in texts]) if texts else np.empty((0, 0, 0))
    return style_effects(vectors_of(explorer, prompts, space=space), styled, words, random_state=random_state)


@dataclass(frozen=True, eq=False)
class Agreement:
    """Whether models find the same prompts alike.

    Attributes:
        comparisons: by pair of models, on the vectors of the same prompts.
        prompts: their rows are the comparisons' rows.
    """

    comparisons: Mapping[tuple[str, str], Comparison]
    prompts: tuple[str, ...] = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each pair and measure: `first, second, measure`, then the columns of `Score.to_json`."""
        import pandas as pd

        rows = [
            {"first": a, "second": b, "measure": name, **score.to_json()}
            for (a, b), each in self.comparisons.items()
            for name, score in each.scores.items()
        ]
        return pd.DataFrame(rows)

    def plot(self) -> go.Figure:
        """The scores of all pairs beside their nulls."""
        named = {
            f"{a} and {b}, {name}": score
            for (a, b), each in self.comparisons.items()
            for name, score in each.scores.items()
        }
        return evidence.plot(named, title=f"Agreement on {len(self.prompts)} prompts")

    def to_json(self) -> dict[str, Any]:
        """The table, and for each pair the prompts on which the models agree least, as JSON values."""
        least = [
            {"first": a, "second": b, "prompts": [self.prompts[row] for row in each.least(5)]}
            for (a, b), each in self.comparisons.items()
        ]
        return {"scores": self.table().to_dict("records"), "least": least}


def agreement(explorers: Mapping[str, Explorer], prompts: Sequence[str], *, n_null: int = 199) -> Agreement:
    """Compare the text encoders of several models on the same prompts, by debiased CKA and RSA; see `compare`.

    Raises:
        AnalysisError: fewer than two models, or too few prompts.
    """
    if len(explorers) < 2:
        raise AnalysisError(f"Got {len(explorers)} models, expected two or more to compare.", code="too few")
    found = {name: vectors_of(explorer, prompts) for name, explorer in explorers.items()}
    pairs = {
        (a, b): compare(found[a], found[b], measures=("cka", "rsa"), n_null=n_null) for a, b in combinations(found, 2)
    }
    return Agreement(pairs, tuple(prompts))


def words_of_collection(
    collection: Collection, *, column: str = "caption", least: int = 8, n_null: int = 199
) -> WordEffects:
    """Which words of their captions move the pictures of a collection, in the joint space; see `word_effects`.

    Raises:
        AnalysisError: no such column, or too few captions.
    """
    frame, rows = _captioned(collection, column)
    x = collection.points("joint", "image").flat.double().cpu().numpy()[rows]
    return word_effects(x, frame[column].astype(str).tolist(), least=least, n_null=n_null)


def closeness_of_collection(collection: Collection, *, column: str = "caption", by: str | None = None) -> Closeness:
    """How close each picture of a collection is to its caption; see `closeness`.

    Args:
        by: a column that says where each picture came from, such as `model`.

    Raises:
        AnalysisError: no such column, or too few captions.
    """
    frame, rows = _captioned(collection, column)
    _known(frame, by)
    prompts = frame[column].astype(str).tolist()
    x = collection.points("joint", "image").flat.double().cpu().numpy()[rows]
    distinct = list(dict.fromkeys(prompts))
    texts = vectors_of(collection.explorer, distinct)
    place = {prompt: row for row, prompt in enumerate(distinct)}
    groups = (
        None if by is None else [str(each) for each in frame[by].astype(object).where(frame[by].notna(), "unknown")]
    )
    return closeness(x, texts[[place[prompt] for prompt in prompts]], prompts, groups=groups)


def _captioned(collection: Collection, column: str) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """The pictures that have a text in a column, and which of all pictures they are."""
    frame = collection.items("image")
    _known(frame, column)
    rows = frame[column].notna().to_numpy(dtype=bool)
    if not rows.any():
        message = f"Got {len(frame)} pictures, none of which has a text in {column!r}; ingest with their prompts."
        raise AnalysisError(message, code="no captions")
    return frame[rows], rows


def _known(frame: pd.DataFrame, column: str | None) -> None:
    if column is not None and column not in frame.columns:
        raise AnalysisError(
            f"Got column {column!r}, expected one of {', '.join(map(str, frame.columns))}.", code="no such column"
        )
