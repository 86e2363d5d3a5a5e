"""One training loop for every stage: resumable, averaged, and timed.

Checkpoints are safetensors and JSON, written beside and renamed, so a run that is killed goes on from its last one.
Every batch is drawn from the step's own generator: a resumed run sees the batches that it would have seen.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..records.atomic import replacing
from .optimizer import Optimizer

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Step:
    """One step of a run.

    Attributes:
        number: steps taken before it.
        progress: share of the budget that is used, from 0 to 1.
        generator: the step's own source of chance, so that a resumed run draws the same batches.
    """

    number: int
    progress: float
    generator: np.random.Generator


Figures = Mapping[str, float | Tensor]
Loss = Callable[[Step], tuple[Tensor, Figures]]
"""Draws the batch of a step and gives its loss, with figures worth logging; a tensor need not be waited for."""


@dataclass(frozen=True)
class Budget:
    """How long and how fast one stage learns. It ends after `steps` or `minutes`, whichever comes first.

    Attributes:
        minutes: of work: on a CPU the time of one of the process's threads, so that waiting for other processes does
            not count; elsewhere the time on the wall.
        lr: peak learning rate; it rises over `warmup`, a share of the whole, and falls along a cosine almost to 0.
        fall: share of the whole, at its end, over which the learning rate falls. A run that may be cut or made
            longer has a short one.
        average: decay of the exponential moving average of the weights, the one that is kept.
        checkpoint_minutes: on the wall.
    """

    steps: int
    minutes: float
    batch: int
    lr: float
    warmup: float = 0.03
    fall: float = 0.97
    weight_decay: float = 0.01
    average: float = 0.995
    checkpoint_minutes: float = 5.0


def fit(
    module: nn.Module, loss: Loss, budget: Budget, folder: Path, *, seed: int, device: torch.device
) -> dict[str, float]:
    """Train `module` in place and leave it with its averaged weights.

    Args:
        loss: called under `half_precision`.
        folder: where checkpoints go; a finished stage found there is loaded, an unfinished one continued.
        seed: with the step, the source of every batch.

    Returns:
        `steps`, `minutes` and the last logged figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parameters = dict(module.named_parameters())
    optimizer = Optimizer(parameters, weight_decay=budget.weight_decay)
    average = {name: p.detach().clone() for name, p in parameters.items()}
    state = _resume(folder, average, optimizer)
    saved, started = time.monotonic(), _worked(device)
    before = state["minutes"]
    figures: dict[str, float | Tensor] = state["figures"]
    print(f"{folder.name} goes on from step {state['step']}", file=sys.stderr, flush=True)
    module.train()
    while True:
        minutes = before + _worked(device) - started
        progress = max(state["step"] / budget.steps, minutes / budget.minutes)
        state |= {"minutes": minutes}
        done = progress >= 1  # of this budget: a finished stage that is given more minutes goes on
        if done or time.monotonic() - saved > 60 * budget.checkpoint_minutes:
            _save(folder, average, optimizer, state | {"figures": _numbers(figures), "budget": asdict(budget)})
            saved = time.monotonic()
        if done:
            break
        with half_precision(device):
            value, logged = loss(Step(state["step"], progress, np.random.default_rng([seed, state["step"]])))
        value.backward()
        nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step(budget.lr * _schedule(progress, budget.warmup, budget.fall))
        state["step"] += 1
        decay = min(budget.average, (1 + state["step"]) / (10 + state["step"]))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), [p.detach() for p in parameters.values()], 1 - decay)
        # A step need not log every figure: one that it leaves out stays.
        with torch.no_grad():
            figures |= {name: 0.98 * figures.get(name, new) + 0.02 * new for name, new in logged.items()}
        if state["step"] % 50 == 0:
            shown = " ".join(f"{name} {figure:.4f}" for name, figure in _numbers(figures).items())
            print(f"{folder.name} step {state['step']} {minutes:.1f} min {shown}", file=sys.stderr, flush=True)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(average[name])
    module.eval()
    return {"steps": state["step"], "minutes": round(state["minutes"], 1)} | _numbers(figures)


def normal(generator: np.random.Generator, shape: Sequence[int], device: torch.device) -> Tensor:
    """Standard normal noise drawn on a device, from a seed that a step's own generator draws."""
    seed = int(generator.integers(2**62))
    return torch.randn(*shape, generator=torch.Generator(device).manual_seed(seed), device=device)


def half_precision(device: torch.device) -> torch.autocast:
    """Autocast to bfloat16, except on a CPU that has no instructions for it and would only emulate it."""
    fast = device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


def _numbers(figures: Figures) -> dict[str, float]:
    return {name: float(figure) for name, figure in figures.items()}


def _worked(device: torch.device) -> float:
    """Minutes of work of this process so far, from some start."""
    if device.type == "cpu":
        return time.process_time() / torch.get_num_threads() / 60
    return time.monotonic() / 60


def _schedule(progress: float, warmup: float, fall: float) -> float:
    """Learning rate as a share of its peak: up over `warmup`, level, down over the last `fall` along a cosine.

    >>> [round(_schedule(progress, 0.1, 0.5), 2) for progress in (0.05, 0.1, 0.5, 0.75, 1.0)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    fallen = max(0.0, min(1.0, (progress - (1 - fall)) / fall))
    return 1e-3 + (1 - 1e-3) * 0.5 * (1 + math.cos(math.pi * fallen))


def _save(folder: Path, average: dict[str, Tensor], optimizer: Optimizer, state: dict[str, Any]) -> None:
    tensors = {f"weight.{name}": p.detach() for name, p in optimizer.parameters.items()}
    tensors |= {f"average.{name}": p for name, p in average.items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer.state().items()}
    tensors = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    # The state travels inside the file: one rename, so weights and step can never disagree.
    with replacing(folder / CHECKPOINT) as beside:
        save_file(tensors, beside, metadata={"state": json.dumps(state)})


def _resume(folder: Path, average: dict[str, Tensor], optimizer: Optimizer) -> dict[str, Any]:
    path = folder / CHECKPOINT
    if not path.exists():
        return {"step": 0, "minutes": 0.0, "figures": {}}
    with safe_open(path, "pt") as file:
        state = json.loads(file.metadata()["state"])
    tensors = load_file(path)
    with torch.no_grad():
        for name, parameter in optimizer.parameters.items():
            parameter.copy_(tensors[f"weight.{name}"])
            average[name].copy_(tensors[f"average.{name}"])
    kept = "optimizer."
    optimizer.restore({name.removeprefix(kept): tensor for name, tensor in tensors.items() if name.startswith(kept)})
    return state
