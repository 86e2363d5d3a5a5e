"""The tokenizer: CLIP's own byte-pair scheme with a vocabulary learned from the pocket world's captions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from thoughtspace.datasets import captions, world

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

SENTENCES = 20_000
START, END = "<|startoftext|>", "<|endoftext|>"
PAD = "!"
"""Padding is the first token, id 0, as in open_clip: the end token must stay the last and highest one of a text."""


def build_tokenizer(folder: Path, *, vocabulary: int, context: int) -> CLIPTokenizer:
    """Learn merges from captions and write `vocab.json`, `merges.txt` and the configuration into `folder`.

    Common words become one token; anything else is spelled in pieces, so no text is unknown.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    alphabet = _byte_alphabet()
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    learner.train_from_iterator(_sentences(), trainer)
    merges = [tuple(merge) for merge in json.loads(learner.to_str())["model"]["merges"]]
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *("".join(merge) for merge in merges), START, END]
    vocab = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, pad_token=PAD, model_max_length=context)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tokenizer


def encode(tokenizer: Any, texts: Sequence[str], *, context: int) -> Tensor:
    """`(n, longest)` ids, padded to the longest text of the batch: attention is causal, padding changes nothing."""
    ids = tokenizer(list(texts), padding="longest", truncation=True, max_length=context, return_tensors="pt")
    return torch.as_tensor(ids["input_ids"])


def _sentences() -> Iterable[str]:
    generator = np.random.default_rng(0)
    yield from captions.vocabulary() * 20
    for scene in world.sample(SENTENCES, "train"):
        yield captions.caption(scene, generator).text


def _byte_alphabet() -> list[str]:
    """The 256 printable stand-ins for bytes of GPT-2 and CLIP, `!` first."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    extra = [256 + i for i in range(256 - len(printable))]
    return [chr(code) for code in (*printable, *extra)]
