"""The memory that full-size models need, without weights or computation: shapes only, on PyTorch's fake tensors.

    python benchmarks/memory.py --json

Each network is built in its published configuration on the `meta` device, and its parameters are counted. One step and
one decode are traced with fake tensors in half precision, which adds up the bytes that are alive at each moment. The
workspaces of kernels do not show, so a GPU needs somewhat more.
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"networks": ["SD 1.5 UNet, 512 px"]})
ARGUMENTS.add_argument("--networks", nargs="+", metavar="NAME", help="only these, by the printed names")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from harness.report import print_json
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GIB = 1 << 30
HALF = 2

SD15 = {
    "sample_size": 64,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
}
SDXL = {
    "sample_size": 128,
    "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20),
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
UNCLIP = {
    "sample_size": 96,
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "block_out_channels": (320, 640, 1280, 1280),
    "use_linear_projection": True,
    "class_embed_type": "projection",
    "projection_class_embeddings_input_dim": 2048,
}
SD3 = {
    "sample_size": 128,
    "num_layers": 24,
    "num_attention_heads": 24,
    "caption_projection_dim": 1536,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 2048,
    "out_channels": 16,
    "pos_embed_max_size": 192,
}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}


class Alive(TorchDispatchMode):
    """Adds up the bytes of the live storages, and keeps the maximum."""

    def __init__(self, beside: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.now = self.most = 0
        self.known = {each.untyped_storage()._cdata for each in beside}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor)
        return made

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def traced(network: Callable[[], Any], call: Callable[[Any], Any]) -> tuple[int, int]:
    """Parameters of a network, and the most bytes alive in one call besides them."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    try:
        with FakeTensorMode(), torch.no_grad():
            built = network().eval()
            alive = Alive(built.parameters())
            with alive:
                call(built)
    finally:
        torch.set_default_dtype(usual)
    return sum(each.numel() for each in built.parameters()), alive.most


def unet(config: dict[str, Any], tokens: int = 77, rows: int = 2) -> tuple[int, int]:
    """One step of one picture, with both sides of the guidance."""
    from diffusers import UNet2DConditionModel

    def call(network: Any) -> Any:
        side, half = config["sample_size"], torch.float16
        more: dict[str, Any] = {}
        if "addition_embed_type" in config:
            texts, sizes = torch.zeros(rows, 1280, dtype=half), torch.zeros(rows, 6, dtype=half)
            more["added_cond_kwargs"] = {"text_embeds": texts, "time_ids": sizes}
        if "class_embed_type" in config:
            more["class_labels"] = torch.zeros(rows, config["projection_class_embeddings_input_dim"], dtype=half)
        states = torch.zeros(rows, tokens, config["cross_attention_dim"], dtype=half)
        return network(torch.zeros(rows, 4, side, side, dtype=half), torch.tensor(1.0), states, **more)

    return traced(lambda: UNet2DConditionModel(in_channels=4, out_channels=4, **config), call)


def sd3() -> tuple[int, int]:
    from diffusers import SD3Transformer2DModel

    def call(network: Any) -> Any:
        half = torch.float16
        return network(
            torch.zeros(2, 16, 128, 128, dtype=half),
            torch.zeros(2, 333, 4096, dtype=half),
            torch.zeros(2, 2048, dtype=half),
            torch.zeros(2, dtype=half),
        )

    return traced(lambda: SD3Transformer2DModel(**SD3), call)


def flux() -> tuple[int, int]:
    from diffusers import FluxTransformer2DModel

    def call(network: Any) -> Any:
        half, places = torch.float16, 64 * 64
        return network(
            hidden_states=torch.zeros(1, places, 64, dtype=half),
            encoder_hidden_states=torch.zeros(1, 512, 4096, dtype=half),
            pooled_projections=torch.zeros(1, 768, dtype=half),
            timestep=torch.zeros(1, dtype=half),
            img_ids=torch.zeros(places, 3, dtype=half),
            txt_ids=torch.zeros(512, 3, dtype=half),
            guidance=torch.zeros(1, dtype=half),
        )

    return traced(lambda: FluxTransformer2DModel(guidance_embeds=True), call)


def decoder(side: int, channels: int = 4) -> tuple[int, int]:
    """Decoding one picture of `side` pixels by Stable Diffusion's autoencoder."""
    from diffusers import AutoencoderKL

    def call(network: Any) -> Any:
        return network.decode(torch.zeros(1, channels, side // 8, side // 8, dtype=torch.float16))

    return traced(lambda: AutoencoderKL(latent_channels=channels, **VAE), call)


def texts() -> dict[str, int]:
    """Parameters of the text encoders."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

    large = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    huge = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16}
    giant = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}
    xxl = {"d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64}
    with torch.device("meta"):
        built = {
            "CLIP ViT-L text": CLIPTextModel(CLIPTextConfig(**large)),
            "OpenCLIP ViT-H text": CLIPTextModel(CLIPTextConfig(**huge)),
            "OpenCLIP ViT-bigG text": CLIPTextModelWithProjection(CLIPTextConfig(projection_dim=1280, **giant)),
            "T5 XXL encoder": T5EncoderModel(T5Config(feed_forward_proj="gated-gelu", **xxl)),
        }
    return {name: sum(each.numel() for each in model.parameters()) for name, model in built.items()}


NETWORKS: dict[str, Callable[[], tuple[int, int]]] = {
    "SD 1.5 UNet, 512 px": lambda: unet(SD15),
    "SD 2.1 unCLIP UNet, 768 px": lambda: unet(UNCLIP),
    "SDXL UNet, 1024 px": lambda: unet(SDXL),
    "SD3 medium transformer, 1024 px": sd3,
    "Flux transformer, 1024 px": flux,
    "autoencoder, 512 px": lambda: decoder(512),
    "autoencoder, 768 px": lambda: decoder(768),
    "autoencoder, 1024 px": lambda: decoder(1024),
    "autoencoder of 16 channels, 1024 px": lambda: decoder(1024, 16),
}
"""The networks, by their names in the documentation."""


def measured(names: Sequence[str]) -> dict[str, Any]:
    """Parameters and bytes of the networks of these names, of the text encoders, and of the decoder's last stage."""
    rows = {}
    for name in names:
        parameters, working = NETWORKS[name]()
        rows[name] = {
            "parameters": parameters,
            "weights_gib": round(parameters * HALF / GIB, 2),
            "working_gib": round(working / GIB, 2),
        }
    # How many arrays of the decoder's last stage are alive at once: what `explorer/models/memory.py` assumes.
    arrays = {side: decoder(side)[1] / (128 * side * side * HALF) for side in (512, 1024)}
    return {"networks": rows, "texts": texts(), "decoder_arrays": {str(k): round(v, 2) for k, v in arrays.items()}}


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    names = chosen.networks or list(NETWORKS)
    if unknown := sorted(set(names) - NETWORKS.keys()):
        ARGUMENTS.error(f"got --networks {unknown}, expected some of {list(NETWORKS)}")
    found = measured(names)
    if chosen.json:
        print_json(found)
        return
    for name, row in found["networks"].items():
        print(
            f"{name:38} {row['parameters'] / 1e6:8.0f} M  {row['weights_gib']:6.2f} GiB + {row['working_gib']:5.2f} GiB"
        )
    for name, parameters in found["texts"].items():
        print(f"{name:38} {parameters / 1e6:8.0f} M  {parameters * HALF / GIB:6.2f} GiB")


if __name__ == "__main__":
    main()
