"""Moving between vectors: interpolation, means, spacing and grids; pure functions of tensors `(..., d)`."""

from .grids import grid_shape, grid_weights
from .interpolation import Geometry, lerp, lol, lol_between, nlerp, norm_log_density, piecewise, slerp, squad
from .product import Product
from .spacing import coefficient_of_variation, respace
from .sphere import angle, exp_map, frechet_mean, log_map

__all__ = [
    "Geometry",
    "Product",
    "angle",
    "coefficient_of_variation",
    "exp_map",
    "frechet_mean",
    "grid_shape",
    "grid_weights",
    "lerp",
    "log_map",
    "lol",
    "lol_between",
    "nlerp",
    "norm_log_density",
    "piecewise",
    "respace",
    "slerp",
    "squad",
]
