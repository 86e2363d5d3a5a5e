"""The prompt space by its tokens: weights, words exchanged, texts in chunks."""

from __future__ import annotations

import warnings

import pytest
import torch

from thoughtspace.explorer.errors import CannotError, ExpressionError, SpaceError
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Weighted, from_json
from thoughtspace.explorer.models.prompt_tokens import chunks_for, excess, split
from thoughtspace.explorer.spaces.prompt import MAX_CHUNKS
from thoughtspace.explorer.spaces.prompt_weights import read_weights

RED, BLUE = "a red fox", "a blue fox"
LONG = "a red fox and a blue cat with a green hat on the mountain and the king in a hat with a smiling queen"


@pytest.fixture(scope="module")
def prompt(tiny_explorer):
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
    ("source", "code", "fact"),
    [
        ("a (red fox", "bracket", "'(' at position 3 "),
        ("a red) fox", "bracket", "')' at position 6 "),
        ("a red:1.3) fox", "bracket", "')' at position 6 "),
        ("a (red] fox", "bracket", "']' at position 7 "),
        ("a [red:1.3) fox", "bracket", "')' at position 7 "),
        ("a (red:1,3) fox", "weight", "'1,3' at position 8 "),
        ("a (red:1e999) fox", "weight", "'1e999' at position 8 "),
    ],
)
def test_invalid_weights_are_refused_with_their_position(refused, prompt, source, code, fact):
    with refused(ExpressionError, code, fact):
        prompt.weighted(source)


def test_brackets_of_plain_prompts_stay_text(prompt):
    plain = prompt.text("a (red:1.4) fox")
    assert plain.expressions == ('"a (red:1.4) fox"',)
    assert not torch.equal(plain.values, prompt.text(RED).values)
    assert not torch.equal(plain.values, prompt.weighted("a (red:1.4) fox").values)


# --- weights


def test_several_texts_are_weighted_separately(prompt):
    together = prompt.weighted("a (red:1.4) fox", "a blue (fox:0.5)")
    for row, source in enumerate(("a (red:1.4) fox", "a blue (fox:0.5)")):
        torch.testing.assert_close(together.values[row], prompt.weighted(source).values[0], atol=1e-5, rtol=0)
    assert prompt.weighted().values.shape == (0, *prompt.shape)


def test_a_weight_acts_on_its_word_alone(prompt):
    plain, made = (prompt.states(each)[0] for each in (prompt.text(RED), prompt.weighted("a (red:2) fox")))
    (changed,) = (plain != made).any(dim=1).nonzero(as_tuple=True)
    assert [prompt.tokens(RED)[row] for row in changed] == ["red</w>"]


def test_an_unknown_method_is_refused(refused, prompt):
    with refused(SpaceError, "method", "'louder'", "blend, scale"):
        prompt.weighted("a (red:2) fox", method="louder")


def test_weights_in_an_expression_are_the_spaces_own_and_replay(refused, tiny_explorer, prompt, tmp_path):
    source = r'0.5 * weighted("a (red:1.4) \(fox\)") + "a cat"'
    tree = parse(source)
    assert str(tree) == source.replace("\\(", "\\\\(").replace("\\)", "\\\\)")
    assert parse(str(tree)) == tree == from_json(tree.to_json())
    points = tiny_explorer.points('weighted("a (red:1.4) fox")', "prompt")
    assert torch.equal(points.values, prompt.weighted("a (red:1.4) fox").values)
    assert points.origin == prompt.weighted("a (red:1.4) fox").origin == (Weighted("a (red:1.4) fox"),)
    (path,) = tiny_explorer.decode('weighted("a (red:1.4) fox")', "prompt", steps=1).save(tmp_path / "a.png")
    assert tiny_explorer.replay(path).identical
    with refused(CannotError, "no weighted", "joint space", "the space 'prompt'"):
        tiny_explorer.points('weighted("a (red:1.4) fox")', "joint")


# --- words


def test_replaced_words_have_the_other_prompts_states_and_the_rest_stays(prompt):
    a, b = prompt.text(RED), prompt.text(BLUE)
    row = prompt.tokens(RED).index("red</w>")
    for t in (0.0, 0.3, 1.0):
        made, ours, theirs = (prompt.states(each)[0] for each in (prompt.replaced(a, b, ["red"], t=t), a, b))
        torch.testing.assert_close(made[row], (1 - t) * ours[row] + t * theirs[row])
        keep = torch.arange(len(made)) != row
        assert torch.equal(made[keep], ours[keep])
    assert torch.equal(prompt.replaced(a, b, ["red"], t=0.0).values, a.values)
    assert torch.equal(prompt.states(prompt.replaced(a, b, ["red"]))[0, row], prompt.states(b)[0, row])
    assert not torch.equal(
        prompt.replaced(a, b, ["red"]).values, b.values
    )  # negative control: the rest heard of "blue"


def test_every_position_replaced_is_the_other_prompt(prompt):
    a, b = prompt.text(RED), prompt.text(BLUE)
    assert torch.equal(prompt.replaced(a, b, range(prompt.layout.tokens)).values, b.values)


def test_pairs_name_a_word_of_each_prompt(prompt):
    a, b = prompt.text("a red fox"), prompt.text("a cat in a blue hat")
    made = prompt.replaced(a, b, [("red", "blue")])
    red, blue = (
        prompt.tokens("a red fox").index("red</w>"),
        prompt.tokens("a cat in a blue hat").index("blue</w>"),
    )
    assert red != blue
    assert torch.equal(prompt.states(made)[0, red], prompt.states(b)[0, blue])
    assert torch.equal(made.values, prompt.replaced(a, b, [(red, blue)]).values)


def test_one_prompt_serves_many(prompt):
    many = prompt.text(RED, "a red cat")
    assert (
        len(prompt.replaced(many, prompt.text(BLUE), ["red"])) == len(prompt.replaced(prompt.text(RED), many, [2])) == 2
    )


@pytest.mark.parametrize(
    ("words", "code", "facts"),
    [
        (["dog"], "word", ("'dog'", "tokens: 1 a</w>, 2 red</w>, 3 fox</w>.")),
        (["re"], "word", ("'re'", "3 fox</w>")),
        ([""], "word", ("''", "3 fox</w>")),
        ([24], "position", ("24", "from 0 to 23")),
        ([True], "position", ("True",)),
        ([("red", "a blue")], "number of tokens", ("'red' of 1 ", "'a blue' of 2")),
    ],
)
def test_words_that_are_missing_are_refused_with_the_tokens(refused, prompt, words, code, facts):
    with refused(SpaceError, code, *facts):
        prompt.replaced(prompt.text(RED), prompt.text(BLUE), words)


def test_points_without_such_words_are_refused(refused, prompt):
    a, b = prompt.text(RED, BLUE), prompt.text(BLUE, RED, RED)
    with refused(SpaceError, "number of points", "2 points with 3"):
        prompt.replaced(a, b, ["fox"])
    with refused(SpaceError, "no source", "'fox'", "token positions"):
        prompt.replaced(a[:1] + b[:1], b[:1], ["fox"])
    with refused(SpaceError, "t", "()", "finite"):
        prompt.replaced(a[:1], b[:1], ["fox"], t=float("nan"))


def test_tokens_are_mixed_each_by_its_own_share(refused, prompt):
    a, b, n = prompt.text(RED), prompt.text(BLUE), prompt.layout.tokens
    t = torch.linspace(0, 1, n)
    made, ours, theirs = (prompt.states(each)[0] for each in (prompt.replaced(a, b, range(n), t=t), a, b))
    torch.testing.assert_close(made, (1 - t[:, None]) * ours + t[:, None] * theirs)
    with refused(SpaceError, "t", "(3,)", "24 tokens"):
        prompt.replaced(a, b, range(n), t=[0.0, 0.5, 1.0])


def test_states_are_copies(prompt):
    points = prompt.text(RED)
    prompt.states(points).zero_()
    assert points.values.abs().max() > 0


# --- chunks


def test_one_chunk_is_what_the_tokenizer_makes_of_a_text(prompt):
    reading = prompt.layout.readings[0]
    for text in (RED, "", LONG):
        plain = reading.tokenizer(text, padding="max_length", max_length=reading.limit, truncation=True).input_ids
        (chunk,) = split(reading.tokenizer, reading.limit, text)
        assert chunk.ids == plain
        assert (
            split(reading.tokenizer, reading.limit, RED, 2)[0].ids
            == split(reading.tokenizer, reading.limit, RED)[0].ids
        )


def test_chunks_hold_every_token_once_and_in_order(prompt):
    reading = prompt.layout.readings[0]
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


def test_a_long_text_is_read_whole_where_the_plain_space_says_what_it_leaves_out(tiny_explorer, prompt):
    with pytest.warns(UserWarning, match="6 tokens longer than the model reads; .* whole in the space 'prompt-x2'"):
        prompt.text(LONG)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points = prompt.long(LONG)
        assert torch.equal(points.values, tiny_explorer.space("prompt-x2").text(LONG).values)
    assert points.space.name == "prompt-x2"
    assert points.space.shape == (2 * prompt.shape[0], prompt.shape[1])
    assert torch.equal(prompt.long(RED).values, prompt.text(RED).values)
    with pytest.warns(UserWarning, match="read it whole in the space 'prompt-x9'"):
        prompt.chunked(2).text("a red fox " * 65)


def test_a_long_negative_prompt_is_warned_of_and_read_in_chunks(tiny_explorer, prompt):
    def decoded(space, negative):
        return tiny_explorer.decode(RED, space, steps=1, negative=negative).provenances[0].record["pixels"]

    with pytest.warns(UserWarning, match="tokens longer than the model reads"):
        assert decoded("prompt", LONG) == decoded("prompt", f"{LONG} on the hat")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded("prompt-x2", LONG) != decoded("prompt-x2", f"{LONG} on the hat")


def test_words_of_the_second_chunk_have_weights_and_places(prompt):
    two = prompt.chunked(2)
    plain, made = (two.states(each)[0] for each in (two.text(LONG), two.weighted(LONG.replace("queen", "(queen:2)"))))
    (changed,) = (plain != made).any(dim=1).nonzero(as_tuple=True)
    assert [two.tokens(LONG)[row] for row in changed] == ["queen</w>"]
    assert int(changed[0]) >= prompt.layout.tokens


def test_pictures_of_chunks_walk_and_replay(tiny_explorer, tmp_path):
    points = tiny_explorer.prompt.chunked(2).text(LONG, RED)
    (path,) = tiny_explorer.decode(points[:1], steps=1, negative="a hat").save(tmp_path / "a.png")
    assert tiny_explorer.replay(path).identical
    tiny_explorer.walk(points, 2, steps=1).save(tmp_path / "w.gif")
    assert tiny_explorer.replay(tmp_path / "w.gif").identical
    tiny_explorer.blend(points, 2, steps=1, negative="a hat").save(tmp_path / "b.png")
    assert tiny_explorer.replay(tmp_path / "b.png").identical


def test_spaces_of_other_lengths_do_not_mix(refused, tiny_explorer, prompt):
    with refused(SpaceError, "other space", "prompt space", "prompt-x2 space"):
        tiny_explorer.space("prompt-x2").decode(prompt.text(RED))
    with refused(SpaceError, "other space", "prompt space", "prompt-x2 space"):
        _ = prompt.text(RED) + prompt.chunked(2).text(RED)


@pytest.mark.parametrize("name", ["prompt-x0", "prompt-x", "prompt-x2.5", "prompt-y2", f"prompt-x{MAX_CHUNKS + 1}"])
def test_other_names_of_prompt_spaces_are_refused(refused, tiny_explorer, name):
    code = "chunks" if name == f"prompt-x{MAX_CHUNKS + 1}" else "no such space"
    with refused(SpaceError, code, str(MAX_CHUNKS + 1) if code == "chunks" else repr(name)):
        tiny_explorer.space(name)


def test_numbers_of_chunks_out_of_range_are_refused(refused, prompt):
    for wrong in (0, True, 1.5, MAX_CHUNKS + 1):
        with refused(SpaceError, "chunks", f"chunks {wrong}", "from 1 to 16"):
            prompt.chunked(wrong)
    with refused(SpaceError, "chunks", "prompt-x2 space", "the space 'prompt'"):
        prompt.chunked(2).chunked(2)
