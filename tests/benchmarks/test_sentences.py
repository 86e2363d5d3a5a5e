"""How sentences are judged: by what they name, in the right kind of scene, in either order where none is said."""

from __future__ import annotations

import numpy as np
import pytest
from harness.intervals import counted, interval, paired_interval, share
from harness.sentences import Sentence, captioned, entropy, like, plain_sentences, seen, variety

from thoughtspace.datasets import captions, world


class PerfectReader:
    """Reads scenes instead of pictures of them."""

    def labels(self, scenes):
        return np.array([world.KINDS.index(scene.kind) for scene in scenes]), np.maximum(world.labels(scenes), 0)


READER = PerfectReader()


def test_there_are_forty_sentences_of_each_kind_and_their_values_are_of_the_world():
    said = plain_sentences()
    assert [sum(one.kind == kind for one in said) for kind in world.KINDS] == [40, 40, 40]
    assert len({one.text for one in said}) > 115
    for one in said:
        values = {factor.name: factor.values for factor in world.FACTORS[one.kind]}
        assert all(value in values[name] for name, value in one.named.items()), one.text
        assert like(one, 1), one.text  # the world has such a scene


def test_no_sentence_is_of_the_grammar():
    grammar = set(captions.vocabulary())
    assert not [one.text for one in plain_sentences() if one.text in grammar]


def test_pictures_that_show_everything_have_all_of_it_and_those_of_another_scene_little():
    scenes = list(world.sample(60, "fresh"))
    said = captioned(scenes, captions.full_caption, np.random.default_rng(0))
    right, wrong = seen(READER, scenes, said, "x"), seen(READER, scenes[1:] + scenes[:1], said, "x")
    assert {share(rows) for rows in right.values()} == {1.0}
    assert share(wrong["x_kind"]) == 0  # kinds come in turn
    assert share(wrong["x_agreement"]) == 0  # a factor counts only in a scene of the right kind
    assert share(seen(READER, scenes[3:] + scenes[:3], said, "x")["x_agreement"]) < 0.5
    assert set(right) == {"x_kind", "x_agreement", *(f"x_agreement_{kind}" for kind in world.KINDS)}


@pytest.mark.parametrize(("relation", "hits"), [({}, 4), ({"relation": "left"}, 1)])
def test_two_things_may_change_places_where_none_are_said(relation, hits):
    named = {"shape": "star", "color": "red", "second_shape": "heart", "second_color": "blue"} | relation
    shown = {"shape": "heart", "color": "blue", "second_shape": "star", "second_color": "red", "relation": "left"}
    scene = world.Scene("object", {"size": "large", "texture": "plain", "background": "gray", **shown}, 0)
    rows = seen(READER, [scene], [Sentence("two things", "object", named)], "x")["x_agreement"]
    assert rows.tolist() == [[hits, len(named)]]


def test_variety_is_nothing_for_equal_pictures_and_all_of_it_for_the_worlds_own():
    said = captioned(list(world.sample(9, "fresh")), captions.caption, np.random.default_rng(0))
    own = [like(one, 16) for one in said]
    assert variety(READER, own, said) == pytest.approx(1)
    assert variety(READER, [[scenes[0]] * 16 for scenes in own], said) == 0
    other = [list(world.sample(16, "fresh", start=900, kind=one.kind)) for one in said]
    assert 0.9 < variety(READER, other, said) < 1.1


def test_entropy_of_a_fair_coin():
    assert entropy(np.array([0, 1, 1, 0])) == pytest.approx(np.log(2))


def test_an_interval_covers_the_share_and_shrinks_with_the_rows():
    generator = np.random.default_rng(0)
    covered, widths = 0, []
    for n in (40, 160):
        for _ in range(30):
            rows = np.stack([generator.random(n) < 0.7, np.ones(n)], axis=1)
            low, high = interval(rows)
            covered += low <= 0.7 <= high
        widths.append(high - low)
    assert covered >= 50
    assert widths[1] == pytest.approx(widths[0] / 2, rel=0.35)


def test_pairs_that_differ_everywhere_alike_have_a_certain_difference():
    generator = np.random.default_rng(1)
    worse = np.stack([generator.integers(0, 5, 80), np.full(80, 8)], axis=1).astype(float)
    better = worse + np.array([1, 0])
    assert paired_interval(better, worse) == pytest.approx([0.125, 0.125])
    assert interval(better)[1] - interval(better)[0] > 0.02  # negative control: apart they are uncertain


def test_rows_are_counted_over_what_is_shown():
    right, shown = np.array([[True, True, False]]), np.array([[True, False, True]])
    assert counted(right, shown).tolist() == [[1, 2]]
    assert share(counted(right, shown)) == 0.5
