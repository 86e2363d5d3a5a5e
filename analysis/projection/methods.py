"""Projection methods with their options: UMAP by umap-learn, PaCMAP by the package of its authors, and PCA."""

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

from thoughtspace.explorer.checks import choice
from thoughtspace.explorer.errors import MapError

from ..arrays import Matrix
from ..knn import NUMBA, Neighbors
from .placing import PACMAP_ATTRACTION, Places, linear, memberships, settle, umap_attraction

Options = Mapping[str, Any]


class Method(Protocol):
    """A projection method. Its fields are its options; users choose it by its `name`."""

    name: ClassVar[str]
    keeps: ClassVar[frozenset[str]]
    """Options that `place` reads."""

    def n_neighbors_of(self, n: int) -> int:
        """The number of neighbours that it needs for each of `n` points, not counting the point itself."""

    def fit(
        self, rows: Matrix, near: Neighbors | None, n_components: int, random_state: int | None
    ) -> tuple[Places, dict[str, Any]]:
        """Places `(n, c)` of prepared rows, and the options to save: JSON values."""

    @staticmethod
    def place(places: Places, rows: Matrix, new: Matrix, known: Neighbors, options: Options) -> Places:
        """Places of prepared rows `new`, whose neighbours among the `rows` of the map are `known`."""


@dataclass(frozen=True)
class UMAP:
    """UMAP (McInnes, Healy & Melville 2018) by umap-learn, started at a PCA, with precomputed neighbours.

    With a seed the optimisation runs in one thread and is reproducible bit for bit; without one it uses all threads.

    Attributes:
        n_neighbors: size of a neighbourhood, counting the point itself; lowered if there are fewer points.
        min_dist: how close places may come, in [0, 1).
        n_epochs: epochs of the optimisation; by default 500 up to 10,000 points and 200 above.

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
            message = f"Got min_dist={self.min_dist}, expected a number in [0, 1); 0.1 is usual."
            raise MapError(message, code="min_dist")
        if self.n_epochs is not None and self.n_epochs < 1:
            message = f"Got n_epochs={self.n_epochs}, expected at least 1; leave it out for the default."
            raise MapError(message, code="n_epochs")

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
            metric="euclidean",  # not used: the neighbours are given
            n_epochs=n_epochs,
            init="pca" if np.ptp(rows, axis=0).any() else "random",  # equal points have no principal axes
            a=a,
            b=b,
            random_state=random_state,
            n_jobs=-1 if random_state is None else 1,
            precomputed_knn=table,
        )
        with NUMBA, warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=r"precomputed_knn\[2\]"
            )  # it lacks an index, which only its own transform needs
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
    """PaCMAP (Wang, Huang, Rudin & Shaposhnik 2021) by the package of its authors, with precomputed neighbours.

    Needs the package `pacmap`: `pip install "thoughtspace[pacmap]"`.

    Attributes:
        n_neighbors: near pairs per point; by default 10 up to 10,000 points, and more above.

    Raises:
        MapError: an option out of range, or the package is missing.
    """

    n_neighbors: int | None = None

    name: ClassVar[str] = "pacmap"
    keeps: ClassVar[frozenset[str]] = frozenset(("n_neighbors",))

    _spare: ClassVar[int] = 50  # more candidates than near pairs, which are selected by scaled distance
    _fewest: ClassVar[int] = 20

    def __post_init__(self) -> None:
        if self.n_neighbors is not None:
            _check_n_neighbors(self.n_neighbors)
        if importlib.util.find_spec("pacmap") is None:
            raise MapError(
                "Got map method 'pacmap', whose package is not installed; "
                'run pip install "thoughtspace[pacmap]", or use umap.',
                code="not installed",
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
            message = f"Got {got}, expected at least {self._fewest} different ones for pacmap; use umap."
            raise MapError(message, code="too few items")
        import pacmap

        logging.getLogger("pacmap").setLevel(logging.ERROR)  # it warns about every seed
        with NUMBA:
            reducer = pacmap.PaCMAP(
                n_components,
                n_neighbors=self.n_neighbors,
                random_state=None
                if random_state is None
                else random_state % 2**30,  # it adds row numbers to it, in 32 bits
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
    """The two or three axes of largest variance, each with the sign that makes its largest loading positive.

    Under "cosine", of the rows brought to unit length.
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
"""The methods by name, the default first."""


def method_of(method: str | Method) -> Method:
    """The method itself, or the method of this name with default options.

    Raises:
        MapError: an unknown name, or a method whose package is not installed.
    """
    return method_named(method)() if isinstance(method, str) else method


def method_named(name: str) -> type[UMAP] | type[PaCMAP] | type[PCA]:
    """The class of the method of this name.

    Raises:
        MapError: an unknown name.
    """
    return METHODS[choice("map method", name, METHODS, error=MapError)]


def _check_n_neighbors(n_neighbors: int) -> None:
    if n_neighbors < 3:
        raise MapError(f"Got n_neighbors={n_neighbors}, expected 3 or more; 15 is usual.", code="n_neighbors")


def _near_pairs(near: Neighbors, k: int) -> NDArray[np.int32]:
    """PaCMAP's near pairs `(n k, 2)`: the `k` neighbours of least `d_ij² / (σ_i σ_j)`, where σ is the mean distance to
    the fourth to sixth neighbour (section 4, step 1)."""
    distances = np.sqrt(2 * near.distances) if near.metric == "cosine" else near.distances
    sigma = np.maximum(distances[:, 3:6].mean(axis=1), 1e-10)
    scaled = np.square(distances) / sigma[:, None] / sigma[near.indices]
    chosen = np.take_along_axis(near.indices, np.argsort(scaled, axis=1, kind="stable")[:, :k], axis=1)
    first = np.repeat(np.arange(len(near), dtype=np.int32), k)
    return np.stack([first, chosen.reshape(-1)], axis=1)
