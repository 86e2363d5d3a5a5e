"""The optimizer: Muon for matrices and kernels, AdamW for everything else.

Muon (Jordan, 2024) takes steps in which every direction of a matrix counts alike. A kernel `(out, in, h, w)` is the
matrix `(out, in·h·w)`. Vectors and embeddings are not matrices in that sense and keep AdamW; one learning rate serves
both, since Muon's steps are brought to AdamW's size (Liu et al., 2025, section 2.2).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Optimizer:
    """Steps for named parameters.

    Args:
        parameters: all that learn, by their names.
        weight_decay: of matrices and kernels; vectors have none.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], *, weight_decay: float) -> None:
        self.parameters = parameters
        # A flat view shares its parameter's storage, so a step of the view is a step of the parameter.
        matrices = {name: p for name, p in parameters.items() if _is_matrix(name, p)}
        self.views = {name: nn.Parameter(p.detach().flatten(1)) for name, p in matrices.items()}
        others = {name: p for name, p in parameters.items() if name not in self.views}
        groups = [
            {"params": [p for p in others.values() if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in others.values() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._adam = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self._all: list[torch.optim.Optimizer] = [self._adam]
        if self.views:
            views = list(self.views.values())
            self._all.append(torch.optim.Muon(views, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"))

    def step(self, lr: float) -> None:
        """One step along the gradients that the parameters hold; then they hold none."""
        for name, view in self.views.items():
            gradient = self.parameters[name].grad
            view.grad = None if gradient is None else gradient.flatten(1)
        for optimizer in self._all:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
        for parameter in self.parameters.values():
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """All that a resumed run needs, as `key.name` -> tensor."""
        return {
            f"{key}.{name}": torch.as_tensor(value)
            for name in self.parameters
            for key, value in self._state_of(name).items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""
        for full, tensor in tensors.items():
            key, _, name = full.partition(".")
            device = torch.device("cpu") if key == "step" else self.parameters[name].device
            self._state_of(name)[key] = tensor.to(device)

    def _state_of(self, name: str) -> dict[str, Tensor]:
        if name in self.views:
            return self._all[1].state[self.views[name]]
        return self._adam.state[self.parameters[name]]


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim > 1 and "embedding" not in name and min(parameter.flatten(1).shape) > 1
