"""The prompt space by its tokens: weights, words exchanged, texts in chunks."""

from __future__ import annotations

import warnings

import pytest
import torch

from thoughtspace.explorer.errors import ExpressionError, SpaceError
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Weighted, from_json
from thoughtspace.explorer.models.prompt_tokens import chunks_for, excess, split
from thoughtspace.explorer.spaces.prompt import MAX_CHUNKS
from thoughtspace.explorer.spaces.prompt_weights import read_weights

RED, BLUE = "a red fox", "a blue fox"
LONG = "a red fox and a blue cat with a green hat on the mountain and the king in a hat with a smiling queen"


@pytest.fixture(scope="module")
def room(tiny_explorer):
    return tiny_explorer.prompt


# --- the syntax of weights


@pytest.mark.parametrize(
    ("source", "text", "weights"),
    [
        ("a red fox", "a red fox", {}),
        ("a (red) fox", "a red fox", {"red": 1.1}),
        ("a [red] fox", "a red fox", {"red": 1 / 1.1}),
        ("a (red:1.4) fox", "a red fox", {"red": 1.4}),
        ("a ((red)) fox", "a red fox", {"red": 1.1 * 1.1}),
        ("a (red (fox:1.5):1.2)", "a red fox", {"red": 1.2, "fox": 1.5 * 1.2}),
        ("a ( red : -0.5 ) fox", "a  red  fox", {"red": -0.5}),
        (r"a \(red\) \[fox\] \\", "a (red) [fox] \\", {}),
        (r"(a \(red\):1.3)", "a (red)", {"a (red)": 1.3}),
        ("(fox: red) at 5:30", "fox: red at 5:30", {"fox: red": 1.1}),
        ("a (red:1.0) fox", "a red fox", {}),
        ("a () fox", "a  fox", {}),
        ("", "", {}),
    ],
)
def test_weights_are_read(source, text, weights):
    read = read_weights(source)
    assert read.text == text
    assert {text[slice(*span)]: weight for span, weight in read.spans} == pytest.approx(weights)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a (red fox", r"Got '\(' at position 3 .*, expected its \)"),
        ("a red) fox", r"Got '\)' at position 6"),
        ("a red:1.3) fox", r"Got '\)' at position 6"),
        ("a (red] fox", r"Got '\]' at position 7"),
        ("a [red:1.3) fox", r"Got '\)' at position 7"),
        ("a (red:1,3) fox", "Got '1,3' at position 8 .*, expected a weight such as 1.3"),
        ("a (red:1e999) fox", "expected a weight such as 1.3"),
    ],
)
def test_what_is_no_weight_is_told_with_its_place(room, source, said):
    with pytest.raises(ExpressionError, match=said) as told:
        room.weighted(source)
    assert "\n" not in str(told.value)


def test_brackets_of_plain_prompts_stay_text(room):
    plain = room.text("a (red:1.4) fox")
    assert plain.expressions == ('"a (red:1.4) fox"',)
    assert not torch.equal(plain.values, room.text(RED).values)
    assert not torch.equal(plain.values, room.weighted("a (red:1.4) fox").values)


# --- weights


def test_several_texts_are_weighted_each_by_itself(room):
    together = room.weighted("a (red:1.4) fox", "a blue (fox:0.5)")
    for row, source in enumerate(("a (red:1.4) fox", "a blue (fox:0.5)")):
        torch.testing.assert_close(together.values[row], room.weighted(source).values[0], atol=1e-5, rtol=0)
    assert room.weighted().values.shape == (0, *room.shape)


def test_a_weight_acts_on_its_word_alone(room):
    plain, made = (room.states(each)[0] for each in (room.text(RED), room.weighted("a (red:2) fox")))
    (changed,) = (plain != made).any(dim=1).nonzero(as_tuple=True)
    assert [room.tokens(RED)[row] for row in changed] == ["red</w>"]


def test_an_unknown_method_is_told(room):
    with pytest.raises(SpaceError, match="Got method 'louder', expected 'blend' or 'scale'"):
        room.weighted("a (red:2) fox", method="louder")


def test_weights_in_an_expression_are_the_spaces_own_and_replay(tiny_explorer, room, tmp_path):
    source = r'0.5 * weighted("a (red:1.4) \(fox\)") + "a cat"'
    tree = parse(source)
    assert str(tree) == source.replace("\\(", "\\\\(").replace("\\)", "\\\\)")
    assert parse(str(tree)) == tree == from_json(tree.to_json())
    points = tiny_explorer.points('weighted("a (red:1.4) fox")', "prompt")
    assert torch.equal(points.values, room.weighted("a (red:1.4) fox").values)
    assert points.origin == room.weighted("a (red:1.4) fox").origin == (Weighted("a (red:1.4) fox"),)
    (path,) = tiny_explorer.decode('weighted("a (red:1.4) fox")', "prompt", steps=1).save(tmp_path / "a.png")
    assert tiny_explorer.replay(path).identical
    with pytest.raises(SpaceError, match="cannot weigh the words of texts; use the space 'prompt'"):
        tiny_explorer.points('weighted("a (red:1.4) fox")', "joint")


# --- words


def test_replaced_words_have_the_other_prompts_states_and_the_rest_stays(room):
    a, b = room.text(RED), room.text(BLUE)
    row = room.tokens(RED).index("red</w>")
    for t in (0.0, 0.3, 1.0):
        made, ours, theirs = (room.states(each)[0] for each in (room.replaced(a, b, ["red"], t=t), a, b))
        torch.testing.assert_close(made[row], (1 - t) * ours[row] + t * theirs[row])
        keep = torch.arange(len(made)) != row
        assert torch.equal(made[keep], ours[keep])
    assert torch.equal(room.replaced(a, b, ["red"], t=0.0).values, a.values)
    assert torch.equal(room.states(room.replaced(a, b, ["red"]))[0, row], room.states(b)[0, row])
    assert not torch.equal(room.replaced(a, b, ["red"]).values, b.values)  # negative control: the rest heard of "blue"


def test_every_position_replaced_is_the_other_prompt(room):
    a, b = room.text(RED), room.text(BLUE)
    assert torch.equal(room.replaced(a, b, range(room.layout.tokens)).values, b.values)


def test_pairs_name_a_word_of_each_prompt(room):
    a, b = room.text("a red fox"), room.text("a cat in a blue hat")
    made = room.replaced(a, b, [("red", "blue")])
    red, blue = room.tokens("a red fox").index("red</w>"), room.tokens("a cat in a blue hat").index("blue</w>")
    assert red != blue
    assert torch.equal(room.states(made)[0, red], room.states(b)[0, blue])
    assert torch.equal(made.values, room.replaced(a, b, [(red, blue)]).values)


def test_one_prompt_serves_many(room):
    many = room.text(RED, "a red cat")
    assert len(room.replaced(many, room.text(BLUE), ["red"])) == len(room.replaced(room.text(RED), many, [2])) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dog"], r"Got the word 'dog', expected one of the prompt's tokens: 1 a</w>, 2 red</w>, 3 fox</w>\."),
        (["re"], "Got the word 're', expected one of"),
        ([""], "Got the word '', expected one of"),
        ([24], "Got 24 as a token, expected a word or a position from 0 to 23"),
        ([True], "Got True as a token"),
        ([("red", "a blue")], "Got 'red' of 1 tokens for 'a blue' of 2, expected equal numbers"),
    ],
)
def test_words_that_are_not_there_are_told_with_the_tokens(room, words, said):
    with pytest.raises(SpaceError, match=said):
        room.replaced(room.text(RED), room.text(BLUE), words)


def test_what_cannot_be_replaced_is_told(room):
    a, b = room.text(RED, BLUE), room.text(BLUE, RED, RED)
    with pytest.raises(SpaceError, match="Got 2 and 3 points, expected as many"):
        room.replaced(a, b, ["fox"])
    with pytest.raises(SpaceError, match="which is no single text, expected token positions"):
        room.replaced(a[:1] + b[:1], b[:1], ["fox"])
    with pytest.raises(SpaceError, match="one finite number"):
        room.replaced(a[:1], b[:1], ["fox"], t=float("nan"))


def test_tokens_are_mixed_each_by_its_own_share(room):
    a, b, t = room.text(RED), room.text(BLUE), torch.linspace(0, 1, room.layout.tokens)
    made, ours, theirs = (room.states(each)[0] for each in (room.mixed_tokens(a, b, t), a, b))
    torch.testing.assert_close(made, (1 - t[:, None]) * ours + t[:, None] * theirs)
    assert torch.equal(room.mixed_tokens(a, b, 0.0).values, a.values)
    assert torch.equal(room.mixed_tokens(a, b, 1.0).values, b.values)
    with pytest.raises(SpaceError, match=r"Got t of shape \(3,\), expected one finite number, or one for each of 24"):
        room.mixed_tokens(a, b, [0.0, 0.5, 1.0])


def test_parts_of_other_shapes_are_told(room):
    states = room.states(room.text(RED))
    with pytest.raises(SpaceError, match=r"Got states and pooled vectors of shapes .* expected .*; match them"):
        room.assembled(states[:, 1:])
    with pytest.raises(SpaceError, match="match them"):
        room.assembled(states, torch.zeros(1, 8))


def test_states_are_copies(room):
    points = room.text(RED)
    room.states(points).zero_()
    assert points.values.abs().max() > 0


# --- chunks


def test_one_chunk_is_what_the_tokenizer_makes_of_a_text(room):
    reading = room.layout.readings[0]
    for text in (RED, "", LONG):
        plain = reading.tokenizer(text, padding="max_length", max_length=reading.limit, truncation=True).input_ids
        (chunk,) = split(reading.tokenizer, reading.limit, text)
        assert chunk.ids == plain
        assert (
            split(reading.tokenizer, reading.limit, RED, 2)[0].ids
            == split(reading.tokenizer, reading.limit, RED)[0].ids
        )


def test_chunks_hold_every_token_once_and_in_order(room):
    reading = room.layout.readings[0]
    tokenizer, limit = reading.tokenizer, reading.limit
    body = tokenizer(LONG, add_special_tokens=False).input_ids
    needed = chunks_for(tokenizer, limit, LONG)
    assert (needed, excess(tokenizer, limit, LONG)) == (2, len(body) - (limit - 2))
    assert excess(tokenizer, limit, LONG, needed) == 0
    chunks = split(tokenizer, limit, LONG, needed + 1)
    read = [token for chunk in chunks for token in chunk.ids[1 : chunk.length - 1]]
    assert read == body
    assert chunks[-1].ids == split(tokenizer, limit, "")[0].ids
    spelt = [LONG[start:stop] for chunk in chunks for start, stop in chunk.spans if stop > start]
    assert "".join(spelt) == LONG.replace(" ", "")


def test_a_long_text_is_read_whole_where_the_plain_space_says_what_it_leaves_out(tiny_explorer, room):
    with pytest.warns(UserWarning, match="6 tokens longer than the model reads; .* whole in the space 'prompt-x2'"):
        room.text(LONG)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points = room.long(LONG)
        assert torch.equal(points.values, tiny_explorer.space("prompt-x2").text(LONG).values)
    assert points.space.name == "prompt-x2"
    assert points.space.shape == (2 * room.shape[0], room.shape[1])
    assert torch.equal(room.long(RED).values, room.text(RED).values)
    with pytest.warns(UserWarning, match="read it whole in the space 'prompt-x9'"):
        room.chunked(2).text("a red fox " * 65)


def test_a_long_negative_prompt_is_told_and_read_in_chunks(tiny_explorer, room):
    def decoded(space, negative):
        return tiny_explorer.decode(RED, space, steps=1, negative=negative).provenances[0].record["pixels"]

    with pytest.warns(UserWarning, match="tokens longer than the model reads"):
        assert decoded("prompt", LONG) == decoded("prompt", f"{LONG} on the hat")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded("prompt-x2", LONG) != decoded("prompt-x2", f"{LONG} on the hat")


def test_words_of_the_second_chunk_have_weights_and_places(room):
    two = room.chunked(2)
    plain, made = (two.states(each)[0] for each in (two.text(LONG), two.weighted(LONG.replace("queen", "(queen:2)"))))
    (changed,) = (plain != made).any(dim=1).nonzero(as_tuple=True)
    assert [two.tokens(LONG)[row] for row in changed] == ["queen</w>"]
    assert int(changed[0]) >= room.layout.tokens


def test_pictures_of_chunks_walk_and_replay(tiny_explorer, tmp_path):
    points = tiny_explorer.prompt.chunked(2).text(LONG, RED)
    (path,) = tiny_explorer.decode(points[:1], steps=1, negative="a hat").save(tmp_path / "a.png")
    assert tiny_explorer.replay(path).identical
    tiny_explorer.walk(points, 2, steps=1).save(tmp_path / "w.gif")
    assert tiny_explorer.replay(tmp_path / "w.gif").identical
    tiny_explorer.blend(points, 2, steps=1, negative="a hat").save(tmp_path / "b.png")
    assert tiny_explorer.replay(tmp_path / "b.png").identical


def test_spaces_of_other_lengths_do_not_mix(tiny_explorer, room):
    with pytest.raises(SpaceError, match="they never mix"):
        tiny_explorer.space("prompt-x2").decode(room.text(RED))
    with pytest.raises(SpaceError):
        _ = room.text(RED) + room.chunked(2).text(RED)


@pytest.mark.parametrize("name", ["prompt-x0", "prompt-x", "prompt-x2.5", "prompt-y2", f"prompt-x{MAX_CHUNKS + 1}"])
def test_names_that_no_space_has_are_told(tiny_explorer, name):
    with pytest.raises(SpaceError, match="expected"):
        tiny_explorer.space(name)


def test_numbers_of_chunks_that_cannot_be_meant_are_told(room):
    for wrong in (0, True, 1.5, MAX_CHUNKS + 1):
        with pytest.raises(SpaceError, match="expected a whole number from 1 to 16"):
            room.chunked(wrong)
    with pytest.raises(SpaceError, match="start from that"):
        room.chunked(2).chunked(2)
