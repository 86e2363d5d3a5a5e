"""Layers of image towers compared, in Python and by the command."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from thoughtspace.analysis.comparison.layers import compare_layers
from thoughtspace.analysis.comparison.of_layers import compare_models
from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.models.layers import layers_of_pictures


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers") / "pictures"
    folder.mkdir()
    for index in range(16):
        small = np.random.default_rng(index).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(small).resize((32, 32)).save(folder / f"{index:02}.png")
    return folder


def test_layers_are_the_blocks_of_the_image_tower(tiny_explorer, pictures, refused):
    clip, files = tiny_explorer.model.clip, sorted(pictures.iterdir())
    found = layers_of_pictures(clip, files)
    assert torch.equal(found["vector"], clip.encode_images(files).cpu())
    blocks = clip.network.visual.transformer.resblocks
    names = list(found)[:-1]
    assert names[-len(blocks) :] == [f"visual.transformer.resblocks.{row}" for row in range(len(blocks))]
    assert not any(name.startswith("transformer") for name in names)  # those of the text tower
    states: list[torch.Tensor] = []
    hook = blocks[0].register_forward_hook(lambda module, inputs, output: states.append(output.mean(1)))
    clip.encode_images(files)
    hook.remove()
    torch.testing.assert_close(found["visual.transformer.resblocks.0"], states[0].float().cpu())
    assert not blocks[0]._forward_hooks
    bare = SimpleNamespace(network=nn.Linear(2, 2), encode_images=lambda pictures: torch.zeros(len(pictures), 2))
    with refused(ModelError, "no layers", "Linear"):
        layers_of_pictures(bare, files)


def test_a_model_is_not_compared_with_itself_layer_for_layer(tiny_explorer, pictures):
    by = partial(compare_layers, n_null=19)
    found = compare_models(tiny_explorer, None, sorted(pictures.iterdir()), by=by)
    assert found.same
    first, second = found.best
    assert first != second
    values = found.comparison.values
    np.testing.assert_allclose(np.diag(values), 1, atol=1e-6)
    assert found.largest.value == values[~np.eye(len(values), dtype=bool)].max()
    twice = compare_models(tiny_explorer, tiny_explorer, sorted(pictures.iterdir()), by=by)
    assert twice.largest.value == pytest.approx(1)
    assert twice.largest.p_value == 0.05


def test_the_command(pictures, tiny_model, tmp_path, capsys):
    page = tmp_path / "layers.html"
    how = ["compare", str(pictures), "--layers", "--model", str(tiny_model), "--null", "9"]
    assert main([*how, "--measure", "rsa", "--plot", str(page), "--most", "12", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["measure"], told["n"], told["failed"]) == ("rsa", 12, [])
    assert np.shape(told["values"]) == tuple(len(each) for each in told["layers"])
    assert told["layers"][0][-1] == "vector"
    assert told["largest"]["n_null"] == 9
    assert "plotly" in page.read_text(encoding="utf-8")
    assert main(how) == 0
    assert "largest of shuffled" in capsys.readouterr().out
    for arguments, fact in (
        ([*how, "--space", "joint"], "--layers with"),
        ([*how, "--model", str(tiny_model), "--model", "pocket"], "three models"),
        (["compare", str(pictures), "--measure", "rsa"], "without --layers"),
    ):
        assert main(arguments) == 2
        assert fact in capsys.readouterr().err
