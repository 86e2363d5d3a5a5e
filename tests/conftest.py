"""Fixtures for all tests: a randomly initialised model in the formats of a real one, and pictures to feed it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from thoughtspace.explorer.errors import ThoughtspaceError

if TYPE_CHECKING:
    from thoughtspace.explorer.explorer import Explorer

SIZE, PATCH, WIDTH, DIM, CONTEXT = 64, 8, 64, 64, 24
WORDS = (
    *(
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "with",
        "and",
        "red",
        "green",
        "blue",
        "fox",
        "cat",
        "face",
        "smiling",
        "sad",
    ),
    *("hair", "hat", "man", "woman", "king", "queen", "mountain"),
)


@pytest.fixture(scope="session")
def refused() -> Callable[..., AbstractContextManager[Any]]:
    """`with refused(ModelError, "steps", "0"): ...`: the block raises this kind of error with this code.

    The kind and the code are compared exactly, so that another mistake does not pass for this one. The message is one
    line, and has each of the facts in it. `as caught` gives the error, as `pytest.raises` does.
    """

    @contextmanager
    def check(kind: type[ThoughtspaceError], code: str, *facts: str) -> Iterator[Any]:
        with pytest.raises(ThoughtspaceError) as caught:
            yield caught
        error, message = caught.value, str(caught.value)
        assert (type(error), error.code) == (kind, code), message
        assert len(message.splitlines()) == 1
        assert [fact for fact in facts if fact not in message] == [], message

    return check


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the pocket model's, made in a second or two: `clip/` and `diffusion/`, weights random but fixed.

    Its pictures mean nothing, yet they depend on the prompt, the joint vector, the seed and every option.
    """
    folder = tmp_path_factory.mktemp("models") / "tiny"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clip = _write_clip(folder / "clip")
        _write_diffusion(folder / "diffusion", clip, folder / "clip")
    return folder


@pytest.fixture(scope="session")
def tiny_explorer(tiny_model: Path) -> Explorer:
    """The tiny model, opened once on the CPU."""
    from thoughtspace.explorer.explorer import Explorer

    return Explorer.open(tiny_model, device="cpu")


@pytest.fixture(scope="session")
def few_step_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with few-step weights, random but fixed, for 3 steps at guidance 1."""
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file

    from thoughtspace.explorer.training.few_steps import Lora

    folder = tmp_path_factory.mktemp("few") / "model"
    shutil.copytree(tiny_model, folder)
    unet = UNet2DConditionModel.from_pretrained(folder / "diffusion" / "unet")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        lora = Lora(unet, rank=20)  # more than the channels of its first and its last layer
        for name, each in lora.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(each, std=0.04)
    (folder / "diffusion" / "few_steps").mkdir()
    weights = {f"unet.{name.replace('/', '.')}": each.half() for name, each in lora.state_dict().items()}
    save_file(weights, folder / "diffusion" / "few_steps" / "pytorch_lora_weights.safetensors")
    options = {"steps": 4, "guidance": 2.0, "few_steps": {"steps": 3, "guidance": 1.0}}
    (folder / "diffusion" / "thoughtspace.json").write_text(json.dumps(options))
    return folder


@pytest.fixture(scope="session")
def few_step_explorer(few_step_model: Path) -> Explorer:
    """The tiny model with few-step weights, opened once on the CPU."""
    from thoughtspace.explorer.explorer import Explorer

    return Explorer.open(few_step_model, device="cpu")


@pytest.fixture(scope="module")
def fits_in_this_process() -> Iterator[None]:
    """`map` and `demo` fit in this process, which compiles what a map needs once, and not in new ones.

    The process of their own is tested in tests/analysis/test_projection.py, and with `demo` in tests/benchmarks/.
    """
    from thoughtspace import analysis
    from thoughtspace.analysis.projection.methods import method_of

    class Here(analysis.FitProcess):
        def __init__(self, method: Any = "umap", *, random_state: int | None = 0) -> None:
            method_of(method)

        def fit(self, *arguments: Any, **options: Any) -> Any:
            return analysis.fit_projection(*arguments, **options)

        def close(self) -> None:
            """There is nothing to kill."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis, "FitProcess", Here)
        yield


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Eight 64 px pictures, all different: a coloured disc before a coloured ground."""
    rng = np.random.default_rng(0)
    ys, xs = np.mgrid[:SIZE, :SIZE]
    made = []
    for ground, disc in rng.integers(0, 256, size=(8, 2, 3)):
        x, y, radius = rng.integers(16, 48, size=3)
        inside = ((xs - x) ** 2 + (ys - y) ** 2 < (radius / 2) ** 2)[..., None]
        made.append(Image.fromarray(np.where(inside, disc, ground).astype(np.uint8)))
    return made


def _write_tokenizer(folder: Path) -> int:
    """CLIP's byte-level BPE with a vocabulary of a few hundred; the padding is no end token. Returns its size."""
    from transformers import CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    tokens = ["<|pad|>", *letters, *(letter + "</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        whole, *rest = [*word[:-1], word[-1] + "</w>"]
        for piece in rest:
            if (whole, piece) not in merges:
                merges.append((whole, piece))
                tokens.append(whole + piece)
            whole += piece
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = CLIPTokenizer(vocabulary, merges, pad_token="<|pad|>", model_max_length=CONTEXT)
    tokenizer.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    return len(vocabulary)


def _write_clip(folder: Path) -> torch.nn.Module:
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    vocabulary_size = _write_tokenizer(folder)
    config = {
        "embed_dim": DIM,
        "vision_cfg": {"image_size": SIZE, "patch_size": PATCH, "width": WIDTH, "head_width": 32, "layers": 2},
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": vocabulary_size,
            "hf_tokenizer_name": "local",  # any name: a local-dir model takes the files beside its config
            "width": WIDTH,
            "heads": 2,
            "layers": 2,
        },
    }
    clip = open_clip.CLIP(**config).eval()
    save_file(clip.state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))

    with torch.no_grad():
        images = clip.encode_image(torch.randn(64, 3, SIZE, SIZE))
        texts = clip.encode_text(torch.randint(1, vocabulary_size - 2, (64, CONTEXT)))
    reference = {
        "mean_image": torch.nn.functional.normalize(images, dim=-1).mean(0),
        "mean_text": torch.nn.functional.normalize(texts, dim=-1).mean(0),
        "norm": images.norm(dim=-1).mean(),
    }
    save_file(reference, folder / "reference.safetensors")
    return clip


def _write_diffusion(folder: Path, clip: torch.nn.Module, clip_folder: Path) -> None:
    import diffusers
    from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer
    from transformers import CLIPImageProcessor, CLIPTokenizer

    from thoughtspace.explorer.training import towers as convert

    tokenizer = CLIPTokenizer.from_pretrained(clip_folder)
    autoencoder = diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 16, 16, 32),
        latent_channels=16,
        norm_num_groups=4,
        scaling_factor=0.7,
        sample_size=SIZE,
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=SIZE // 8,
        in_channels=16,
        out_channels=16,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=8,
        cross_attention_dim=WIDTH,
        class_embed_type="projection",
        projection_class_embeddings_input_dim=2 * DIM,
    )
    normalizer = StableUnCLIPImageNormalizer(embedding_dim=DIM)
    normalizer.mean.data.normal_(std=0.1)
    normalizer.std.data.uniform_(0.5, 1.5)
    schedule = {"beta_schedule": "squaredcos_cap_v2"}
    pipeline = diffusers.StableUnCLIPImg2ImgPipeline(
        feature_extractor=CLIPImageProcessor(
            size={"shortest_edge": SIZE}, crop_size=SIZE, image_mean=[0.5] * 3, image_std=[0.5] * 3
        ),
        image_encoder=convert.vision_model(clip),
        image_normalizer=normalizer,
        image_noising_scheduler=diffusers.DDPMScheduler(**schedule),
        tokenizer=tokenizer,
        text_encoder=convert.text_model(clip, tokenizer),
        unet=unet.eval(),
        scheduler=diffusers.DDIMScheduler(
            **schedule,
            prediction_type="v_prediction",
            clip_sample=False,
            set_alpha_to_one=False,
            timestep_spacing="trailing",
            rescale_betas_zero_snr=True,
        ),
        vae=autoencoder.eval(),
    )
    pipeline.save_pretrained(folder)
    (folder / "thoughtspace.json").write_text(json.dumps({"steps": 4, "guidance": 2.0}))
