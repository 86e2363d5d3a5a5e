"""The commands on probes and concepts, on a small model."""

from __future__ import annotations

import json

import pytest

from thoughtspace.dashboards.cli import main


def answered(capsys, *arguments) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments) -> str:
    assert main([*map(str, arguments)]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    return error


def test_explain_answers_with_words_and_the_rest(tiny_model, tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("a red fox\na blue cat\n\na red fox\na smiling face\n", encoding="utf-8")
    page = tmp_path / "figure.html"
    how = ["--model", tiny_model, "--vocabulary", words, "--penalty", 0.1, "--plot", page]
    told = answered(capsys, "explain", "a red fox", *how)
    point = told["points"][0]
    assert point["words"][0]["word"] == "a red fox"
    assert point["rest"] == pytest.approx((1 - point["cosine"]["value"] ** 2) ** 0.5, abs=1e-6)
    assert told["n_words"] == 3
    assert "plotly" in page.read_text(encoding="utf-8")
    assert answered(capsys, "explain", "a red fox", "--model", tiny_model)["vocabulary"] == "the pocket world"


def test_a_vocabulary_that_cannot_be_used_is_refused(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("one\n")
    assert "1 words" in refusal(capsys, "explain", "a fox", "--vocabulary", words)
    words.write_bytes(b"caf\xe9\nfox\n")
    assert "UTF-8" in refusal(capsys, "explain", "a fox", "--vocabulary", words)
    assert "none.txt" in refusal(capsys, "explain", "a fox", "--vocabulary", tmp_path / "none.txt")
