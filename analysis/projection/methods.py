"""The methods of drawing a map, each with its options: UMAP by umap-learn, PaCMAP by its authors' package, and PCA."""

from __future__ import annotations

import importlib.util
import logging
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from thoughtspace.explorer.errors import MapError

from ..arrays import Matrix
from ..knn import NUMBA, Neighbors
from .placing import PACMAP_ATTRACTION, Places, linear, memberships, settle, umap_attraction

Options = Mapping[str, Any]


class Method(Protocol):
    """One way of drawing a map. Its fields are its options; `name` is what users call it."""

    name: ClassVar[str]
    keeps: ClassVar[frozenset[str]]
    """Options that `place` reads."""

    def n_neighbors_of(self, n: int) -> int:
        """How many neighbours of each of `n` points it draws from, the point itself not counted."""

    def fit(
        self, rows: Matrix, near: Neighbors | None, n_components: int, random_state: int | None
    ) -> tuple[Places, dict[str, Any]]:
        """Places `(n, c)` of prepared rows, and the options to keep: JSON values."""

    @staticmethod
    def place(places: Places, rows: Matrix, new: Matrix, known: Neighbors, options: Options) -> Places:
        """Where prepared rows `new` land, whose neighbours among the map's `rows` are `known`."""


@dataclass(frozen=True)
class UMAP:
    """UMAP (McInnes, Healy & Melville 2018), by umap-learn, from a PCA of the points and neighbours found before.

    With a seed its layout runs in one thread and gives the same bits again; without one it uses all.

    Attributes:
        n_neighbors: size of a neighbourhood, the point itself counted; lowered where there are fewer points.
        min_dist: how close places may come, in [0, 1).
        n_epochs: passes of the layout; by default 500 up to 10,000 points and 200 above.

    Raises:
        MapError: an option out of range.
    """

    n_neighbors: int = 15
    min_dist: float = 0.1
    n_epochs: int | None = None

    name: ClassVar[str] = "umap"
    keeps: ClassVar[frozenset[str]] = frozenset(("n_neighbors", "a", "b"))

    def __post_init__(self) -> None:
        _check_n_neighbors(self.n_neighbors)
        if not 0 <= self.min_dist < 1:
            raise MapError(f"Got min_dist={self.min_dist}, expected a number in [0, 1); 0.1 is usual.")
        if self.n_epochs is not None and self.n_epochs < 1:
            raise MapError(f"Got n_epochs={self.n_epochs}, expected at least 1; leave it out for the usual number.")

    def n_neighbors_of(self, n: int) -> int:
        return min(self.n_neighbors, n - 1) - 1

    def fit(
        self, rows: Matrix, near: Neighbors | None, n_components: int, random_state: int | None
    ) -> tuple[Places, dict[str, Any]]:
        assert near is not None
        import umap
        from umap.umap_ import find_ab_params

        n_epochs = self.n_epochs or (500 if len(rows) <= 10_000 else 200)
        a, b = (float(value) for value in find_ab_params(1.0, self.min_dist))
        itself = np.arange(len(rows), dtype=np.int32)[:, None]
        table = (
            np.hstack([itself, near.indices]),
            np.hstack([np.zeros_like(itself, dtype=np.float32), near.distances]),
        )
        reducer = umap.UMAP(
            n_neighbors=near.k + 1,
            n_components=n_components,
            metric="euclidean",  # of the rows as they are prepared; only the table of neighbours is read
            n_epochs=n_epochs,
            init="pca" if np.ptp(rows, axis=0).any() else "random",  # equal points have no axes
            a=a,
            b=b,
            random_state=random_state,
            n_jobs=-1 if random_state is None else 1,
            precomputed_knn=table,
        )
        with NUMBA, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]")  # the index for its own transform
            places = reducer.fit_transform(rows)
        return places, {
            "n_neighbors": near.k + 1,
            "min_dist": self.min_dist,
            "n_epochs": n_epochs,
            "a": a,
            "b": b,
        }

    @staticmethod
    def place(places: Places, rows: Matrix, new: Matrix, known: Neighbors, options: Options) -> Places:
        weights = memberships(known.distances, target=math.log2(max(2, known.k)))
        return settle(places, known.indices, weights, umap_attraction(options["a"], options["b"]))


@dataclass(frozen=True)
class PaCMAP:
    """PaCMAP (Wang, Huang, Rudin & Shaposhnik 2021), by the package of its authors, from neighbours found before.

    Needs the package `pacmap`: `pip install "thoughtspace[pacmap]"`.

    Attributes:
        n_neighbors: near pairs a point; by default 10 up to 10,000 points, and more above.

    Raises:
        MapError: an option out of range, or the package is missing.
    """

    n_neighbors: int | None = None

    name: ClassVar[str] = "pacmap"
    keeps: ClassVar[frozenset[str]] = frozenset(("n_neighbors",))

    _spare: ClassVar[int] = 50  # candidates beyond the near pairs, which are chosen by scaled distance
    _fewest: ClassVar[int] = 20

    def __post_init__(self) -> None:
        if self.n_neighbors is not None:
            _check_n_neighbors(self.n_neighbors)
        if importlib.util.find_spec("pacmap") is None:
            raise MapError(
                "Got map method 'pacmap', which needs a package that is not installed; "
                'run pip install "thoughtspace[pacmap]", or draw the map by umap.'
            )

    def n_neighbors_of(self, n: int) -> int:
        usual = 10 if n <= 10_000 else round(10 + 15 * (math.log10(n) - 4))
        return min((self.n_neighbors or usual) + self._spare, n - 1)

    def fit(
        self, rows: Matrix, near: Neighbors | None, n_components: int, random_state: int | None
    ) -> tuple[Places, dict[str, Any]]:
        assert near is not None
        if len(rows) < self._fewest or not np.ptp(rows, axis=0).any():
            got = f"{len(rows)} points" if np.ptp(rows, axis=0).any() else "points that are all equal"
            raise MapError(f"Got {got}, expected at least {self._fewest} that differ; draw the map by umap.")
        import pacmap

        logging.getLogger("pacmap").setLevel(logging.ERROR)  # it warns of every seed
        with NUMBA:
            reducer = pacmap.PaCMAP(
                n_components,
                n_neighbors=self.n_neighbors,
                random_state=None if random_state is None else random_state % 2**30,  # it adds row numbers, in 32 bits
            )
            reducer.decide_num_pairs(len(rows))
            k = reducer.n_neighbors
            reducer.pair_neighbors = _near_pairs(near, k)
            places = reducer.fit_transform(rows)
        return places, {"n_neighbors": k}

    @staticmethod
    def place(places: Places, rows: Matrix, new: Matrix, known: Neighbors, options: Options) -> Places:
        return settle(places, known.indices, np.ones(known.indices.shape), PACMAP_ATTRACTION)


@dataclass(frozen=True)
class PCA:
    """The two or three axes of largest variance; each is turned so that its largest loading is positive.

    Of the rows, made unit length first under "cosine".
    """

    name: ClassVar[str] = "pca"
    keeps: ClassVar[frozenset[str]] = frozenset()

    def n_neighbors_of(self, n: int) -> int:
        return 0

    def fit(
        self, rows: Matrix, near: Neighbors | None, n_components: int, random_state: int | None
    ) -> tuple[Places, dict[str, Any]]:
        from sklearn import decomposition

        fitted = decomposition.PCA(n_components, random_state=random_state).fit(rows)
        axes = fitted.components_
        signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
        return ((rows - fitted.mean_) @ (axes * signs[:, None]).T).astype(np.float32), {}

    @staticmethod
    def place(places: Places, rows: Matrix, new: Matrix, known: Neighbors, options: Options) -> Places:
        return linear(places, rows, new)


METHODS: Mapping[str, type[UMAP] | type[PaCMAP] | type[PCA]] = {each.name: each for each in (UMAP, PaCMAP, PCA)}
"""The methods by name, the usual one first."""


def method_of(method: str | Method) -> Method:
    """The method itself, or that of a name with its usual options.

    Raises:
        MapError: there is none, or its package is missing.
    """
    return method_named(method)() if isinstance(method, str) else method


def method_named(name: str) -> type[UMAP] | type[PaCMAP] | type[PCA]:
    """The method of a name.

    Raises:
        MapError: there is none.
    """
    if name not in METHODS:
        raise MapError(f"Got map method {name!r}, expected one of {', '.join(METHODS)}; choose one of these.")
    return METHODS[name]


def _check_n_neighbors(n_neighbors: int) -> None:
    if n_neighbors < 3:
        raise MapError(f"Got n_neighbors={n_neighbors}, expected 3 or more; 15 is usual.")


def _near_pairs(near: Neighbors, k: int) -> NDArray[np.int32]:
    """PaCMAP's near pairs `(n k, 2)`: the `k` neighbours of least `d_ij² / (σ_i σ_j)`, σ the mean distance to the
    fourth to sixth neighbour (section 4, step 1)."""
    distances = np.sqrt(2 * near.distances) if near.metric == "cosine" else near.distances
    sigma = np.maximum(distances[:, 3:6].mean(axis=1), 1e-10)
    scaled = np.square(distances) / sigma[:, None] / sigma[near.indices]
    chosen = np.take_along_axis(near.indices, np.argsort(scaled, axis=1, kind="stable")[:, :k], axis=1)
    first = np.repeat(np.arange(len(near), dtype=np.int32), k)
    return np.stack([first, chosen.reshape(-1)], axis=1)
