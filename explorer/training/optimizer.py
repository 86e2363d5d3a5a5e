"""The optimizer: Muon for matrices and kernels, AdamW for everything else.

Muon (Jordan, 2024) takes steps in which every direction of a matrix counts alike. A kernel `(out, in, h, w)` is the
matrix `(out, in·h·w)`. Vectors and embeddings are not matrices in that sense and keep AdamW; one learning rate serves
both, since Muon's steps are brought to AdamW's size (Liu et al., 2025, section 2.2).

torch's own Muon computes in bfloat16, which a CPU without instructions for it only emulates: there its step takes
several times as long as the gradient. This one computes in float32, and on the small side of each matrix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Jordan's coefficients: five rounds bring all singular values near one, the small ones fast."""
ROUNDS = 5


class Optimizer:
    """Steps for named parameters.

    Args:
        parameters: all that learn, by their names.
        weight_decay: of matrices and kernels; vectors have none.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], *, weight_decay: float) -> None:
        self.parameters = parameters
        self._decay = weight_decay
        self._momenta = {name: torch.zeros_like(p) for name, p in parameters.items() if _is_matrix(name, p)}
        self._alike: dict[torch.Size, list[str]] = {}
        for name, momentum in self._momenta.items():
            self._alike.setdefault(momentum.shape, []).append(name)
        others = [p for name, p in parameters.items() if name not in self._momenta]
        groups = [
            {"params": [p for p in others if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._adam = torch.optim.AdamW(groups, betas=(0.9, 0.98))

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One step along the gradients that the parameters hold; then they hold none."""
        for group in self._adam.param_groups:
            group["lr"] = lr
        self._adam.step()
        for shape, names in self._alike.items():
            learning = [name for name in names if self.parameters[name].grad is not None]
            if learning:
                self._turn(learning, shape, lr)
        for parameter in self.parameters.values():
            parameter.grad = None

    def _turn(self, names: Sequence[str], shape: torch.Size, lr: float) -> None:
        """Muon's step for matrices of one shape, all of them at once."""
        parameters: list[Tensor] = [self.parameters[name] for name in names]
        grads = [p.grad for p in parameters if p.grad is not None]  # each has one
        momenta = [self._momenta[name] for name in names]
        torch._foreach_lerp_(momenta, grads, 1 - MOMENTUM)
        towards = torch.stack(torch._foreach_lerp(grads, momenta, MOMENTUM)).flatten(2)
        size = 0.2 * max(towards.shape[1:]) ** 0.5
        torch._foreach_mul_(parameters, 1 - lr * self._decay)
        turned: list[Tensor] = list(orthogonal(towards).mul_(-lr * size).view(-1, *shape))
        torch._foreach_add_(parameters, turned)

    def state(self) -> dict[str, Tensor]:
        """All that a resumed run needs, as `key.name` -> tensor."""
        momenta = {f"momentum.{name}": momentum for name, momentum in self._momenta.items()}
        return momenta | {
            f"{key}.{name}": torch.as_tensor(value)
            for name, parameter in self.parameters.items()
            if name not in self._momenta
            for key, value in self._adam.state[parameter].items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""
        for full, tensor in tensors.items():
            key, _, name = full.partition(".")
            if name in self._momenta:
                self._momenta[name].copy_(tensor)
            else:
                device = torch.device("cpu") if key == "step" else self.parameters[name].device
                self._adam.state[self.parameters[name]][key] = tensor.to(device)


def orthogonal(matrices: Tensor) -> Tensor:
    """`U f(S) Vᵀ` for each `U S Vᵀ` of `(…, m, n)`, all of f(S) near one: steps in which every direction counts alike.

    Newton-Schulz multiplies the matrix by polynomials of its Gram matrix. They are gathered on the smaller side, and
    the matrix itself is met twice instead of ten times.
    """
    rows, columns = matrices.shape[-2:]
    if rows > columns:
        return orthogonal(matrices.mT).mT
    matrices = matrices.float()
    matrices = matrices / torch.linalg.matrix_norm(matrices, keepdim=True).clamp(min=1e-7)
    a, b, c = NEWTON_SCHULZ
    gram, product = matrices @ matrices.mT, torch.eye(rows, device=matrices.device)
    for _ in range(ROUNDS):
        factor = b * gram + c * (gram @ gram)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        product = factor @ product
        gram = factor @ gram @ factor
    return product @ matrices


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim > 1 and "embedding" not in name and min(parameter.flatten(1).shape) > 1
