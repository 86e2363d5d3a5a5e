"""What a change of wording does to a prompt's point: another order, other words, one word less."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Values = NDArray[np.float64]
_WORD = re.compile(r"\S+")


def orders(text: str, n: int = 8, *, random_state: int = 0) -> list[str]:
    """Up to `n` different random orders of the words of a text, none of which is its own.

    >>> sorted(orders("red small fox", 9))[:2]
    ['fox red small', 'fox small red']
    """
    whole("n", n, 1, 10_000, error=AnalysisError, hint="8 shows the spread")
    words, found = text.split(), dict[str, None]()
    generator = np.random.default_rng(random_state)
    for _ in range(20 * n):  # a short text has few orders
        order = " ".join(words[row] for row in generator.permutation(len(words)))
        if order != " ".join(words):
            found[order] = None
        if len(found) == n:
            break
    if not found:
        message = f"Got {text!r}, whose words have no other order, expected two different words or more."
        raise AnalysisError(message, code="one word")
    return list(found)


def without_each_word(text: str) -> list[tuple[str, str]]:
    """Each word of a text, and the text without it; a word that occurs twice counts twice.

    >>> without_each_word("a red fox")
    [('a', 'red fox'), ('red', 'a fox'), ('fox', 'a red')]
    """
    places = list(_WORD.finditer(text))
    if len(places) < 2:
        message = f"Got {text!r}, expected a text of two words or more, of which one can be left out."
        raise AnalysisError(message, code="one word")
    left = [text[: each.start()].rstrip() + " " + text[each.end() :].lstrip() for each in places]
    return [(each.group(), rest.strip()) for each, rest in zip(places, left, strict=True)]


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How far variants of a prompt are from it.

    Attributes:
        cosines: by the kind of variant, `(m,)` cosines with the prompt.
        null: `(k,)` cosines of the prompt with unrelated ones: as far as a change of everything leads.
    """

    cosines: Mapping[str, Values] = field(repr=False)
    null: Values = field(repr=False)

    def table(self) -> pd.DataFrame:
        """A row for each kind: `n, cosine, least, most, null, moved`.

        `moved` is the share of the way to an unrelated prompt, `(1 - cosine) / (1 - null)`: 0 is no change.
        """
        import pandas as pd

        null = float(self.null.mean())
        rows = {
            kind: {
                "n": len(each),
                "cosine": float(each.mean()),
                "least": float(each.min()),
                "most": float(each.max()),
                "null": null,
                "moved": float((1 - each.mean()) / (1 - null)),
            }
            for kind, each in self.cosines.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def plot(self) -> go.Figure:
        """The cosines of each kind as dots beside those of unrelated prompts."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "showlegend": False, "xaxis_title": "cosine"})
        for kind, each in [*self.cosines.items(), ("unrelated", self.null)]:
            colour = "#9aa0a8" if kind == "unrelated" else "#4f5bd5"
            points = "outliers" if kind == "unrelated" else "all"
            figure.add_box(x=each, name=kind, boxpoints=points, marker_color=colour, orientation="h")
        return figure.update_yaxes(autorange="reversed")

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"variants": self.table().to_dict("index"), "n_null": len(self.null)}


def sensitivity(prompt: ArrayLike, variants: Mapping[str, ArrayLike], unrelated: ArrayLike) -> Sensitivity:
    """Compare a prompt with its variants.

    Args:
        prompt: `(d,)`.
        variants: by their kind, such as "order" or "paraphrase", `(m, d)`.
        unrelated: `(k, d)` other prompts, two at least.

    Raises:
        AnalysisError: no variants, fewer than two unrelated prompts, prompts that are all the same, or two widths.
    """
    if not variants:
        raise AnalysisError("Got no variants of the prompt, expected one kind at least.", code="too few")
    if np.ndim(prompt) != 1:
        message = f"Got a prompt of shape {np.shape(prompt)}, expected the vector of one, (d,)."
        raise AnalysisError(message, code="shape")
    own = prepare(np.asarray(prompt)[None], "cosine", what="prompt").astype(np.float64)[0]
    named = {kind: prepare(each, "cosine", what=kind) for kind, each in variants.items()}
    others = prepare(unrelated, "cosine", what="unrelated")
    widths = {each.shape[1] for each in (*named.values(), others)} | {len(own)}
    if len(widths) > 1:
        message = f"Got vectors of {' and '.join(map(str, sorted(widths)))} numbers, expected those of one space."
        raise AnalysisError(message, code="width")
    null = np.asarray(others @ own)
    if len(null) < 2 or not null.mean() < 1 - 1e-6:
        message = f"Got {len(null)} unrelated prompts, expected two or more that differ from the prompt."
        raise AnalysisError(message, code="too few")
    return Sensitivity({kind: np.asarray(each @ own) for kind, each in named.items()}, null)
