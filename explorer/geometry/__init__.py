"""Moving between vectors: interpolation, means, spacing and grids; pure functions of tensors `(..., d)`."""

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .grids import grid_shape as grid_shape
    from .grids import grid_weights as grid_weights
    from .interpolation import Geometry as Geometry
    from .interpolation import lerp as lerp
    from .interpolation import lol as lol
    from .interpolation import lol_between as lol_between
    from .interpolation import nlerp as nlerp
    from .interpolation import piecewise as piecewise
    from .interpolation import slerp as slerp
    from .interpolation import squad as squad
    from .product import Product as Product
    from .ridge import LinearMap as LinearMap
    from .ridge import fit_linear_map as fit_linear_map
    from .spacing import Odometer as Odometer
    from .spacing import coefficient_of_variation as coefficient_of_variation
    from .sphere import angle as angle
    from .sphere import exp_map as exp_map
    from .sphere import frechet_mean as frechet_mean
    from .sphere import log_map as log_map

_HOMES = {
    "grids": ("grid_shape", "grid_weights"),
    "interpolation": ("Geometry", "lerp", "lol", "lol_between", "nlerp", "piecewise", "slerp", "squad"),
    "product": ("Product",),
    "ridge": ("LinearMap", "fit_linear_map"),
    "spacing": ("Odometer", "coefficient_of_variation"),
    "sphere": ("angle", "exp_map", "frechet_mean", "log_map"),
}
_HOME, __getattr__, __dir__ = lazily(__name__, _HOMES)

__all__ = sorted(_HOME)
