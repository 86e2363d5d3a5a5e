"""Every class of autoencoder, small and random, against the call sequence of the pipelines that use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers.pipelines.flux2.pipeline_flux2 import Flux2Pipeline

from thoughtspace.explorer.errors import ModelError, PictureError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.models.autoencoder import Autoencoder, open_preview
from thoughtspace.explorer.models.autoencoder_kinds import KINDS
from thoughtspace.explorer.models.placement import Placement, Target

SIDE = 32
CPU = torch.device("cpu")
HALVINGS: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "block_out_channels": (8, 8, 16),
    "norm_num_groups": 4,
    "sample_size": SIDE,
}


def kl(**config: Any) -> Any:
    return diffusers.AutoencoderKL(
        **HALVINGS, **{"latent_channels": 4, "scaling_factor": 0.36, "shift_factor": 0.11, **config}
    )


def asymmetric() -> Any:
    return diffusers.AsymmetricAutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        down_block_out_channels=(8, 8, 16),
        up_block_types=("UpDecoderBlock2D",) * 3,
        up_block_out_channels=(8, 16, 24),
        layers_per_up_block=2,
        norm_num_groups=4,
        sample_size=SIDE,
    )


def vq() -> Any:
    return diffusers.VQModel(**HALVINGS, latent_channels=4, vq_embed_dim=3, num_vq_embeddings=32, scaling_factor=0.5)


def movq() -> Any:
    """As Kandinsky's; the spatial norm wants widths of 32."""
    return diffusers.VQModel(
        **{**HALVINGS, "block_out_channels": (32,) * 3, "up_block_types": ("AttnUpDecoderBlock2D",) * 3},
        latent_channels=4,
        vq_embed_dim=4,
        num_vq_embeddings=32,
        norm_type="spatial",
        scaling_factor=0.5,
    )


def tiny(latent_channels: int = 4, stages: int = 3) -> Any:
    widths = (8,) * stages
    return diffusers.AutoencoderTiny(
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        num_encoder_blocks=(1,) * stages,
        num_decoder_blocks=(1,) * stages,
        latent_channels=latent_channels,
    )


def deep_compression() -> Any:
    widths = (8, 16, 16)
    return diffusers.AutoencoderDC(
        latent_channels=4,
        attention_head_dim=8,
        encoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        encoder_layers_per_block=(1, 1, 1),
        decoder_layers_per_block=(1, 1, 1),
        encoder_qkv_multiscales=((), (), (5,)),
        decoder_qkv_multiscales=((), (), (5,)),
        scaling_factor=0.41407,
    )


def consistency() -> Any:
    return diffusers.ConsistencyDecoderVAE(
        sample_size=SIDE,
        encoder_block_out_channels=(8, 8, 16),
        encoder_down_block_types=("DownEncoderBlock2D",) * 3,
        encoder_norm_num_groups=4,
        decoder_block_out_channels=(8, 16),
        decoder_down_block_types=("ResnetDownsampleBlock2D",) * 2,
        decoder_up_block_types=("ResnetUpsampleBlock2D",) * 2,
        decoder_layers_per_block=1,
        decoder_norm_num_groups=4,
    )


def flux2() -> Any:
    network = diffusers.AutoencoderKLFlux2(**HALVINGS, latent_channels=4)
    network.bn.running_mean.normal_()
    network.bn.running_var.uniform_(0.5, 3.0)
    return network


def hunyuan_image() -> Any:
    return diffusers.AutoencoderKLHunyuanImage(
        in_channels=3,
        out_channels=3,
        latent_channels=16,
        block_out_channels=(32, 32, 64),
        layers_per_block=1,
        spatial_compression_ratio=4,
        sample_size=SIDE,
        scaling_factor=0.75289,
    )


def qwen_image() -> Any:
    return diffusers.AutoencoderKLQwenImage(
        base_dim=8, z_dim=16, dim_mult=[1, 2, 2], num_res_blocks=1, temperal_downsample=[False, True]
    )


def latents_of(vae: Any, pixels: torch.Tensor) -> torch.Tensor:
    """As the pipelines encode, class by class."""
    encoded = vae.encode(pixels.unsqueeze(2) if isinstance(vae, diffusers.AutoencoderKLQwenImage) else pixels)
    config = vae.config
    if isinstance(vae, diffusers.AutoencoderDC):
        return encoded.latent * config.scaling_factor
    if isinstance(vae, diffusers.AutoencoderTiny):
        return encoded.latents
    if isinstance(vae, diffusers.VQModel):
        return encoded.latents if config.norm_type == "spatial" else encoded.latents * config.scaling_factor
    mode = encoded.latent_dist.mode()
    if isinstance(vae, diffusers.AutoencoderKLQwenImage):
        mean, std = (torch.tensor(each).view(1, -1, 1, 1, 1) for each in (config.latents_mean, config.latents_std))
        return ((mode - mean) / std)[:, :, 0]
    if isinstance(vae, diffusers.AutoencoderKLFlux2):
        patches, norm = Flux2Pipeline._patchify_latents(mode), vae.bn
        return (patches - norm.running_mean.view(1, -1, 1, 1)) / _deviation(vae)
    return (mode - (config.get("shift_factor") or 0)) * config.scaling_factor


def pictures_of(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """As the pipelines decode, class by class."""
    config = vae.config
    if isinstance(vae, diffusers.AutoencoderTiny):
        return vae.decode(latents).sample
    if isinstance(vae, diffusers.AutoencoderKLQwenImage):
        mean, std = (torch.tensor(each).view(1, -1, 1, 1, 1) for each in (config.latents_mean, config.latents_std))
        return vae.decode(latents.unsqueeze(2) * std + mean, return_dict=False)[0][:, :, 0]
    if isinstance(vae, diffusers.AutoencoderKLFlux2):
        scaled = latents * _deviation(vae) + vae.bn.running_mean.view(1, -1, 1, 1)
        return vae.decode(Flux2Pipeline._unpatchify_latents(scaled), return_dict=False)[0]
    if isinstance(vae, diffusers.VQModel) and config.norm_type == "spatial":
        return vae.decode(latents, force_not_quantize=True).sample
    raw = latents / config.scaling_factor + (config.get("shift_factor") or 0)
    if isinstance(vae, diffusers.ConsistencyDecoderVAE):
        rows = [vae.decode(row, generator=torch.Generator().manual_seed(0)).sample for row in raw.split(1)]
        return torch.cat(rows)
    return vae.decode(raw, return_dict=False)[0]


def _deviation(vae: Any) -> torch.Tensor:
    return torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps)


NETWORKS: dict[str, Callable[[], Any]] = {
    made.__name__: made
    for made in (
        kl,
        asymmetric,
        vq,
        movq,
        tiny,
        deep_compression,
        consistency,
        flux2,
        hunyuan_image,
        qwen_image,
    )
}


def saved(make: Callable[[], Any], folder: Path) -> Any:
    """The network, its weights random but fixed, written to `folder`."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make().eval().requires_grad_(False)
    network.save_pretrained(folder)
    return network


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Each network in turn, and the folder that it was saved in."""
    folder = tmp_path_factory.mktemp("autoencoders") / request.param
    return saved(NETWORKS[request.param], folder), folder


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_no_class_goes_untested():
    assert {type(make()).__name__ for make in NETWORKS.values()} == set(KINDS)


def test_latents_and_pictures_are_the_librarys(pair, pixels):
    network, folder = pair
    opened = Autoencoder.open(folder, Target(CPU, size=SIDE))
    latents = opened.encode(pixels)
    assert tuple(latents.shape[1:]) == opened.latent_shape
    torch.testing.assert_close(latents, latents_of(network, pixels), atol=1e-5, rtol=1e-5)
    shown = opened.decode(latents)
    assert shown.shape == pixels.shape
    torch.testing.assert_close(shown, pictures_of(network, latents), atol=1e-4, rtol=1e-4)


def test_a_constant_left_out_is_noticed(pixels, tmp_path):
    """Negative control: the same comparison with the scaling factor, the shift or the batch norm forgotten."""
    for make, forget in ((kl, "scaling_factor"), (kl, "shift_factor"), (flux2, "bn")):
        network = saved(make, tmp_path / f"{make.__name__}-{forget}")
        opened = Autoencoder.open(tmp_path / f"{make.__name__}-{forget}", Target(CPU))
        if forget == "bn":
            network.bn.reset_running_stats()
        else:
            network.register_to_config(**{forget: 1.0})
        assert not torch.allclose(opened.encode(pixels), latents_of(network, pixels), atol=1e-2)


def test_each_picture_is_its_own(pair, pixels):
    """A batch decodes as its rows do, also where decoding draws noise; and twice the same."""
    _, folder = pair
    opened = Autoencoder.open(folder, Target(CPU, size=SIDE))
    latents = opened.encode(pixels)
    rows = torch.cat([opened.decode(row) for row in latents.split(1)])
    torch.testing.assert_close(opened.decode(latents), rows, atol=1e-4, rtol=1e-4)
    assert torch.equal(opened.decode(latents), opened.decode(latents))


def test_another_size_halves_alike(pair):
    _, folder = pair
    opened = Autoencoder.open(folder, Target(CPU, size=2 * SIDE))
    channels, height, width = opened.latent_shape
    assert opened.encode(torch.zeros(1, 3, 2 * SIDE, 2 * SIDE)).shape == (1, channels, height, width)
    assert opened.encode([]).shape == (0, channels, height, width)
    assert opened.sized((channels, 5, 5)).image_size == 5 * 2 * SIDE // width


def test_slicing_gives_the_same_pictures(refused, pair, pixels):
    network, folder = pair
    plain = Autoencoder.open(folder, Target(CPU, size=SIDE))
    if not hasattr(network, "use_slicing"):
        with refused(ModelError, "tiling", "slicing=True", type(network).__name__):
            Autoencoder.open(folder, Target(CPU, size=SIDE, placement=Placement(slicing=True)))
        return
    sliced = Autoencoder.open(folder, Target(CPU, size=SIDE, placement=Placement(slicing=True)))
    assert (sliced.network.use_slicing, sliced.network.use_tiling) == (True, False)
    latents = plain.encode(pixels)
    torch.testing.assert_close(sliced.encode(pixels), latents, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(sliced.decode(latents), plain.decode(latents), atol=1e-4, rtol=1e-4)


def test_tiles_are_the_librarys(pixels, tmp_path):
    network = saved(kl, tmp_path)
    network.enable_tiling()
    plain, tiled = (
        Autoencoder.open(tmp_path, Target(CPU, placement=Placement(tiling=tiling))) for tiling in (False, True)
    )
    assert torch.equal(tiled.encode(pixels), plain.encode(pixels))  # no larger than a tile
    large = pixels.repeat(1, 1, 2, 2)
    latents = tiled.encode(large)
    torch.testing.assert_close(latents, latents_of(network, large), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(tiled.decode(latents), pictures_of(network, latents), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(latents, plain.encode(large), atol=1e-3)


@pytest.mark.parametrize(("make", "fact"), [(vq, "VQModel"), (lambda: tiny(16), "only 4 channels")])
def test_what_cannot_be_tiled_says_so(refused, make, fact, tmp_path):
    saved(make, tmp_path)
    with refused(ModelError, "tiling", "tiling=True", fact):
        Autoencoder.open(tmp_path, Target(CPU, placement=Placement(tiling=True)))


def test_sizes_without_a_configuration_are_the_usual_ones(tmp_path):
    for make, size in ((tiny, 512), (deep_compression, 1024), (qwen_image, 1024)):
        saved(make, tmp_path / make.__name__)
        assert Autoencoder.open(tmp_path / make.__name__, Target(CPU)).image_size == size


def test_a_size_that_does_not_halve_is_refused(refused, tmp_path):
    saved(kl, tmp_path)
    with refused(ModelError, "size", "size 34", "a multiple of 4", "such as 32"):
        Autoencoder.open(tmp_path, Target(CPU, size=34))
    opened = Autoencoder.open(tmp_path, Target(CPU))
    with refused(PictureError, "size", "(32, 30)", "multiples of 4"):
        opened.encode(torch.zeros(1, 3, 32, 30))
    with refused(ModelError, "latents", "(1, 5, 8, 8)", "(n, 4, h, w)"):
        opened.decode(torch.zeros(1, 5, 8, 8))


def test_an_unknown_class_is_named(refused, tmp_path):
    saved(kl, tmp_path)
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderOobleck"}')
    for attempt in (lambda: Autoencoder.open(tmp_path, Target(CPU)), lambda: Explorer.open(tmp_path, device="cpu")):
        with refused(ModelError, "class", "'AutoencoderOobleck'", str(tmp_path)):
            attempt()


def test_pictures_of_four_channels_are_refused(refused, tmp_path):
    saved(lambda: kl(in_channels=4, out_channels=4), tmp_path)
    with refused(ModelError, "channels", "4 channels", "expected 3"):
        Autoencoder.open(tmp_path, Target(CPU))


def test_pickled_weights_are_refused(refused, pair, tmp_path):
    _, folder = pair
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"anything")
    with refused(ModelError, "pickle", "diffusion_pytorch_model.bin", str(tmp_path)):
        Autoencoder.open(tmp_path, Target(CPU))


@pytest.mark.parametrize("make", [vq, consistency, tiny])
def test_alone_it_is_a_model_of_one_space(make, tmp_path, pictures):
    saved(make, tmp_path)
    explorer = Explorer.open(tmp_path, device="cpu")
    assert list(explorer.spaces) == ["latent"]
    if make is not tiny:  # 512 pixels
        points = explorer.latent.image(*pictures[:2])
        assert len(explorer.latent.decode(points)) == 2


def test_a_preview_decodes_the_same_latents(pixels, tmp_path):
    saved(kl, tmp_path / "large")
    small = saved(tiny, tmp_path / "small")
    large = Autoencoder.open(tmp_path / "large", Target(CPU))
    preview = open_preview(tmp_path / "small", Target(CPU), like=large)
    assert (preview.image_size, preview.latent_shape) == (large.image_size, large.latent_shape)
    latents = large.encode(pixels)
    assert preview.decode(latents).shape == pixels.shape
    torch.testing.assert_close(preview.decode(latents), small.decode(latents).sample)  # neither scaled nor shifted


@pytest.mark.parametrize(("channels", "stages", "got"), [(16, 3, "16 channels and 4 px"), (4, 4, "4 channels and 8")])
def test_a_preview_of_other_latents_is_refused(refused, channels, stages, got, tmp_path):
    saved(kl, tmp_path / "large")
    saved(lambda: tiny(channels, stages), tmp_path / "small")
    large = Autoencoder.open(tmp_path / "large", Target(CPU))
    with refused(ModelError, "other latents", got):
        open_preview(tmp_path / "small", Target(CPU), like=large)


def test_it_computes_on_the_device_it_was_given_whatever_waits_elsewhere(tiny_model):
    """Offloaded weights lie on the `meta` device until they are needed; latents must not go there."""
    from diffusers import AutoencoderKL

    network = AutoencoderKL.from_pretrained(tiny_model / "diffusion" / "vae", low_cpu_mem_usage=False)
    whole = Autoencoder(network, device=CPU)
    expected = whole.decode(torch.zeros(1, *whole.latent_shape))
    network.encoder.to("meta")
    assert next(network.parameters()).is_meta
    again = Autoencoder(network, device=CPU).sized(whole.latent_shape)
    torch.testing.assert_close(again.decode(torch.zeros(1, *whole.latent_shape)), expected)
    assert again.device.type == "cpu"
