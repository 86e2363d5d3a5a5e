"""Ordinary pictures are resized as the libraries do it; of thin ones only the middle is, in bounded memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch
from PIL import Image, ImageOps

from thoughtspace.explorer.models.placement import Target
from thoughtspace.explorer.models.thin_pictures import MOST, middle

SIZES = [(64, 64), (65, 64), (40, 30), (63, 200), (500, 333), (130, 1031), (90, 9), (1, 1), (64 * MOST, 64)]


def picture_of(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise((max(2, size[0]), max(2, size[1])), 90).crop((0, 0, *size)).convert("RGB")


def test_ordinary_pictures_are_what_the_libraries_make_of_them(tiny_explorer, tiny_model):
    """Bit for bit, by open_clip's own preprocessing, by that of transformers, and by Pillow's fit."""
    import open_clip
    from transformers import CLIPImageProcessor

    from thoughtspace.explorer.models.find.parts import Towers
    from thoughtspace.explorer.models.transformers_clip import TransformersClip

    pictures, size = [picture_of(size) for size in SIZES], tiny_explorer.model.autoencoder.image_size
    _, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tiny_model / 'clip'}")
    clip = tiny_explorer.model.clip
    with torch.inference_mode():
        theirs = clip.network.encode_image(torch.stack([preprocess(picture) for picture in pictures]))
        assert torch.equal(clip.encode_images(pictures), theirs)

        towers = Towers("image_encoder", "feature_extractor")
        tower = TransformersClip.open(tiny_model / "diffusion", towers, Target(torch.device("cpu")))
        processor = CLIPImageProcessor.from_pretrained(tiny_model / "diffusion" / "feature_extractor")
        seen = processor(images=pictures, return_tensors="pt").pixel_values
        assert torch.equal(tower.encode_images(pictures), tower.network(seen).image_embeds)
        thin = picture_of((1001, 3))
        assert torch.equal(tower.encode_images([thin]), tower.encode_images([middle(thin)]))
        whole = tower.network(processor(images=[thin], return_tensors="pt").pixel_values).image_embeds
        assert not torch.equal(tower.encode_images([thin]), whole), "negative control"

    fitted = np.stack([ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC) for picture in pictures])
    ours = tiny_explorer.model.autoencoder.pixels(pictures)
    assert torch.equal(ours, torch.from_numpy(fitted).permute(0, 3, 1, 2).float() / 127.5 - 1)


def test_thin_pictures_lose_what_is_far_from_their_middle():
    for size in SIZES:
        picture = picture_of(size)
        assert middle(picture) is picture
    wide = Image.fromarray(np.tile((np.arange(3001) % 251).astype(np.uint8), (3, 1)))
    cut = np.asarray(middle(wide))
    assert cut.shape == (3, 49)
    np.testing.assert_array_equal(cut, np.asarray(wide)[:, 1476:1525])
    np.testing.assert_array_equal(np.asarray(middle(wide.transpose(Image.Transpose.TRANSPOSE))), cut.T)


def test_a_thin_picture_shows_what_it_would_whole(tiny_explorer):
    """The library's own way on a thin picture that it can still take; its scale differs by less than a pixel in all."""
    x = np.linspace(0, 60, 40 * 61)
    wave = np.stack([128 + 100 * np.sin(x), 128 + 100 * np.cos(x), 128 + 90 * np.sin(2 * x)], -1).astype(np.uint8)
    thin = Image.fromarray(np.repeat(wave[None], 40, 0))
    clip = tiny_explorer.model.clip
    whole, cut = clip._preprocess(thin), clip._preprocess(middle(thin))
    assert (whole - cut).abs().max() < 0.03
    elsewhere = clip._preprocess(thin.crop((0, 0, 640, 40)))
    assert (whole - elsewhere).abs().max() > 0.3, "negative control"


LIMITED = """
import resource, sys
from pathlib import Path
import torch
from PIL import Image
torch.set_num_threads(1)
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.models import open_clip

joint = Explorer.open(sys.argv[1], device="cpu").joint
red = joint.image(Image.new("RGB", (64, 64), "red")).values
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 256 * 2**20,) * 2)
for size in ((400_000, 1), (1, 400_000), (60_000, 1)):
    assert torch.equal(joint.image(Image.new("RGB", size, "red")).values, red), size
open_clip.middle = lambda picture, most: picture
try:
    joint.image(Image.new("RGB", (400_000, 1), "red"))
except MemoryError:
    print("fits, and would not whole")
"""


def test_a_line_of_400_000_pixels_needs_little_memory(tiny_model):
    """At most 256 MB beyond what the model takes; negative control: not so when the line is enlarged whole."""
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tiny_model)], capture_output=True, text=True)
    assert done.stdout == "fits, and would not whole\n", done.stderr


def test_an_autoencoder_of_its_own_takes_thin_pictures_too(tiny_explorer):
    autoencoder = tiny_explorer.model.autoencoder
    line = autoencoder.pixels([Image.new("RGB", (400_000, 1), "red")])
    assert torch.equal(line, autoencoder.pixels([Image.new("RGB", (9, 9), "red")]))
