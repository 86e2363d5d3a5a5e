"""Plain sentences: true of their scenes, unlike the grammar's, and never one value's words for another."""

import re

import numpy as np
import pytest

from thoughtspace.datasets import captions, plain, world
from thoughtspace.datasets.plain import plain_caption
from thoughtspace.datasets.world import FACTORS, KINDS


@pytest.fixture(autouse=True)
def as_it_is_meant(request, monkeypatch):
    """Without asides and with all articles, which have a test of their own."""
    if "typed" not in request.node.name:
        monkeypatch.setattr(plain, "ASIDE", 0)
        monkeypatch.setattr(plain, "NO_ARTICLES", 0)


def said(n: int, kind: str, **options):
    generator = np.random.default_rng(0)
    return [(scene, plain_caption(scene, generator, **options)) for scene in world.sample(n, "fresh", kind=kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_are_tidy(kind):
    for _, caption in said(300, kind):
        text = caption.text
        assert re.fullmatch(r"[a-z][a-z ,'-]+", text), text
        assert not re.search(r"  | ,|,,|,$|\b(\w+) \1\b|^and |\ba [aeiou]|\ban [^aeiou]", text), text


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_asked_for_is_named(kind):
    for scene, caption in said(40, kind, named=[factor.name for factor in FACTORS[kind]]):
        assert set(caption.named) == set(scene.factors)
    for scene, caption in said(40, kind):
        assert set(caption.named) <= set(scene.factors)
        assert caption.named


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in plain.TRAITS for name in plain.TRAITS[kind]])
def test_a_named_trait_is_said_in_words_of_its_value(kind, name):
    spoken = plain.TRAITS[kind][name]
    for scene, caption in said(40, kind, named=[name]):
        value = scene.factors[name]
        words = (*spoken[value], *(plain.ADJECTIVES.get(value, ()) if name == "expression" else ()))
        assert any(word in caption.text for word in words), caption.text


@pytest.mark.parametrize("kind", KINDS)
def test_no_phrase_says_two_values(kind):
    for name, words in plain.TRAITS.get(kind, {}).items():
        values = next(factor.values for factor in FACTORS[kind] if factor.name == name)
        assert tuple(words) == values
        phrases = [phrase for value in values for phrase in words[value]]
        assert len(phrases) == len(set(phrases))
        theirs = {value: set(captions.synonyms(kind, name, value)) for value in values}
        for value in values:
            assert not set(words[value]) & set().union(*(theirs[other] for other in values if other != value))


def test_the_second_thing_stands_where_the_scene_has_it():
    for scene, caption in said(200, "object", named=["shape", "second_shape", "relation"]):
        first = next((w for w in plain.SHAPES[scene.factors["shape"]] if w in caption.text), None)
        assert first, caption.text
        if scene.factors["relation"] == "left":
            assert re.search(r"on the left|, and right of it |to the (left|right) of|left .* right", caption.text)
        if scene.factors["relation"] == "above":
            assert re.search(
                r" over | at the top | beneath |on top of|underneath|above it|^(a picture of |there is )?top ",
                caption.text,
            )


def test_most_sentences_are_outside_the_grammar():
    grammar = {word for phrase in captions.vocabulary() for word in phrase.split()}
    new = [bool(set(re.findall(r"[a-z]+", c.text)) - grammar) for kind in KINDS for _, c in said(100, kind)]
    assert np.mean(new) > 0.8


def test_typed_sentences_have_asides_and_lack_articles_now_and_then(monkeypatch):
    monkeypatch.setattr(plain, "ASIDE", 0)
    monkeypatch.setattr(plain, "NO_ARTICLES", 0)
    meant = [caption.text for kind in KINDS for _, caption in said(200, kind)]
    monkeypatch.setattr(plain, "ASIDE", 1)
    aside = [caption.text for kind in KINDS for _, caption in said(200, kind)]
    assert all(any(each in text for each in plain.WORDS["asides"]) for text in aside)
    monkeypatch.setattr(plain, "ASIDE", 0)
    monkeypatch.setattr(plain, "NO_ARTICLES", 1)
    hasty = [caption.text for kind in KINDS for _, caption in said(200, kind)]
    assert not any(re.search(r"\b(a|an|the) ", text) for text in hasty)
    assert any(re.search(r"\b(a|an|the) ", text) for text in meant)  # negative control
