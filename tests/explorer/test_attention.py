"""Attention interpolation: its ends, its formula on one layer, its records, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from thoughtspace.explorer.diffusion.attention import attention_layers
from thoughtspace.explorer.diffusion.interpolation import attend, interpolated
from thoughtspace.explorer.diffusion.loop import noise_for, seeded
from thoughtspace.explorer.errors import Cancelled, ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.options import Decoding
from thoughtspace.explorer.records.provenance import pixel_hash
from thoughtspace.explorer.spaces.between import render_between, render_between_again

MODES = ("inner", "outer", "fused")
STOPS = ("a red fox", "a blue hat", "a sad king")
SCALE = 8**-0.5


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def keys_values(seed):
    return random(3, 2, 5, 8, seed=seed), random(3, 2, 5, 8, seed=seed + 100)


QUERY, OWN, LEFT, RIGHT = random(3, 2, 7, 8), keys_values(1), keys_values(2), keys_values(3)
T = torch.tensor([0.0, 0.3, 1.0])


def softmax_attention(query, keys, values):
    return (query @ keys.transpose(-1, -2) * SCALE).softmax(-1) @ values


@pytest.mark.parametrize("mode", MODES)
def test_equal_keys_and_values_make_every_mode_plain_attention(mode):
    plain = softmax_attention(QUERY, *OWN)
    torch.testing.assert_close(attend(QUERY, OWN, OWN, OWN, T, mode=mode, scale=SCALE), plain, atol=1e-6, rtol=0)
    other = attend(QUERY, OWN, LEFT, RIGHT, T, mode=mode, scale=SCALE)
    assert (other - plain).abs().max() > 0.1


def test_the_ends_are_those_of_the_ends_alone():
    for mode in ("inner", "outer"):
        found = attend(QUERY, OWN, LEFT, RIGHT, T, mode=mode, scale=SCALE)
        torch.testing.assert_close(found[0], softmax_attention(QUERY, *LEFT)[0])
        torch.testing.assert_close(found[2], softmax_attention(QUERY, *RIGHT)[2])
    fused = attend(QUERY, OWN, LEFT, RIGHT, T, mode="fused", scale=SCALE)
    assert (fused[0] - softmax_attention(QUERY, *LEFT)[0]).abs().max() > 0.01  # its own keys count too


@pytest.mark.parametrize("mode", MODES)
def test_every_row_is_as_the_paper_writes_it(mode):
    found = attend(QUERY, OWN, LEFT, RIGHT, T, mode=mode, scale=SCALE)
    for row, t in enumerate(T.double()):
        q, (k, v), (k0, v0), (k1, v1) = QUERY[row], *((a[row], b[row]) for a, b in (OWN, LEFT, RIGHT))
        if mode == "inner":
            expected = softmax_attention(q, (1 - t) * k0 + t * k1, (1 - t) * v0 + t * v1)
        elif mode == "outer":
            expected = (1 - t) * softmax_attention(q, k0, v0) + t * softmax_attention(q, k1, v1)
        else:
            first, second = (
                softmax_attention(q, torch.cat([a, k], dim=1), torch.cat([b, v], dim=1))
                for a, b in ((k0, v0), (k1, v1))
            )
            expected = (1 - t) * first + t * second
        torch.testing.assert_close(found[row], expected, atol=1e-6, rtol=1e-6)


def pixels(explorer, values, seed, guidance):
    """Pictures of prompts in one batch, before they are rounded, each from the same noise."""
    points = explorer.prompt.points(values)
    return explorer.decode(points, seed=seed, steps=4, guidance=guidance, batch=len(values)).pixels


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("mode", MODES)
def test_at_an_end_a_frame_is_the_end_decoded_plainly(tiny_explorer, mode, guidance):
    left, right = tiny_explorer.prompt.text(*STOPS[:2]).values
    plain = pixels(tiny_explorer, torch.stack([left, right]), 5, guidance)
    frames = torch.stack([left, (left + right) / 2, right, left, right])
    with interpolated(tiny_explorer.model.denoiser, torch.tensor([0.0, 0.5, 1.0, 0.0, 1.0]), mode=mode):
        found = pixels(tiny_explorer, frames, 5, guidance)
    torch.testing.assert_close(found[[0, 2]], plain, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[[3, 4]], plain, atol=1e-5, rtol=1e-5)
    # Negative control: in the middle it is neither an end nor the plain picture of the point in the middle.
    alone = pixels(tiny_explorer, frames[1:2], 5, guidance)
    for other in (alone[0], *plain):
        assert (found[1] - other).abs().max() > 1e-4


def test_guidance_keeps_each_side_to_itself(tiny_explorer):
    """ε_u + g(ε_c - ε_u) of the two sides evaluated apart, each with its own ends."""
    denoiser, values = tiny_explorer.model.denoiser, tiny_explorer.prompt.text(*STOPS).values[[2, 0, 1]]
    conditioning = denoiser.conditioning(seeded([0] * 3), prompts=values, negative="a cat")
    x, t = noise_for([5, 5, 5], denoiser.latent_shape), torch.tensor(500)
    with interpolated(denoiser, torch.tensor([0.4, 0.0, 1.0]), mode="inner"):
        together = denoiser.predict(torch.cat([x, x]), t, conditioning.both)
        apart = torch.cat([denoiser.predict(x, t, side) for side in (conditioning.negative, conditioning.positive)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)
    assert (together[:3] - together[3:]).abs().max() > 1e-4


@pytest.mark.parametrize("mode", MODES)
def test_a_layer_of_the_network_computes_the_formula(tiny_explorer, mode):
    unet = tiny_explorer.model.denoiser.unet
    layer = next(each for each in attention_layers(unet).values() if each.is_cross_attention)
    places = random(4, 9, layer.to_q.in_features).float()
    states = random(4, 6, layer.to_k.in_features, seed=1).float()
    t = torch.tensor([0.2, 0.7, 0.0, 1.0])
    with torch.inference_mode():
        with interpolated(tiny_explorer.model.denoiser, t, mode=mode):
            found = layer(places, encoder_hidden_states=states)
        q, k, v = (
            each.reshape(4, -1, layer.heads, each.shape[-1] // layer.heads).transpose(1, 2)
            for each in (layer.to_q(places), layer.to_k(states), layer.to_v(states))
        )
        for row, at in enumerate(t):
            one = [(k[row], v[row])] if mode == "fused" else []

            def alone(keys, values, q=q[row]):
                return functional.scaled_dot_product_attention(q[None], keys[None], values[None])[0]

            def beside(end, one=one):
                return tuple(torch.cat([end[side], *(pair[side] for pair in one)], dim=1) for side in (0, 1))

            ends = (k[2], v[2]), (k[3], v[3])
            if mode == "inner":
                out = alone(*((1 - at) * a + at * b for a, b in zip(*ends, strict=True)))
            else:
                out = (1 - at) * alone(*beside(ends[0])) + at * alone(*beside(ends[1]))
            expected = layer.to_out[0](out.transpose(0, 1).flatten(1))
            torch.testing.assert_close(found[row], expected, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module", params=MODES)
def walk(request, tiny_explorer):
    return tiny_explorer.walk(
        list(STOPS), frames=6, space="prompt", spacing="uniform", steps=2, seed=4, attention=request.param
    )


def test_a_walk_leads_from_stop_to_stop(tiny_explorer, walk):
    plain = tiny_explorer.decode(tiny_explorer.prompt.text(*STOPS), seed=4, steps=2)
    for frame, stop in ((0, 0), (5, 2)):
        a, b = (np.asarray(each, dtype=int) for each in (walk.images[frame], plain[stop]))
        assert np.abs(a - b).max() <= 1
    unmixed = tiny_explorer.walk(list(STOPS), frames=6, space="prompt", spacing="uniform", steps=2, seed=4)
    assert pixel_hash(unmixed.images.pictures) != pixel_hash(walk.images.pictures)


def test_a_walk_and_each_of_its_frames_can_be_made_again(tiny_explorer, walk, tmp_path):
    walk.save(tmp_path / "walk.gif")
    again = tiny_explorer.replay(tmp_path / "walk.gif")
    assert again.identical
    assert again.provenance.record["path"]["attention"] in MODES
    for file in walk.images.save(tmp_path / "frames"):
        assert tiny_explorer.replay(file).identical


def test_a_frame_is_made_again_with_its_own_ends(tiny_explorer, walk):
    """Negative control: another place, mode or end is another picture."""
    kept = walk.images.provenances[1].record
    frame = {"how": Decoding(seed=4, steps=2, guidance=2.0), "batch": kept["batch"]}
    mode, others = kept["attention"]["mode"], walk.images.provenances[4].record["attention"]

    def again(**changed):
        (picture,) = render_between_again(
            tiny_explorer.prompt, walk.path.points[1], attention={**kept["attention"], **changed}, **frame
        )
        return pixel_hash([picture])

    assert again() == kept["pixels"]
    assert again(t=0.9) != kept["pixels"]
    assert again(ends=others["ends"]) != kept["pixels"]
    assert again(mode=next(each for each in MODES if each != mode)) != kept["pixels"]


def test_many_frames_take_several_batches(tiny_explorer):
    walked = tiny_explorer.walk(list(STOPS), frames=7, space="prompt", spacing="uniform", steps=1, attention="inner")
    parts = render_between(tiny_explorer.prompt, walked.path, Decoding(steps=1, batch=4), mode="inner")
    assert [each.record["batch"]["row"] for each in parts.provenances] == [0, 1, 0, 0, 1, 0, 1]
    whole = np.stack([np.asarray(each, dtype=int) for each in walked.images])
    assert np.abs(whole - np.stack([np.asarray(each, dtype=int) for each in parts])).max() <= 1


def test_equal_steps_and_the_joint_space(tiny_explorer, tmp_path):
    equal = tiny_explorer.walk(list(STOPS[:2]), frames=4, space="prompt", steps=1, attention="outer")
    assert len(equal.images) == 4
    joint = tiny_explorer.walk(list(STOPS[:2]), frames=4, spacing="uniform", steps=2, attention="fused")
    plain = tiny_explorer.walk(list(STOPS[:2]), frames=4, spacing="uniform", steps=2)
    assert pixel_hash(joint.images.pictures) != pixel_hash(plain.images.pictures)
    joint.save(tmp_path / "joint.gif")
    assert tiny_explorer.replay(tmp_path / "joint.gif").identical
    assert tiny_explorer.replay(joint.images[1:2].save(tmp_path / "frame.png")[0]).identical


def test_processors_are_back_whatever_happens(tiny_explorer):
    unet = tiny_explorer.model.denoiser.unet
    before = dict(unet.attn_processors)

    def stop(ticks, *, total, desc):
        for tick in ticks:
            assert unet.attn_processors != before
            yield tick
            raise Cancelled

    with pytest.raises(Cancelled):
        tiny_explorer.walk(list(STOPS), frames=4, space="prompt", attention="inner", progress=stop)
    assert unet.attn_processors == before


@pytest.mark.parametrize("space", ["noise", "latent"])
def test_spaces_whose_points_do_not_guide_have_no_attention_to_interpolate(refused, tiny_explorer, space, pictures):
    ours = tiny_explorer.space(space)
    points = ours.draw(1, 2) if space == "noise" else ours.image(*pictures[:2])
    with refused(SpaceError, "attention", "'inner'", f"{space} space", "the space 'prompt'"):
        tiny_explorer.walk(points, frames=3, attention="inner")


def test_modes_batches_seeds_and_records_out_of_range_are_refused(refused, tiny_explorer, walk):
    with refused(ModelError, "attention", "'middle'", "inner, outer, fused"):
        tiny_explorer.walk(list(STOPS), frames=3, space="prompt", attention="middle")
    with refused(ModelError, "batch", "batch 2", "at least 3"):
        render_between(tiny_explorer.prompt, walk.path, Decoding(batch=2), mode="inner")
    with refused(SpaceError, "seed", "6 seeds"):
        render_between(tiny_explorer.prompt, walk.path, Decoding(seed=[1, 2, 3, 4, 5, 6]), mode="inner")
    kept = walk.images.provenances[1].record
    point, ends = walk.path.points[1], kept["attention"]
    for row, attention, fact in ((3, ends, "row 3 of a batch of 4"), (0, {**ends, "t": 1.5}, "place 1.5")):
        batch = {"size": 4, "row": row}
        with refused(ModelError, "record", fact):
            render_between_again(tiny_explorer.prompt, point, Decoding(seed=4), batch=batch, attention=attention)


def test_a_batch_too_large_for_the_ends_halves_itself(tiny_model, monkeypatch, tmp_path):
    explorer = Explorer.open(tiny_model, device="cpu")
    decode = explorer.model.autoencoder.decode

    def small(latents):
        if len(latents) > 4:
            raise torch.OutOfMemoryError("out of memory")
        return decode(latents)

    monkeypatch.setattr(explorer.model.autoencoder, "decode", small)
    walk = explorer.walk(["a face", "a hat"], 8, space="prompt", attention="outer", spacing="uniform", steps=1)
    assert {image.record["batch"]["size"] for image in walk.images.provenances} == {4}
    walk.save(tmp_path / "walk.gif")
    assert explorer.replay(tmp_path / "walk.gif").identical
