"""Projections: points to places in two or three dimensions by UMAP, PaCMAP or PCA, and new points on the same map."""

from __future__ import annotations

from .methods import METHODS, PCA, UMAP, Method, PaCMAP
from .projection import Projection, fit_projection

__all__ = ["METHODS", "PCA", "UMAP", "Method", "PaCMAP", "Projection", "fit_projection"]
