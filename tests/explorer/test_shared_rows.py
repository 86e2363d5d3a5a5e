"""Rows that are one: computed once, with the same result."""

import torch
from torch import nn

from thoughtspace.explorer.models.generator import Conditioning
from thoughtspace.explorer.models.shared_rows import SharedRowLinear, is_one_row


def test_one_row_expanded_is_computed_once_and_the_same():
    layer = nn.Linear(6, 4)
    once = SharedRowLinear.of(layer)
    assert once.weight is layer.weight
    shown = torch.randn(1, 5, 6).expand(8, 5, 6)
    result = once(shown)
    assert is_one_row(result)
    torch.testing.assert_close(result, layer(shown))


def test_rows_that_differ_are_computed_each():
    layer = nn.Linear(6, 4, bias=False)
    rows = torch.randn(8, 5, 6)
    result = SharedRowLinear.of(layer)(rows)
    assert not is_one_row(result)
    torch.testing.assert_close(result, layer(rows))


def test_guidance_stacks_equal_sides_as_one_row_and_others_as_they_are():
    one, other = torch.randn(1, 3).expand(4, 3), torch.randn(1, 3).expand(4, 3)
    same = Conditioning({"states": one}, {"states": one}).both["states"]
    assert is_one_row(same)
    torch.testing.assert_close(same, torch.cat([one, one]))
    for negative, positive in ((other, one), (one, torch.randn(4, 3))):
        stacked = Conditioning({"states": positive}, {"states": negative}).both["states"]
        assert not is_one_row(stacked)
        torch.testing.assert_close(stacked, torch.cat([negative, positive]))
