"""Heat maps of joint attention against diffusers' own pipelines, whose attention is overheard where torch computes it.

Free concepts against the authors' way to compute them: a second call of the block's own attention, in which the
concepts take the prompt's place, and whose answer to the picture is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional

from thoughtspace.explorer.diffusion import recording
from thoughtspace.explorer.diffusion.concepts import encoded_concepts
from thoughtspace.explorer.diffusion.joint_attention import joint_layers
from thoughtspace.explorer.errors import ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.records.provenance import pixel_hash

from .conftest import TOKENS, flux, stable_diffusion_35, unmodified

SIDE, PLACES, STEPS, PROMPT, TOLERANCE = 64, 16, 2, "a red fox with a blue hat", 1e-5
CONCEPTS = ("fox", "hat", "face")

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2


@dataclass(frozen=True)
class Kind:
    """A family, and where the oracle finds the tokens in its attention.

    Attributes:
        make: of a tokenizer, a pipeline with several blocks.
        streams: blocks with two streams; the first in the order of computation.
        tokens: of a prompt.
        first: whether the tokens are before the places.
        rows: of the concepts' tokens in their states.
    """

    make: Callable[[Any], Any]
    streams: int
    tokens: int
    first: bool
    rows: dict[str, list[int]]

    def split(self, x: torch.Tensor, dim: int, tokens: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens and places."""
        tokens = self.tokens if tokens is None else tokens
        parts = x.split([tokens, PLACES] if self.first else [PLACES, tokens], dim=dim)
        return parts if self.first else (parts[1], parts[0])


def medium(tokenizer: Any) -> Any:
    """SD 3.5 medium's parts: normed queries and keys, a second attention to the picture alone, patches of 2 × 2."""
    made = stable_diffusion_35(tokenizer)
    changed = {"num_layers": 3, "patch_size": 2, "qk_norm": "rms_norm", "dual_attention_layers": (0, 1)}
    made.register_modules(transformer=made.transformer.from_config({**made.transformer.config, **changed}))
    return made


def dev(tokenizer: Any) -> Any:
    made = flux(tokenizer)
    changed = {"num_layers": 3, "num_single_layers": 2}
    made.register_modules(transformer=made.transformer.from_config({**made.transformer.config, **changed}))
    return made


def spelled(start: int) -> dict[str, list[int]]:
    """The T5 of these tests reads letters."""
    return {word: list(range(start, start + len(word))) for word in CONCEPTS}


KINDS = {
    "medium": Kind(medium, 3, TOKENS + 256, False, {word: [1, *rows] for word, rows in spelled(TOKENS).items()}),
    "dev": Kind(dev, 3, 512, True, spelled(0)),
}


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def folder(kind, tiny_model, tmp_path_factory) -> Path:
    where = tmp_path_factory.mktemp("deep") / kind.make.__name__
    with torch.random.fork_rng():
        torch.manual_seed(1)
        kind.make(transformers.CLIPTokenizer.from_pretrained(tiny_model / "clip")).save_pretrained(where)
    return where


@pytest.fixture(scope="module")
def explorer(folder) -> Explorer:
    return Explorer.open(folder, device="cpu")


@pytest.fixture(scope="module")
def pipeline(folder) -> Any:
    return unmodified(folder)


@contextmanager
def overheard(keys: int) -> Iterator[list[tuple[torch.Tensor, ...]]]:
    """Queries, keys and the answer of every attention with so many keys, of the row that sees the prompt."""
    plain, heard = functional.scaled_dot_product_attention, []

    def listening(query: Any, key: Any, value: Any, *rest: Any, **options: Any) -> Any:
        out = plain(query, key, value, *rest, **options)
        if key.shape[2] == keys:
            heard.append(tuple(each[-1].clone() for each in (query, key, out)))
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "scaled_dot_product_attention", listening)
        yield heard


def made_by(pipeline: Any, guidance: float, output: str = "pil") -> Any:
    return pipeline(
        prompt=PROMPT,
        height=SIDE,
        width=SIDE,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(3),
        output_type=output,
    ).images[0]


def mapped(explorer: Explorer, guidance: float = 4.0, **how: Any) -> Any:
    return explorer.heat_maps(PROMPT, seed=3, steps=STEPS, guidance=guidance, **how)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_the_words_are_read_as_the_pipeline_reads_them(kind, explorer, pipeline, guidance):
    with overheard(kind.tokens + PLACES) as heard:
        made_by(pipeline, guidance)
    ours = mapped(explorer, guidance)
    assert len(heard) == STEPS * len(ours.layers)
    assert (len(ours.tokens), ours.size) == (kind.tokens, (8, 8))
    for at, layer in enumerate(ours.layers):
        expected, read_of_places = [], []
        for query, key, _ in heard[at :: len(ours.layers)]:
            whole = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
            tokens, places = kind.split(kind.split(whole, 1)[1], 2)
            expected.append(tokens.transpose(1, 2))
            read_of_places.append(places.sum(2))
        rows = ours.maps[layer.name]
        torch.testing.assert_close(rows.flatten(3), torch.stack(expected), atol=TOLERANCE, rtol=0)
        # What is missing to one went to the picture's own places.
        whole = rows.sum(2).flatten(2) + torch.stack(read_of_places)
        torch.testing.assert_close(whole, torch.ones_like(whole), atol=TOLERANCE, rtol=0)
    # Negative control: the same tolerance sees another seed.
    other = explorer.heat_maps(PROMPT, seed=4, steps=STEPS, guidance=guidance)
    assert (other.maps[layer.name] - rows).abs().max() > 10 * TOLERANCE


def answers_of_the_authors(kind: Kind, pipeline: Any, guidance: float) -> list[torch.Tensor]:
    """`(places, concepts)` softmax of each block with two streams at each evaluation."""
    network, found = pipeline.transformer, []
    states = [pipeline_states(pipeline, word)[kind.rows[word]] for word in CONCEPTS]
    lengths = [len(each) for each in states]
    n, stream = sum(lengths), {}
    ids = torch.zeros(n + PLACES, 3)
    ids[n:, 1], ids[n:, 2] = (torch.arange(4).repeat_interleave(4), torch.arange(4).repeat(4))

    def followed(block: Any, first: bool, forward: Any) -> Any:
        def with_concepts(hidden_states: Any, encoder_hidden_states: Any, temb: Any, **rest: Any) -> Any:
            with overheard(kind.tokens + PLACES) as plain:
                answer = forward(
                    hidden_states=hidden_states, encoder_hidden_states=encoder_hidden_states, temb=temb, **rest
                )
            x = network.context_embedder(torch.cat(states))[None] if first else stream["x"]
            seen, time = hidden_states[-1:], temb[-1:]
            turns = {"image_rotary_emb": network.pos_embed(ids)} if kind.first else {}
            last = block.attn.context_pre_only
            normed, *modulation = (block.norm1_context(x, time),) if last else block.norm1_context(x, emb=time)
            with overheard(n + PLACES) as again:
                _, out = block.attn(hidden_states=block.norm1(seen, emb=time)[0], encoder_hidden_states=normed, **turns)
            ((*_, theirs),), ((*_, own),) = plain[-1:], again
            image = kind.split(theirs, 1)[1].transpose(0, 1).flatten(1)
            concepts = kind.split(own, 1, n)[0].transpose(0, 1).flatten(1)
            means = torch.stack([each.mean(0) for each in concepts.split(lengths)])
            found.append((image @ means.T).softmax(-1))
            if not last:
                gate, shift, scale, gate_mlp = modulation
                x = x + gate[:, None] * out
                inner = block.norm2_context(x) * (1 + scale[:, None]) + shift[:, None]
                stream["x"] = x + gate_mlp[:, None] * block.ff_context(inner)
            return answer

        return with_concepts

    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        for at, block in enumerate(network.transformer_blocks):
            patch.setattr(block, "forward", followed(block, at == 0, block.forward))
        made_by(pipeline, guidance, "latent")
    return found


def pipeline_states(pipeline: Any, text: str) -> torch.Tensor:
    if isinstance(pipeline, diffusers.FluxPipeline):
        return pipeline.encode_prompt([text], None, max_sequence_length=512)[0][0]
    return pipeline.encode_prompt([text], None, None, do_classifier_free_guidance=False)[0][0]


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_free_concepts_are_those_of_the_authors(kind, explorer, pipeline, guidance):
    found = answers_of_the_authors(kind, pipeline, guidance)
    ours = mapped(explorer, guidance, concepts=CONCEPTS)
    assert ours.tokens == CONCEPTS
    assert [layer.name for layer in ours.layers] == [f"transformer_blocks.{at}.attn" for at in range(kind.streams)]
    for at, layer in enumerate(ours.layers):
        rows, expected = ours.maps[layer.name], torch.stack(found[at :: kind.streams]).transpose(1, 2)
        assert rows.shape == (STEPS, 1, len(CONCEPTS), 4, 4)
        torch.testing.assert_close(rows[:, 0].flatten(2), expected, atol=TOLERANCE, rtol=0)
        torch.testing.assert_close(rows.sum(2), torch.ones_like(rows[:, :, 0]))
    # Negative control: in another order the same maps are other rows.
    swapped = mapped(explorer, guidance, concepts=CONCEPTS[::-1])
    assert (swapped.maps[layer.name] - rows).abs().max() > 10 * TOLERANCE
    torch.testing.assert_close(swapped.of("fox"), ours.of("fox"), atol=1e-4, rtol=0)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_the_picture_is_the_pipelines_with_words_with_concepts_and_without(explorer, pipeline, guidance):
    plain = explorer.decode(explorer.prompt.text(PROMPT), seed=3, steps=STEPS, guidance=guidance)[0]
    words, concepts = mapped(explorer, guidance), mapped(explorer, guidance, concepts=CONCEPTS)
    assert pixel_hash([plain]) == pixel_hash([words.image]) == pixel_hash([concepts.image])
    first, second = (dict(each.image.info["provenance"].record, created="") for each in (words, concepts))
    assert first == second
    theirs = np.asarray(made_by(pipeline, guidance), dtype=int)
    assert np.abs(theirs - np.asarray(plain, dtype=int)).max() <= 1


def hooks(explorer: Explorer) -> int:
    network = explorer.model.denoiser.network
    return sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in network.modules())


def test_no_hook_stays_whatever_happens(explorer, monkeypatch):
    network = explorer.model.denoiser.network
    before, processors = hooks(explorer), dict(network.attn_processors)
    assert before == 0
    for concepts in ((), CONCEPTS):
        mapped(explorer, concepts=concepts)
        assert hooks(explorer) == 0

        def broken(*_: Any, **__: Any) -> None:
            assert hooks(explorer) > 0
            raise RuntimeError("in the middle")

        with monkeypatch.context() as patch:
            patch.setattr(network.norm_out, "forward", broken)
            with pytest.raises(RuntimeError, match="in the middle"):
                mapped(explorer, concepts=concepts)
        assert hooks(explorer) == 0
    assert dict(network.attn_processors) == processors


def test_a_token_that_one_corner_reads_is_hot_in_that_corner_alone(kind, explorer, monkeypatch):
    """Queries of the first place, which no rotation turns, and keys of one word set by hand, in the first layer."""
    facts = explorer.model.denoiser.facts
    name, attention = next(iter(joint_layers(explorer.model.denoiser.network, facts.joint_attention).items()))
    where = explorer.heat_maps(PROMPT, steps=1).indices("fox")

    def plant(part: str, rows: torch.Tensor) -> None:
        monkeypatch.setattr(getattr(attention, part), "forward", lambda states: rows.expand(len(states), *rows.shape))

    def heat() -> torch.Tensor:
        return explorer.heat_maps(PROMPT, steps=1, keep=()).maps[name][0, 0, where].sum(0)

    queries, keys = torch.zeros(PLACES, attention.to_q.out_features), torch.zeros(kind.tokens, 32)
    queries[0], keys[where] = 9.0, 9.0
    before = heat()
    plant("to_q", queries)
    plant("add_k_proj", keys)
    after = heat()
    assert after.shape == (4, 4)
    assert after[0, 0] > 5 * after.flatten()[1:].max()
    # Negative control: neither the model as it was nor a query of another place is hot there.
    assert before[0, 0] < 2 * before.mean()
    plant("to_q", queries.roll(1, 0))
    assert heat().argmax() == 1


def test_a_concept_that_reads_what_one_corner_reads_is_hot_in_that_corner_alone(kind, explorer, monkeypatch):
    """In the first layer the first place and one concept read that place alone; all else reads everything alike."""
    denoiser = explorer.model.denoiser
    name, attention = next(iter(joint_layers(denoiser.network, denoiser.facts.joint_attention).items()))
    lengths = encoded_concepts(denoiser, CONCEPTS).lengths
    corner, tokens = torch.zeros(PLACES, attention.to_q.out_features), sum(lengths)
    corner[0] = 9.0

    def plant(part: str, rows: torch.Tensor) -> None:
        def forward(states: torch.Tensor) -> torch.Tensor:
            given = rows if states.shape[1] == len(rows) else torch.zeros(states.shape[1], rows.shape[1])
            return given.expand(len(states), *given.shape)

        monkeypatch.setattr(getattr(attention, part), "forward", forward)

    def heat(concept: str) -> torch.Tensor:
        """Of all concepts, while one is planted: `(k, 16)`."""
        start = sum(lengths[: CONCEPTS.index(concept)])
        queries = torch.zeros(tokens, corner.shape[1])
        queries[start : start + lengths[CONCEPTS.index(concept)]] = 9.0
        plant("add_q_proj", queries)
        return explorer.heat_maps(PROMPT, steps=1, concepts=CONCEPTS).maps[name][0, 0].flatten(1)

    plant("to_q", corner)
    plant("to_k", corner)
    plant("to_v", corner - corner.mean(0))  # read alike, all places make nothing
    for part in ("add_k_proj", "add_v_proj"):
        plant(part, torch.zeros(tokens, corner.shape[1]))
    for planted in ("fox", "face"):
        maps, row = heat(planted), CONCEPTS.index(planted)
        assert maps[row, 0] > 0.99
        # Negative control: places and concepts that nothing was planted in stay even.
        torch.testing.assert_close(maps[:, 1:], torch.full((3, PLACES - 1), 1 / 3), atol=0.01, rtol=0)


def test_words_are_those_of_all_text_encoders_that_write_rows(kind, explorer):
    maps = mapped(explorer)
    rows = maps.indices("fox")
    start = PROMPT.index("fox")
    letters = range(start + (0 if kind.first else TOKENS), start + 3 + (0 if kind.first else TOKENS))
    assert rows == ([3, *letters] if not kind.first else list(letters))
    torch.testing.assert_close(maps.of("fox"), torch.stack([maps.of(row) for row in rows]).mean(0))
    assert maps.of("fox").shape == (8, 8)
    assert maps.overlay("fox").size == maps.image.size


def test_concepts_of_a_given_picture(explorer, pictures):
    maps = explorer.heat_maps(PROMPT, picture=pictures[0], concepts=CONCEPTS, steps=STEPS, seed=3)
    again = explorer.heat_maps(PROMPT, picture=pictures[0], concepts=CONCEPTS, steps=STEPS, seed=3)
    other = explorer.heat_maps(PROMPT, picture=pictures[1], concepts=CONCEPTS, steps=STEPS, seed=3)
    assert np.array_equal(np.asarray(maps.image), np.asarray(pictures[0]))
    torch.testing.assert_close(maps.of("fox"), again.of("fox"), atol=0, rtol=0)
    assert (maps.of("fox") - other.of("fox")).abs().max() > 1e-4
    assert hooks(explorer) == 0


@pytest.mark.parametrize("concepts", [(), CONCEPTS])
def test_half_precision_changes_neither_the_picture_nor_the_sum(folder, explorer, concepts):
    half = Explorer.open(folder, device="cpu", dtype=torch.bfloat16)
    plain = half.decode(half.prompt.text(PROMPT), seed=3, steps=STEPS)[0]
    maps = half.heat_maps(PROMPT, seed=3, steps=STEPS, concepts=concepts)
    assert pixel_hash([plain]) == pixel_hash([maps.image])
    full = explorer.heat_maps(PROMPT, seed=3, steps=STEPS, concepts=concepts)
    for layer in maps.layers:
        rows = maps.maps[layer.name]
        assert rows.dtype == torch.float32
        assert rows.sum(2).max() < 1 + 1e-4
        torch.testing.assert_close(rows, full.maps[layer.name], atol=0.05, rtol=0)


def test_a_network_that_is_compiled_or_shows_no_attention_is_refused(refused, explorer, monkeypatch):
    with monkeypatch.context() as patch, refused(ModelError, "compiled", "without compile"):
        patch.setattr(explorer.model.denoiser.network, "_compiled_call_impl", print)
        mapped(explorer)
    monkeypatch.setattr(recording, "tokens_read", lambda *_, **__: nullcontext())
    with refused(ModelError, "no attention", explorer.model.denoiser.facts.pipeline):
        mapped(explorer)


@pytest.mark.parametrize("concepts", [("sky",), "sky", ("sky", "sky"), ("sky", "")])
def test_a_concept_alone_twice_or_empty_is_refused(refused, explorer, concepts):
    with refused(SpaceError, "concepts"):
        explorer.heat_maps(PROMPT, concepts=concepts)


def test_a_recording_of_all_words_of_a_large_picture_is_refused(refused, explorer, monkeypatch):
    monkeypatch.setattr(recording, "MAX_BYTES", 1000)
    with refused(ModelError, "too large", "GiB"):
        mapped(explorer)
    assert hooks(explorer) == 0
