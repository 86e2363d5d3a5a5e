"""Moving between vectors: interpolation, means, spacing and grids; pure functions of tensors `(..., d)`."""
