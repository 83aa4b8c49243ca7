"""What a person gives to make a mask: clicks and a box, checked against the image. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

UserBox = tuple[float, float, float, float]


class PromptError(ValueError):
    """Clicks or a box that cannot be meant for this image; the message names them and what is possible."""


def check_clicks(
    points: ArrayLike, labels: ArrayLike | None, width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Clicks that lie on the image.

    Args:
        points: `[P, 2]`, x and y in pixels.
        labels: `[P]`, 1 on the lesion and 0 on the background; all 1 if left out.
        width: Of the image in pixels.
        height: Of the image in pixels.

    Returns:
        Points `[P, 2]` and labels `[P]`.

    Raises:
        PromptError: If they do not fit together, or one lies outside.
    """
    try:
        where = np.asarray(points, np.float32)
        kinds = np.ones(len(where), np.int64) if labels is None else np.asarray(labels, np.int64)
    except (TypeError, ValueError):
        raise PromptError("points: expected pairs of numbers, x and y in pixels, and labels 0 or 1") from None
    if not where.size:
        where = np.zeros((0, 2), np.float32)
    if where.ndim != 2 or where.shape[1] != 2:
        raise PromptError(f"points: expected pairs of x and y, got an array of shape {where.shape}")
    if kinds.shape != (len(where),):
        raise PromptError(f"{len(where)} points need as many labels, got {kinds.size}")
    if not np.isin(kinds, (0, 1)).all():
        raise PromptError(f"labels: expected 1 for lesion and 0 for background, got {sorted(set(kinds.tolist()))}")
    for x, y in where.tolist():
        if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            raise PromptError(
                f"the click {x:g},{y:g} lies outside the image; x goes from 0 to {width - 1}, y from 0 to {height - 1}"
            )
    return where, kinds


def box_inside(box: UserBox, width: int, height: int) -> UserBox:
    """The part of a box that lies on the image.

    Args:
        box: Left, top, right, bottom in pixels.
        width: Of the image in pixels.
        height: Of the image in pixels.

    Raises:
        PromptError: If there is none, or its sides are no numbers in order.
    """
    left, top, right, bottom = check_box(box)
    if not (left < width and right > 0 and top < height and bottom > 0):
        sides = ",".join(f"{side:g}" for side in box)
        raise PromptError(f"the box {sides} lies outside the image of {width} × {height} pixels")
    return max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))


def check_box(box: Sequence[float]) -> UserBox:
    """A box whose sides are numbers in order.

    Args:
        box: Left, top, right, bottom in pixels.

    Raises:
        PromptError: If they are not.
    """
    try:
        left, top, right, bottom = (float(side) for side in box)
    except (TypeError, ValueError):
        raise PromptError(f"box: expected four numbers, left, top, right and bottom, got {box!r}") from None
    if not (np.isfinite([left, top, right, bottom]).all() and left < right and top < bottom):
        raise PromptError(
            f"the box {left:g},{top:g},{right:g},{bottom:g} is empty; left must be smaller than right, and top smaller "
            "than bottom"
        )
    return left, top, right, bottom
