"""Errors: one line, a kind and a code each; and the check of them that the other tests use can fail."""

from __future__ import annotations

import pytest

from thoughtspace.explorer.errors import ModelError, SpaceError, ThoughtspaceError


def test_an_error_has_a_code_and_is_a_value_error():
    error = SpaceError("Got seed -1, expected a whole number.", code="seed")
    assert (error.code, str(error)) == ("seed", "Got seed -1, expected a whole number.")
    assert isinstance(error, ValueError)
    assert ThoughtspaceError().code == ""


def test_the_right_error_passes(refused):
    with refused(ModelError, "steps", "0", "1000"):
        raise ModelError("Got steps 0, expected a whole number from 1 to 1000.", code="steps")


@pytest.mark.parametrize(
    "wrong",
    [
        SpaceError("Got steps 0.", code="steps"),
        ModelError("Got steps 0.", code="guidance"),
        ModelError("Got steps 0."),
        ModelError("Got steps 7.", code="steps"),
        ModelError("Got steps 0,\nexpected more.", code="steps"),
    ],
)
def test_a_wrong_error_or_a_wrong_reason_does_not(refused, wrong):
    """Negative control."""
    with pytest.raises(AssertionError), refused(ModelError, "steps", "0"):
        raise wrong


def test_no_error_at_all_does_not_pass_either(refused):
    with pytest.raises(pytest.fail.Exception), refused(ModelError, "steps"):
        pass
