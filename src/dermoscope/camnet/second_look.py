"""Where a network looks again: from a class activation map to the square that is cut out. Torch-free.

References:
    Jia and Shen, Skin Lesion Classification Using Class Activation Map, arXiv 1703.01053, 2017: look, crop, look again.
    Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016: the threshold and the largest piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from dermoscope.images.lesion_crops import Box, lesion_crops

LookRule = Literal["map", "peak", "mask", "random", "full"]
"""What decides about the square; see `LookRules`."""

Reason = Literal["", "no evidence", "too small", "too large", "no lesion"]
"""Why the whole view was taken; empty where it was not."""

_GRID = 224  # cells along a side, to which a map is enlarged before it is cut off at its threshold

Share = Annotated[float, Field(gt=0.0, le=1.0)]


class LookRules(BaseModel):
    """How the square is found.

    Attributes:
        rule: `map` takes the largest connected piece of the view where the class activation map is at least `threshold`
            of its maximum; `peak` a window of fixed size around that maximum; `mask` the box of a lesion mask; `random`
            a square as large as that of `map`, anywhere, which tells what cutting by itself is worth; `full` the view.
        threshold: Share of the maximum.
        margin: Room on each side of the box, as a share of its longer side.
        window: Side of the window of `peak`, as a share of the view's shorter side.
        smallest: Share of the view below which the box of a map is not believed.
        largest: Share of the view above which it is not worth cutting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rule: LookRule = "map"
    threshold: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    margin: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    window: Share = 0.5
    smallest: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.05
    largest: Share = 0.95


@dataclass(frozen=True)
class SecondLook:
    """What is cut out of an image.

    Attributes:
        box: In pixels of the image.
        reason: Why it is the whole view; empty where it is not, or nothing else was asked for.
    """

    box: Box
    reason: Reason = ""


def second_look(
    cam: NDArray[np.floating],
    view: Box,
    rules: LookRules,
    *,
    mask: NDArray[np.bool_] | None = None,
    random: np.random.Generator | None = None,
) -> SecondLook:
    """The square that a network looks at again.

    Args:
        cam: `[h, w]`, class activation map of the class that the network decided for; never of the true one, which
            would tell the second look the answer.
        view: What the network saw, in pixels of the image.
        rules: How the square is found.
        mask: `[h, w]` of any size over the view, true on the lesion; for the rule `mask`.
        random: Draws the place; for the rule `random`.

    Returns:
        A square inside the view, or the whole view where the map has no positive value, or its box is smaller or larger
        than is believed.

    Raises:
        ValueError: If the map is not finite or not `[h, w]`, the view is empty, or the rule lacks what it needs.
    """
    if cam.ndim != 2 or not cam.size or not np.isfinite(cam).all():
        raise ValueError(f"the map has shape {cam.shape}; it must be [height, width] and finite")
    left, top, right, bottom = view
    if not (left < right and top < bottom):
        raise ValueError(f"view {view} is empty")
    if rules.rule == "full":
        return SecondLook(view)
    if rules.rule == "mask":
        if mask is None:
            raise ValueError("the rule 'mask' needs a mask")
        if not mask.any():
            return _whole(view, "no lesion")
        size = right - left, bottom - top
        over = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        x, y, x_end, y_end = lesion_crops(over, margin=rules.margin)["tight"]
        return SecondLook((left + x, top + y, left + x_end, top + y_end))
    if not (cam > 0).any():
        return _whole(view, "no evidence")
    fine = cv2.resize(np.asarray(cam, np.float32), (_GRID, _GRID), interpolation=cv2.INTER_LINEAR)
    if rules.rule == "peak":
        row, column = np.unravel_index(int(fine.argmax()), fine.shape)
        side = rules.window * min(right - left, bottom - top)
        return SecondLook(_square(_point(view, column + 0.5, row + 0.5), side, view))
    count, _, pieces, _ = cv2.connectedComponentsWithStats((fine >= rules.threshold * fine.max()).astype(np.uint8))
    largest = 1 + int(pieces[1:count, cv2.CC_STAT_AREA].argmax())
    x, y, across, down = (int(value) for value in pieces[largest, :4])
    if across * down > rules.largest * _GRID**2:
        return _whole(view, "too large")
    if across * down < rules.smallest * _GRID**2:
        return _whole(view, "too small")
    wide, high = across / _GRID * (right - left), down / _GRID * (bottom - top)
    side = max(wide, high) * (1 + 2 * rules.margin)
    centre = _point(view, x + across / 2, y + down / 2)
    if rules.rule == "random":
        if random is None:
            raise ValueError("the rule 'random' needs a generator")
        centre = _point(view, *random.uniform(0, _GRID, 2).tolist())
    return SecondLook(_square(centre, side, view))


def _whole(view: Box, reason: Reason) -> SecondLook:
    return SecondLook(view, reason)


def _point(view: Box, column: float, row: float) -> tuple[float, float]:
    """Cells of the fine grid in pixels of the image."""
    left, top, right, bottom = view
    return left + column / _GRID * (right - left), top + row / _GRID * (bottom - top)


def _square(centre: tuple[float, float], side: float, view: Box) -> Box:
    """The square around a centre, moved into the view."""
    left, top, right, bottom = view
    pixels = max(1, min(round(side), right - left, bottom - top))
    x = min(max(left, round(centre[0] - pixels / 2)), right - pixels)
    y = min(max(top, round(centre[1] - pixels / 2)), bottom - pixels)
    return x, y, x + pixels, y + pixels
