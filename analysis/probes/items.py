"""Probes on the items of a collection, whose columns are the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thoughtspace.explorer.errors import AnalysisError

from ..arrays import prepare
from .disentanglement import Disentanglement, disentanglement
from .folds import FOLDS
from .probe import Probe, fit_probe, plot_probes

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.collection.store import Collection


@dataclass(frozen=True, eq=False)
class ItemProbe:
    """A probe on items of a collection.

    Attributes:
        probe: with its evidence.
        rare: values that were left out, because fewer than five items have them.
        n_missing: items that were left out, because they lack a label or a vector.
    """

    probe: Probe
    rare: tuple[str, ...]
    n_missing: int

    def table(self) -> pd.DataFrame:
        """As `Probe.table`."""
        return self.probe.table()

    def plot(self) -> go.Figure:
        """As `Probe.plot`."""
        return self.probe.plot()

    def to_json(self) -> dict[str, Any]:
        """As `Probe.to_json`, with what was left out."""
        return {**self.probe.to_json(), "rare": list(self.rare), "missing": self.n_missing}


@dataclass(frozen=True, eq=False)
class ItemProbes:
    """Probes of several columns.

    Attributes:
        probes: one for each column.
    """

    probes: tuple[ItemProbe, ...]

    def table(self) -> pd.DataFrame:
        """A row for each column; see `Probe.table`."""
        import pandas as pd

        return pd.concat([each.table() for each in self.probes])

    def plot(self) -> go.Figure:
        """The mean recall of each column beside shuffled labels; a line marks the chance of a guess."""
        return plot_probes([each.probe for each in self.probes])

    def to_json(self) -> dict[str, Any]:
        """`{probes: [ItemProbe.to_json…]}`."""
        return {"probes": [each.to_json() for each in self.probes]}


def probe_items(
    collection: Collection,
    column: str,
    *,
    beside: str | None = None,
    space: str = "joint",
    kind: Kind = "image",
    n_null: int = 49,
    n_samples: int = 20,
    random_state: int = 0,
) -> ItemProbe:
    """Fit a probe of a column on the stored vectors of a collection; no model is needed.

    Args:
        column: the labels; their text is the class.
        beside: another column, whose combinations with the first are held out.

    Raises:
        CollectionError: a space without vectors.
        AnalysisError: no such column, or as `fit_probe`.
    """
    names = [column] if beside is None else [column, beside]
    frame, vectors = _columns(collection, names, kind), collection.vectors(space, kind)
    there = np.isfinite(vectors).all(1) & frame[names].notna().all(axis=1).to_numpy(bool)
    labels = frame.loc[there, names].astype(str)
    common = np.ones(len(labels), bool)
    rare: list[str] = []
    for name in names:
        counts = labels[name].value_counts()
        few = sorted(counts.index[counts < FOLDS])
        rare += [f"{name} {value}" for value in few]
        common &= ~labels[name].isin(few).to_numpy(bool)
    labels = labels[common]
    if not len(labels):
        message = (
            f"Got {int(there.sum())} items with {' and '.join(names)} and a vector in {space!r}, none of a value that "
            f"{FOLDS} have, expected a column of few values."
        )
        raise AnalysisError(message, code="too few")
    x = prepare(vectors[there][common], "cosine" if space == "joint" else "euclidean")
    found = fit_probe(
        x,
        labels[column].to_numpy(str),
        beside=None if beside is None else labels[beside].to_numpy(str),
        names=(column, beside or ""),
        n_null=n_null,
        n_samples=n_samples,
        random_state=random_state,
    )
    return ItemProbe(found, tuple(rare), int((~there).sum()))


def axes_of_items(
    collection: Collection,
    columns: Sequence[str],
    *,
    by: Callable[..., Disentanglement] = disentanglement,
    space: str = "joint",
    kind: Kind = "image",
) -> Disentanglement:
    """Whether single numbers of the stored vectors are single columns; see `disentanglement`.

    Items that lack one of the columns or a vector are left out.

    Args:
        columns: two or more.
        by: how, such as `partial(disentanglement, measures=["mig"])`.

    Raises:
        CollectionError: a space without vectors.
        AnalysisError: no such column, or as `disentanglement`.
    """
    names = list(dict.fromkeys(columns))
    frame, vectors = _columns(collection, names, kind), collection.vectors(space, kind)
    there = np.isfinite(vectors).all(1) & frame[names].notna().all(axis=1).to_numpy(bool)
    if not there.any():
        message = f"Got no item with {', '.join(names)} and a vector in {space!r}; take other columns."
        raise AnalysisError(message, code="too few")
    return by(vectors[there], {name: frame.loc[there, name].astype(str).to_numpy(str) for name in names})


def _columns(collection: Collection, names: Sequence[str], kind: Kind) -> pd.DataFrame:
    frame = collection.items(kind)
    for name in names:
        if name not in frame:
            known = ", ".join(map(str, frame.columns))
            raise AnalysisError(f"Got column {name!r}, expected one of {known}.", code="column")
    return frame
