"""Thin pictures, cut before an encoder enlarges them."""

from __future__ import annotations

from PIL import Image

MOST = 16
"""Long side over short side up to which a picture is left whole: longer than any usual panorama."""


def middle(picture: Image.Image, *, most: int = MOST) -> Image.Image:
    """The middle of a picture that is more than `most` times as long as it is wide; any other as it is.

    Encoders that enlarge a picture until its short side fits, and then keep its central square, need memory for all the
    rest: 9 GB for a line of 400,000 pixels. Here the rest goes first, but for a margin that resampling looks into.

    >>> middle(Image.new("L", (400_001, 1))).size
    (17, 1)
    """
    width, height = picture.size
    longest = most * min(width, height)
    if max(width, height) <= longest:
        return picture
    longest += (max(width, height) - longest) % 2  # so that as much goes on both sides
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return picture.crop((left, top, width - left, height - top))
