"""Captions: every sentence says what the scene shows, and nothing that it was not asked to name."""

import re

import numpy as np
import pytest

from thoughtspace.datasets import captions, world
from thoughtspace.datasets.captions import caption, full_caption, synonyms, vocabulary, word
from thoughtspace.datasets.world import FACTORS, HEADS, KINDS


def scenes(n, **options):
    return list(world.sample(n, "fresh", **options))


def described(n, kind, **options):
    rng = np.random.default_rng(1)
    return [(scene, caption(scene, rng, **options)) for scene in scenes(n, kind=kind)]


# --- A reader of sentences, written from the outside: what a sentence says, as factors.


def read(kind, text):
    return read_object(text) if kind == "object" else read_scene(kind, text)


def read_scene(kind, text):
    phrases = {}
    for factor in FACTORS[kind]:
        if factor.name in ("hair_style", "hair_color"):
            continue
        for value in factor.values:
            spoken = (*synonyms(kind, factor.name, value), *captions.ADJECTIVES.get(factor.name, {}).get(value, ()))
            phrases |= dict.fromkeys(spoken, (factor.name, value))
    said = {}
    for phrase in sorted(phrases, key=len, reverse=True):  # "no glasses" before "glasses"
        text, found = re.subn(rf"(?<!\w){re.escape(phrase)}(?!\w)", "#", text)
        if found:
            name, value = phrases[phrase]
            assert name not in said, f"{name} is said twice"
            said[name] = value
    return said | (read_hair(text) if kind == "portrait" else {})


def read_hair(text):
    if re.search(r"\b(bald head|no hair)\b", text):
        return {"hair_style": "bald"}
    said = {}
    for style, pattern in (("curly", r"\bcurl"), ("pigtails", "pigtails"), ("short", "short"), ("long", "long")):
        if re.search(pattern, text):
            said["hair_style"] = style
    found = re.search(r"(\w+) (hair|curls|pigtails)\b", text)
    return said | (color_of(found[1], "portrait", "hair_color") if found else {})


def color_of(spoken, kind, name):
    factor = next(factor for factor in FACTORS[kind] if factor.name == name)
    for value in factor.values:
        if spoken in captions.COLOR_WORDS.get(value, (value,)):
            return {name: value}
    return {}


def read_object(text):
    said = {}
    for factor in FACTORS["object"]:
        if factor.name == "background":
            for value in factor.values:
                for phrase in synonyms("object", "background", value):
                    if phrase in text:
                        said["background"] = value
                        text = re.sub(rf",? ?((on|against) )?{phrase},? ?", "", text)
    if not text:
        return said
    if re.search(r" (alone|by itself)$", text):
        return said | {"relation": "alone"} | read_thing(re.sub(r" (alone|by itself)$", "", text))
    for relation, spoken in captions.RELATIONS.items():
        for phrase in sorted(spoken, key=len, reverse=True):
            if f" {phrase} " in text:
                first, second = text.split(f" {phrase} ")
                return said | {"relation": relation} | read_thing(first) | read_second(second)
    for relation, spoken in captions.REVERSED.items():
        for phrase in sorted(spoken, key=len, reverse=True):
            if f" {phrase} " in text:
                second, first = text.split(f" {phrase} ")
                return said | {"relation": relation} | read_thing(first) | read_second(second)
    first, _, second = text.partition(" beside ")
    return said | read_thing(first) | (read_second(second) if second else {})


def read_thing(text):
    article, *words = text.split()
    assert article in ("a", "an")
    tables = {
        "size": captions.SIZES,
        "texture": captions.TEXTURES,
        "color": {value: captions.COLOR_WORDS.get(value, (value,)) for value in values("color")},
        "shape": {value: (value,) for value in values("shape")},
    }
    said = {}
    for name, table in tables.items():
        for value, phrases in table.items():
            if set(phrases) & set(words):
                said[name] = value
    return said


def read_second(text):
    names = {"shape": "second_shape", "color": "second_color"}
    return {names[name]: value for name, value in read_thing(text).items()}


def values(name):
    return next(factor.values for factor in FACTORS["object"] if factor.name == name)


# --- What must hold


@pytest.mark.parametrize("kind", KINDS)
def test_a_caption_says_what_it_names_and_nothing_else(kind):
    for scene, said in described(250, kind):
        assert read(kind, said.text) == {name: scene.factors[name] for name in said.named}, said.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_caption_says_every_factor(kind):
    rng = np.random.default_rng(2)
    for scene in scenes(120, kind=kind):
        said = full_caption(scene, rng)
        assert set(said.named) == set(scene.factors)
        assert read(kind, said.text) == scene.factors, said.text


def test_the_reader_of_these_tests_can_disagree():
    """Negative control: a sentence about one scene is not true of another."""
    rng = np.random.default_rng(3)
    sampled = scenes(40, kind="portrait")
    read_back = [read("portrait", full_caption(scene, rng).text) for scene in sampled]
    assert not any(said == scene.factors for said, scene in zip(read_back, sampled[1:], strict=False))


@pytest.mark.parametrize(("kind", "factor"), [pytest.param(k, f, id=f"{k}-{f.name}") for k, f in HEADS])
def test_one_factor_asked_for_is_the_one_named(kind, factor):
    for scene, said in described(30, kind, named=(factor.name,)):
        shown = factor.name in scene.factors
        assert said.named == ((factor.name,) if shown else ())
        assert read(kind, said.text) == ({factor.name: scene.factors[factor.name]} if shown else {}), said.text


def test_the_same_generator_says_the_same():
    def spoken(seed):
        rng = np.random.default_rng(seed)
        return [caption(scene, rng).text for scene in scenes(30)]

    assert spoken(0) == spoken(0)
    assert spoken(0) != spoken(1)


def test_a_scene_is_said_in_many_ways():
    """Synonyms, order and what is left out all vary."""
    rng = np.random.default_rng(4)
    for scene in scenes(3):
        said = [caption(scene, rng) for _ in range(60)]
        assert len({each.text for each in said}) > 40
        assert len({len(each.named) for each in said}) > 3
    full = {full_caption(scenes(1)[0], rng).text for _ in range(40)}
    assert len(full) > 35


@pytest.mark.parametrize("kind", KINDS)
def test_articles_fit_the_words_behind_them(kind):
    wrong = re.compile(r"\ba [aeiou]|\ban [^aeiou]")
    rng = np.random.default_rng(5)
    for scene in [*scenes(150, kind=kind), *scenes(60, kind=kind, held_out=True)]:
        text = full_caption(scene, rng).text
        assert not wrong.search(text), text
    assert not [phrase for phrase in vocabulary() if wrong.search(phrase)]


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_are_tidy(kind):
    for _, said in described(200, kind):
        text = said.text
        assert text == text.strip()
        assert not re.search(r"  | ,|,,|,$|\b(\w+) \1\b", text), text
        assert re.fullmatch(r"[a-z ,]+", text), text


@pytest.mark.parametrize(("kind", "factor"), [pytest.param(k, f, id=f"{k}-{f.name}") for k, f in HEADS])
def test_a_word_for_a_value_reads_back_as_that_value(kind, factor):
    for value in factor.values:
        assert word(kind, factor.name, value) == synonyms(kind, factor.name, value)[0]
        for phrase in synonyms(kind, factor.name, value):
            said = read(kind, phrase)
            assert said.get(factor.name) == value, phrase
            assert not said.keys() - {factor.name}, phrase


def test_words_of_two_values_of_a_factor_differ():
    for kind, factor in HEADS:
        spoken = [phrase for value in factor.values for phrase in synonyms(kind, factor.name, value)]
        assert len(spoken) == len(set(spoken))


def test_unknown_names_and_values_are_errors():
    with pytest.raises(KeyError, match="wings"):
        word("portrait", "wings", "two")
    with pytest.raises(KeyError, match="fez"):
        word("portrait", "hat", "fez")
