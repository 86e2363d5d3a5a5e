"""Count what a computation takes: its operations, and the most bytes of its tensors that are alive at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def counted(work: Callable[[], Any], network: torch.nn.Module) -> tuple[int, int]:
    """The floating-point operations of `work`, and its peak of memory in bytes.

    Operations are those of matrix products, convolutions and attention. Memory is that of the tensors it makes; the
    weights of `network` and what a kernel needs inside itself are not counted. Both work on fake tensors too.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as flops, _alive(network) as alive:
        work()
    return int(flops.get_total_flops()), int(alive.most)


def _alive(network: torch.nn.Module) -> Any:
    from torch import Tensor
    from torch.multiprocessing.reductions import StorageWeakRef
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    weights = {each.untyped_storage()._cdata for each in (*network.parameters(), *network.buffers())}

    class Alive(TorchDispatchMode):
        """Follows each storage that an operation makes until nothing refers to it."""

        def __init__(self) -> None:
            super().__init__()
            self.most = 0
            self._there: dict[int, tuple[Any, int]] = {}

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = func(*args, **(kwargs or {}))
            for tensor in tree_leaves(made):
                if isinstance(tensor, Tensor):
                    storage = tensor.untyped_storage()
                    if storage._cdata not in weights:
                        self._there[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
            self._there = {key: each for key, each in self._there.items() if not each[0].expired()}
            self.most = max(self.most, sum(size for _, size in self._there.values()))
            return made

    return Alive()
