"""What an image may be at most, checked in its header before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

_LARGEST_SIDE = 65_535


class RefusedError(ValueError):
    """The image is whole but not acceptable; the message is the reason, and continues "This file ..."."""


@dataclass(frozen=True)
class Limits:
    """Limits on the size of an image.

    Attributes:
        max_pixels: On width times height.
        min_side: Of the shorter side, in pixels.
    """

    max_pixels: int
    min_side: int

    def check(self, width: int, height: int) -> None:
        """Refuse an image by its size in pixels.

        Raises:
            RefusedError: If it is empty, too small or too large.
        """
        if width <= 0 or height <= 0:
            raise RefusedError("has no pixels")
        if min(width, height) < self.min_side:
            raise RefusedError(f"is too small: {width:,} × {height:,} pixels; each side needs at least {self.min_side}")
        if width * height > self.max_pixels or max(width, height) > _LARGEST_SIDE:
            raise RefusedError(
                f"is too large: {width:,} × {height:,} pixels; the limit is {self.max_pixels:,} in all "
                f"and {_LARGEST_SIDE:,} a side"
            )
