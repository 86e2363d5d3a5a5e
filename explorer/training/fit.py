"""One training loop for every stage: resumable, averaged, and timed.

Checkpoints are safetensors and JSON, written beside and renamed, so a run that is killed goes on from its last one.
Every batch is drawn from the step's own generator: a resumed run sees the batches that it would have seen.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .optimizer import Optimizer

Loss = Callable[[np.random.Generator], tuple[Tensor, dict[str, float]]]
"""Draws a batch and gives its loss, with figures worth logging."""


@dataclass(frozen=True)
class Budget:
    """How long and how fast one stage learns. It ends after `steps` or `minutes`, whichever comes first.

    Attributes:
        lr: peak learning rate; it rises over `warmup`, a share of the whole, and falls along a cosine almost to 0.
        average: decay of the exponential moving average of the weights, the one that is kept.
    """

    steps: int
    minutes: float
    batch: int
    lr: float
    warmup: float = 0.03
    weight_decay: float = 0.01
    average: float = 0.995
    checkpoint_minutes: float = 2.0


def fit(
    module: nn.Module, loss: Loss, budget: Budget, folder: Path, *, seed: int, device: torch.device
) -> dict[str, float]:
    """Train `module` in place and leave it with its averaged weights.

    Args:
        loss: called under bfloat16 autocast.
        folder: where checkpoints go; a finished stage found there is loaded, an unfinished one continued.
        seed: with the step, the source of every batch.

    Returns:
        `steps`, `minutes` and the last logged figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = dict(module.named_parameters())
    optimizer = Optimizer(parameters, weight_decay=budget.weight_decay)
    average = {name: p.detach().clone() for name, p in parameters.items()}
    state = _resume(folder, parameters, average, optimizer)
    saved = started = time.monotonic()
    before = state["minutes"]
    figures: dict[str, float] = state["figures"]
    module.train()
    while not state["done"]:
        minutes = before + (time.monotonic() - started) / 60
        progress = max(state["step"] / budget.steps, minutes / budget.minutes)
        state |= {"minutes": minutes, "done": progress >= 1}
        if state["done"] or time.monotonic() - saved > 60 * budget.checkpoint_minutes:
            _save(folder, parameters, average, optimizer, state | {"figures": figures, "budget": asdict(budget)})
            saved = time.monotonic()
        if state["done"]:
            break
        with torch.autocast(device.type, torch.bfloat16):
            value, logged = loss(np.random.default_rng([seed, state["step"]]))
        value.backward()
        nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step(budget.lr * _schedule(progress, budget.warmup))
        state["step"] += 1
        decay = min(budget.average, (1 + state["step"]) / (10 + state["step"]))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), [p.detach() for p in parameters.values()], 1 - decay)
        figures = {name: 0.98 * figures.get(name, new) + 0.02 * new for name, new in logged.items()}
        if state["step"] % 50 == 0:
            shown = " ".join(f"{name} {figure:.4f}" for name, figure in figures.items())
            print(f"{folder.name} step {state['step']} {minutes:.1f} min {shown}", file=sys.stderr, flush=True)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(average[name])
    module.eval()
    return {"steps": state["step"], "minutes": round(state["minutes"], 1)} | figures


def _schedule(progress: float, warmup: float) -> float:
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    return 1e-3 + (1 - 1e-3) * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))


def _save(
    folder: Path,
    parameters: dict[str, nn.Parameter],
    average: dict[str, Tensor],
    optimizer: Optimizer,
    state: dict,
) -> None:
    tensors = {f"weight.{name}": p.detach() for name, p in parameters.items()}
    tensors |= {f"average.{name}": p for name, p in average.items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer.state().items()}
    tensors = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    partial = folder / "checkpoint.partial"
    # The state travels inside the file: one rename, so weights and step can never disagree.
    save_file(tensors, partial, metadata={"state": json.dumps(state)})
    partial.replace(folder / "checkpoint.safetensors")


def _resume(
    folder: Path,
    parameters: dict[str, nn.Parameter],
    average: dict[str, Tensor],
    optimizer: Optimizer,
) -> dict:
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return {"step": 0, "minutes": 0.0, "done": False, "figures": {}}
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        state = json.loads(file.metadata()["state"])
    tensors = load_file(path)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"weight.{name}"])
            average[name].copy_(tensors[f"average.{name}"])
    kept = "optimizer."
    optimizer.restore({name.removeprefix(kept): tensor for name, tensor in tensors.items() if name.startswith(kept)})
    return state
