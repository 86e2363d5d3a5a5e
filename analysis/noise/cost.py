"""What a step of denoising costs in the latent, and what the same architecture would cost in pixels."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thoughtspace.explorer.checks import number, whole
from thoughtspace.explorer.errors import AnalysisError

from .counting import counted

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    import torch
    from torch import Tensor

    from thoughtspace.explorer import Explorer
    from thoughtspace.explorer.models.generator import Denoiser

MOST_FLOPS = 5e12
"""Above so many operations the step in pixels is counted and not run: on a CPU it would take minutes."""


@dataclass(frozen=True)
class Cost:
    """One evaluation of a network, for one picture.

    Attributes:
        shape: of what it is given, without the batch.
        parameters: numbers in its weights.
        flops: operations of products, convolutions and attention, a multiplication and an addition being two.
        memory: the most bytes of tensors that are alive at once beside the weights.
        seconds: each time that it was run; empty where it was not.
    """

    shape: tuple[int, ...]
    parameters: int
    flops: int
    memory: int
    seconds: tuple[float, ...] = ()


@dataclass(frozen=True)
class StepCosts:
    """The costs of a step for one picture, guidance not counted: with it every step has two.

    Attributes:
        latent: of the model's own network.
        pixels: of a network of its class and configuration with the channels and the size of pictures.
        decoding: from a latent to its picture, once after all steps.
    """

    latent: Cost
    pixels: Cost
    decoding: Cost

    @property
    def steps_repaid(self) -> float:
        """After how many steps the operations of decoding are less than what the latent saved."""
        saved = self.pixels.flops - self.latent.flops
        return self.decoding.flops / saved if saved > 0 else float("inf")

    def table(self) -> pd.DataFrame:
        """A row for each part: `part, shape, parameters, flops, memory`, and median, `least` and `most` `seconds`."""
        import pandas as pd

        rows = []
        for name, cost in self._parts.items():
            times = cost.seconds or (float("nan"),)
            timed = (float(np.median(times)), min(times), max(times))
            shape = " x ".join(map(str, cost.shape))
            rows.append((name, shape, cost.parameters, cost.flops, cost.memory, *timed))
        named = ["part", "shape", "parameters", "flops", "memory", "seconds", "least", "most"]
        return pd.DataFrame(rows, columns=named)

    def plot(self) -> go.Figure:
        """Operations, memory and seconds, each as a multiple of those in the latent."""
        import plotly.graph_objects as go

        figure, table = go.Figure(layout={"template": "plotly_white"}), self.table().set_index("part")
        for part, row in table.iterrows():
            named = {name: row[name] / table.loc["latent", name] for name in ("flops", "memory", "seconds")}
            figure.add_bar(x=list(named), y=list(named.values()), name=str(part))
        return figure.update_layout(yaxis_title="multiple of a step in the latent", yaxis_type="log")

    def to_json(self) -> dict[str, Any]:
        """The table, null where a step was not run, and after how many steps decoding is repaid."""
        rows = self.table().astype(object)
        repaid = self.steps_repaid
        return {
            "parts": rows.where(rows.notna(), None).to_dict("records"),
            "steps_repaid": repaid if np.isfinite(repaid) else None,
        }

    @property
    def _parts(self) -> dict[str, Cost]:
        return {"latent": self.latent, "pixels": self.pixels, "decoding": self.decoding}


def step_costs(explorer: Explorer, *, repeats: int = 3, most_flops: float = MOST_FLOPS) -> StepCosts:
    """Count and time one evaluation of a model's network in the latent, and of its like in pixels, with random weights.

    A transformer sees patches as large in pixels as in the latent, so it has as many times more places as a UNet.

    Args:
        repeats: how often each is timed, after one run that is not.
        most_flops: a step in pixels with more operations is counted and not timed. Counting needs no memory.

    Raises:
        AnalysisError: a network with an IP-Adapter, or numbers out of range.
        ModelError: a model without a denoiser or an autoencoder.
    """
    import torch

    whole("repeats", repeats, 1, 1000, error=AnalysisError, hint="3 is usual")
    number("most_flops", most_flops, 0, 1e18, error=AnalysisError, hint="5e12 is usual")
    denoiser, autoencoder = explorer.model.denoiser, explorer.model.autoencoder
    if denoiser.adapter_scale is not None:
        message = (
            f"Got {explorer.model.name!r}, with an IP-Adapter in its UNet, which no network of its configuration has; "
            "open the model without it."
        )
        raise AnalysisError(message, code="network")
    side = autoencoder.image_size
    latent_shape, pixel_shape = denoiser.latent_shape, (3, side, side)
    z = torch.zeros(1, *latent_shape, device=denoiser.device)
    asked = _asked(denoiser)
    own, decode = _step(denoiser, z, asked), lambda: autoencoder.decode(z)
    times = [_timed(work, denoiser.device, repeats) for work in (own, decode)]
    latent = Cost(latent_shape, _parameters(denoiser.network), *counted(own, denoiser.network), times[0])
    decoding = Cost(latent_shape, _parameters(autoencoder.network), *counted(decode, autoencoder.network), times[1])
    pixels = _in_pixels(denoiser, pixel_shape, asked, repeats, most_flops)
    return StepCosts(latent, pixels, decoding)


def _in_pixels(denoiser: Denoiser, shape: tuple[int, ...], asked: Any, repeats: int, most_flops: float) -> Cost:
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):  # shapes without numbers: it counts whatever the size
        network = _alike(denoiser, shape)
        beside = _with_network(denoiser, network, torch.device("cpu"))
        flops, memory = counted(_step(beside, torch.zeros(1, *shape), asked), network)
        parameters = _parameters(network)
    if flops > most_flops:
        return Cost(shape, parameters, flops, memory)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _alike(denoiser, shape).to(denoiser.device)
    x = torch.zeros(1, *shape, device=denoiser.device)
    work = _step(_with_network(denoiser, network, denoiser.device), x, asked)
    return Cost(shape, parameters, flops, memory, _timed(work, denoiser.device, repeats))


def _alike(denoiser: Denoiser, shape: tuple[int, ...]) -> Any:
    """A network of the denoiser's class and configuration, for data of this shape, with random weights."""
    import torch

    own, usual = denoiser.network, torch.get_default_dtype()
    torch.set_default_dtype(own.dtype)  # fake weights cannot be converted later
    try:
        return type(own).from_config(denoiser.configuration(shape)).eval()
    finally:
        torch.set_default_dtype(usual)


def _with_network(denoiser: Denoiser, network: Any, device: torch.device) -> Denoiser:
    """The same denoiser, which asks another network."""
    from copy import copy
    from dataclasses import replace

    pipeline = copy(denoiser.pipeline)
    pipeline.register_modules(**{denoiser.facts.network: network})
    made: Denoiser = replace(denoiser, pipeline=pipeline, device=device)  # type: ignore[type-var]  # a Family
    return made


def _asked(denoiser: Denoiser) -> tuple[Tensor, dict[str, Tensor]]:
    """What the network is given beside the picture: its noisiest timestep, and the empty prompt."""
    import torch

    from thoughtspace.explorer.diffusion.loop import seeded

    scheduler = denoiser.scheduler()
    denoiser.set_timesteps(scheduler, 1)
    inputs = dict(denoiser.conditioning(seeded([0])).positive)
    return scheduler.timesteps[0], inputs | ({"guidance": torch.ones(1)} if denoiser.distilled else {})


def _step(denoiser: Denoiser, x: Tensor, asked: tuple[Tensor, dict[str, Tensor]]) -> Callable[[], Any]:
    """One prediction of the network."""
    import torch

    t, given = asked[0].to(x.device), {name: value.to(x.device) for name, value in asked[1].items()}

    @torch.inference_mode()
    def work() -> Any:
        return denoiser.predict(x, t, given)

    return work


def _parameters(network: Any) -> int:
    return sum(each.numel() for each in network.parameters())


def _timed(work: Callable[[], Any], device: torch.device, repeats: int) -> tuple[float, ...]:
    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    work()
    times = []
    for _ in range(repeats):
        wait()
        start = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - start)
    return tuple(times)
