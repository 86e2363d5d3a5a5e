"""The expression language: what it means, what it refuses, and that no text at all can hurt it."""

import string

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from thoughtspace.explorer.errors import ExpressionError, GeometryError, SpaceError, ThoughtspaceError
from thoughtspace.explorer.geometry.interpolation import Geometry, slerp
from thoughtspace.explorer.geometry.sphere import frechet_mean
from thoughtspace.explorer.language.evaluate import MAX_LENGTH, evaluate, parse
from thoughtspace.explorer.language.nodes import (
    FUNCTIONS,
    MAX_DEPTH,
    Add,
    Call,
    Direction,
    Divide,
    Given,
    Image,
    Item,
    Node,
    Number,
    Scale,
    Sub,
    Text,
    Weighted,
    from_json,
)
from thoughtspace.explorer.points import Points, SpaceInfo
from thoughtspace.explorer.records.provenance import Provenance

A, B = Text("a"), Text("b")


class Toy:
    """Each text is a fixed random vector; one collection of one item; pictures belong to another space."""

    def __init__(self, geometry: Geometry = Geometry.SPHERE):
        self.space = SpaceInfo("toy", "0" * 64, "joint", (5,), geometry)
        self.asked: list[str] = []

    def text(self, text: str) -> Points:
        self.asked.append(text)
        seed = sum(ord(letter) * 31**place for place, letter in enumerate(text)) % 2**31
        values = torch.randn(1, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return Points.given(values, self.space, text)

    def weighted(self, text: str) -> Points:
        raise SpaceError(f"Got weighted({text!r}), expected texts without weights; leave them out.")

    def image(self, path: str) -> Points:
        return Points.given(torch.ones(1, 5), SpaceInfo("toy", "0" * 64, "latent", (5,), Geometry.EUCLIDEAN), path)

    def direction(self, name: str) -> Points:
        raise SpaceError(f"Got dir({name!r}), expected operands without a collection.", code="no directions")

    def item(self, id: str) -> Points:
        raise SpaceError(f"Got item({id!r}), expected operands without a collection; open one.", code="no items")


texts = st.text(max_size=12) | st.sampled_from(
    ["a red fox", 'say "hi"', "it's", "back\\slash", "new\nline", "“”", "\\"]
)
finite = st.floats(allow_nan=False, allow_infinity=False)


def calls(points: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    number = finite.map(lambda value: Number(float(value)))
    between = st.builds(
        lambda name, a, b, t: Call(name, (a, b, t)),
        st.sampled_from(["slerp", "lerp", "nlerp", "lol"]),
        points,
        points,
        number,
    )
    weighted = st.lists(st.tuples(points, st.floats(0.1, 9)), min_size=1, max_size=3).map(
        lambda pairs: Call("mean", (*(point for point, _ in pairs), *(Number(weight) for _, weight in pairs)))
    )
    plain = st.lists(points, min_size=1, max_size=4).map(lambda listed: Call("mean", tuple(listed)))
    smooth = st.lists(points, min_size=2, max_size=4).map(lambda listed: Call("squad", (*listed, Number(0.5))))
    return between | weighted | plain | smooth | points.map(lambda point: Call("norm", (point,)))


nonempty = texts.filter(bool)
leaves = texts.map(Text) | st.sampled_from([Weighted, Image, Item, Direction]).flatmap(nonempty.map)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Add, inner, inner)
        | st.builds(Sub, inner, inner)
        | st.builds(Scale, finite, inner)
        | st.builds(Divide, inner, finite.filter(bool))
        | calls(inner)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(trees)
def test_printing_and_parsing_are_inverse(tree):
    assert parse(str(tree)) == tree
    assert str(parse(str(tree))) == str(tree)


@settings(max_examples=100, deadline=None)
@given(trees)
def test_trees_survive_json(tree):
    assert from_json(tree.to_json()) == tree
    record = Provenance({"origin": tree.to_json()}).record  # where lists and dictionaries are frozen
    assert from_json(record["origin"]) == tree


PIECES = [
    '"a"',
    "'b'",
    '"',
    "'",
    "(",
    ")",
    "+",
    "-",
    "*",
    "/",
    ",",
    "1",
    ".5",
    "1e9",
    "2e308",
    "0",
    " ",
    "img(",
    "item(",
    "dir(",
    "weighted(",
]
PIECES += [f"{name}(" for name in FUNCTIONS] + [
    "given(",
    "__import__(",
    "\\",
    "“",
    "”",
    "é",
    "\x00",
    "\n",
    "a fox",
    "[",
    "]",
]


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("(" * 5000 + '"a"')
@example("-" * 5000 + '"a"')
@example("norm(" * 2000 + '"a"')
@example("+".join(['"a"'] * 2000))
@example('"a"' + "*2" * 3000)
@example("mean(" + ",".join(['"a"'] * 2400) + ")")
@example("9" * 9000 + '*"a"')
@example("'" * 9999)
@example(" " * 9990 + "- a")
@example("\ud800")
def test_any_text_parses_or_raises_a_one_line_error(source):
    try:
        tree = parse(source)
    except ExpressionError as error:
        code, message = error.code, str(error)
        assert message.startswith("Got ")
        assert code
        assert len(message.splitlines()) == 1
        assert len(message) < 500
    else:
        assert parse(str(tree)) == tree


@settings(max_examples=200, deadline=None)
@given(st.text(string.printable, max_size=40))
def test_evaluating_what_parses_fails_only_in_our_own_words(source):
    try:
        point = evaluate(parse(source), Toy())
    except ThoughtspaceError as error:
        code = error.code
    else:
        code = "one point" if len(point) == 1 else ""
    assert code


@pytest.mark.parametrize(
    ("source", "tree"),
    [
        ('"a" + "b" - "a"', Sub(Add(A, B), A)),
        ('"a" - ("b" - "a")', Sub(A, Sub(B, A))),
        ('2 * "a" + "b"', Add(Scale(2, A), B)),
        ('"a" * 2', Scale(2, A)),
        ('2 * 3 * "a"', Scale(6, A)),
        ('(1 + 2) / 4 * "a"', Scale(0.75, A)),
        ('"a" / 2', Divide(A, 2)),
        ('-2 * "a"', Scale(-2, A)),
        ('- "a" * 2', Scale(2, Scale(-1, A))),
        ('+"a"', A),
        ("'a'-\"b\"", Sub(A, B)),
        ("“a” + “b”", Add(A, B)),
        (r'"say \"hi\""', Text('say "hi"')),
        (r'img("C:\new\table.png")', Image(r"C:\new\table.png")),
        ('item("3f2a")', Item("3f2a")),
        ('dir("smile")', Direction("smile")),
        ('0.8 * dir("a smile")', Scale(0.8, Direction("a smile"))),
        ('slerp( "a" , "b" , 1/4 )', Call("slerp", (A, B, Number(0.25)))),
        ('mean("a", "b", 3, 1)', Call("mean", (A, B, Number(3), Number(1)))),
        ('mean("a")', Call("mean", (A,))),
        ('norm("a" - "b")', Call("norm", (Sub(A, B),))),
        ('""', Text("")),
        ('.5e1*"a"', Scale(5, A)),
    ],
)
def test_grammar(source, tree):
    assert parse(source) == tree


@pytest.mark.parametrize(
    "sentence",
    [
        "fox",
        "a smiling face",
        "a well-known fox (red)",
        "a man's hat",
        "the boys' hats",
        "'90s style portrait",
        "3 cats and 1st prize",
        "c++",
        "black/white",
        "a fox, red: 50% off!",
        "ein Fuchs — rot",
        "狐狸",
        "the mean (average) face",
        "image item slerp",
        "e5",
    ],
)
def test_a_bare_sentence_is_that_text(sentence):
    assert parse(f"  {sentence}\n") == Text(sentence)
    assert parse(str(Text(sentence))) == Text(sentence)


@pytest.mark.parametrize(
    "source", ["king - man + woman", "king+queen", "2 * king", "fox / cat", "-king", "rain - a photo"]
)
def test_a_sentence_with_arithmetic_is_refused_with_both_spellings(refused, source):
    with refused(ExpressionError, "unquoted", f'"{source}"', '"…"'):
        parse(source)


@pytest.mark.parametrize(
    ("source", "code", "fact"),
    [
        ("", "length", "an empty expression"),
        (" \n ", "length", "an empty expression"),
        ("x" * (MAX_LENGTH + 1), "length", "10001 characters"),
        ("42", "number", "the number 42 alone"),
        ("(1 + 2) / 3", "number", "the number 1 alone"),
        ('"a" * "b"', "product", "`*` at position 5 "),
        ('"a" + 1', "number", "`+` at position 5 "),
        ('1 / "a"', "divisor", "`/` at position 3 "),
        ('"a" / 0', "divisor", "`/` at position 5 "),
        ('"a" "b"', "operator", "`b` at position 5 "),
        ('"a" +', "operand", "the end at position 6 "),
        ('("a"', "parenthesis", "'(' at 1"),
        ('"a")', "operator", "`)` at position 4 "),
        ('"a', "quote", 'a closing "'),
        ('man - "a"', "unquoted", 'write "man" for'),
        ('"a" @ 2', "unquoted", "`@` at position 5 "),
        ('"a" ** 2', "operand", "`*` at position 6 "),
        ("img(fox.png)", "unquoted", "`.png` at position 8 "),
        ('img("")', "operand", "a path in quotes"),
        ("item(3)", "operand", "an id in quotes"),
        ("dir(smile)", "operand", "a name in quotes"),
        ('slerp("a", "b")', "arguments", "two points, then a number"),
        ('slerp("a", 0.5, "b")', "arguments", "points before numbers"),
        ('slerp("a", "b", "c")', "arguments", "two points, then a number"),
        ('mean("a", "b", 1)', "arguments", "one weight per point"),
        ('mean("a", "b", 1, -1)', "arguments", "weights that are not negative"),
        ("mean()", "operand", "`)` at position 6 "),
        ("norm(2)", "arguments", "one point"),
        ('squad("a", "b", 7)', "arguments", "from 0 to one less"),
        ('given("a place")', "no source", "`given` at position 1 "),
        ('1e999 * "a"', "not finite", "`1e999` at position 1 "),
        ('1e308 * 10 * "a"', "not finite", "`*` at position 7 "),
        ('eval("1")', "unquoted", "`eval` at position 1 "),
        ("(" * 100 + '"a"', "nesting", "at most 32 parentheses"),
        ("+".join(['"a"'] * 300), "too deep", "use mean"),
    ],
)
def test_errors_say_where_and_what_the_mistake_is(refused, source, code, fact):
    with refused(ExpressionError, code, fact):
        parse(source)


@pytest.mark.parametrize("source", [None, 3, b"a", ["a"]])
def test_only_text_is_a_source(refused, source):
    with refused(ExpressionError, "not a text", type(source).__name__):
        parse(source)


@pytest.mark.parametrize(
    ("source", "place"),
    [("caf\udce9", 4), ('"a" - "\ud800"', 8), ('img("caf\udce9.png")', 9), ('item("\udfff")', 7), ("\udc80", 1)],
)
def test_text_that_is_not_utf8_is_no_source(refused, source, place):
    with refused(ExpressionError, "not utf-8", f"character {place} ") as caught:
        parse(source)
    assert str(caught.value).encode("utf-8")  # the message itself can be written and sent


def test_any_character_of_utf8_is_a_source():
    """Negative control: the characters around the surrogates are text."""
    assert parse("é \ud7ff\ue000\U0001f98a") == Text("é \ud7ff\ue000\U0001f98a")


scalars = st.floats(-4, 4).map(lambda value: round(value, 2))


@settings(max_examples=50, deadline=None)
@given(s=scalars, t=scalars)
def test_evaluation_is_linear(s, t):
    def value(source: str) -> torch.Tensor:
        return evaluate(parse(source), Toy()).values

    assert_close(value(f'{s} * ("a" + "b")'), value(f'{s} * "a" + "b" * {s}'))
    assert_close(value(f'({s} + {t}) * "a"'), value(f'{s} * "a" + {t} * "a"'), atol=1e-9, rtol=1e-9)
    assert_close(value(f'"a" - {t} * "b"'), value(f'"a" + {-t} * "b"'))
    assert_close(value('"a" / 4'), value('0.25 * "a"'))
    assert_close(value('"a" - "b"'), -value('"b" - "a"'))


def test_evaluation_follows_the_tree_and_remembers_it():
    toy = Toy()
    a, b = (toy.text(letter).values for letter in "ab")
    point = evaluate(parse('2 * "a" - ("b" - "a") / 2'), toy)
    assert_close(point.values, 2 * a - (b - a) / 2)
    assert point.expressions == ('2 * "a" - ("b" - "a") / 2',)
    # Negative control: the same words grouped otherwise are another point.
    assert not torch.allclose(evaluate(parse('2 * "a" - "b" - "a" / 2'), toy).values, point.values)


def test_calls_are_the_geometry():
    toy = Toy()
    a, b, c = (toy.text(letter).flat for letter in "abc")

    def value(source: str) -> torch.Tensor:
        return evaluate(parse(source), toy).flat

    assert_close(value('slerp("a", "b", 0.3)'), slerp(a, b, 0.3))
    assert_close(value('slerp("a", "b", 0)'), a)
    assert_close(value('lerp("a", "b", 0.25)'), 0.75 * a + 0.25 * b)
    assert_close(value('squad("a", "b", "c", 1)'), b)
    weights = torch.tensor([3.0, 1.0, 1.0], dtype=torch.float64)
    assert_close(value('mean("a", "b", "c", 3, 1, 1)')[0], frechet_mean(torch.cat([a, b, c]), weights))
    assert_close(value('mean("a", "b")'), value('mean("b", "a")'))
    assert_close(value('norm("a")'), a / a.norm())


def test_norm_is_the_length_of_the_spaces_own_points(refused):
    gaussian = evaluate(parse('norm("a" + "b")'), Toy(Geometry.GAUSSIAN))
    assert float(gaussian.values.norm()) == pytest.approx(5**0.5)
    with refused(GeometryError, "zero vector", "norm(…)"):
        evaluate(parse('norm("a" - "a")'), Toy())


def test_an_operand_is_encoded_once_however_often_it_occurs():
    toy = Toy()
    evaluate(parse('"a" + 2 * "a" - slerp("a", "b", 0.5)'), toy)
    assert sorted(toy.asked) == ["a", "b"]


def test_mixed_spaces_and_missing_operands_are_refused(refused):
    for source in ('"a" + img("fox.png")', 'slerp("a", img("fox.png"), 0.5)'):
        with refused(SpaceError, "other space", "latent space of toy"):
            evaluate(parse(source), Toy())
    with refused(SpaceError, "no items", "item('3')"):
        evaluate(parse('"a" + item("3")'), Toy())


@pytest.mark.parametrize(
    ("tree", "code", "fact"),
    [
        (Number(1.0), "number", "the number 1"),
        (Add(A, Number(1.0)), "number", "the number 1"),
        (Given("a place"), "no source", 'given("a place")'),
        (Call("squad", (A,)), "arguments", 'squad("a")'),
        (Call("mean", ()), "no source", "mean()"),
        (Call("nothing", (A,)), "arguments", 'nothing("a")'),
    ],
)
def test_trees_that_no_source_could_make_are_refused(refused, tree, code, fact):
    with refused(ExpressionError, code, fact):
        evaluate(tree, Toy())


def test_a_tree_too_deep_is_refused_before_the_stack_is_spent(refused):
    tree: Node = A
    for _ in range(MAX_DEPTH):
        tree = Scale(2.0, tree)
    with refused(ExpressionError, "too deep", f"{MAX_DEPTH + 1} steps"):
        evaluate(tree, Toy())


@pytest.mark.parametrize(
    ("document", "code", "fact"),
    [
        (None, "tree", "None"),
        ([], "tree", "[]"),
        ({"node": "Node"}, "tree", "'Node'"),
        ({"node": []}, "tree", "{'node': []}"),
        ({"node": "Text"}, "tree value", "None as the text"),
        ({"node": "Text", "text": 3}, "tree value", "3 as the text"),
        ({"node": "Scale", "factor": float("nan"), "operand": A.to_json()}, "tree value", "nan as the factor"),
        ({"node": "Scale", "factor": 10**400, "operand": A.to_json()}, "tree value", "000 as the factor"),
        ({"node": "Scale", "factor": True, "operand": A.to_json()}, "tree value", "True as the factor"),
        ({"node": "Call", "name": "eval", "arguments": []}, "tree value", "'eval' as the name"),
        ({"node": "Call", "name": "mean", "arguments": "a"}, "tree value", "'a' as the arguments"),
        ({"node": "Add", "left": A.to_json()}, "tree", "None"),
    ],
)
def test_json_that_is_no_tree_is_refused(refused, document, code, fact):
    with refused(ExpressionError, code, fact):
        from_json(document)


def test_json_too_deep_is_refused(refused):
    document = A.to_json()
    for _ in range(5000):
        document = {"node": "Scale", "factor": 1.0, "operand": document}
    with refused(ExpressionError, "tree", f"at most {MAX_DEPTH} deep"):
        from_json(document)


@pytest.mark.parametrize("minus", ["-", "−", "–"])
@pytest.mark.parametrize("quotes", ['""', "''", "“”", "‘’", "””", "„“"])
def test_signs_and_quotes_as_phones_and_word_processors_write_them(minus, quotes):
    one, two = (f"{quotes[0]}{text}{quotes[1]}" for text in ("a king", "a man"))
    assert parse(f"{one} {minus} {two}") == Sub(Text("a king"), Text("a man"))
    assert parse(f"{minus}{one}") == Scale(-1.0, Text("a king"))


def test_apostrophes_do_not_close_a_text():
    assert parse("‘a man’s hat’") == Text("a man’s hat")
    assert parse("a man’s hat") == Text("a man’s hat")


@pytest.mark.parametrize(
    "sentence",
    ['a sign that says "hello"', 'a 6" nail', '"hello" says the sign', "a “red” fox", "a ‘red’ fox", 'a "b\\c" d'],
)
def test_the_advice_for_a_sentence_with_quotation_marks_works(sentence):
    with pytest.raises(ExpressionError) as caught:
        parse(sentence)
    advice = str(caught.value).rpartition("; write ")[2].removesuffix(" for one text.")
    assert parse(advice) == Text(sentence)


@pytest.mark.parametrize("source", ["king − man", "king−man", "king – man", "− man"])
def test_arithmetic_between_bare_words_is_refused_with_any_minus(source, refused):
    with refused(ExpressionError, "unquoted", source):
        parse(source)
