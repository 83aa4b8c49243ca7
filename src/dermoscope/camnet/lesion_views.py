"""What a network sees of an image: cleaned, then cut into squares around the lesion. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from dermoscope.images import remove_outer_circle
from dermoscope.images.colour_constancy import shades_of_gray
from dermoscope.images.hair import remove_hair
from dermoscope.images.lesion_crops import CROPS, Box, cut, lesion_crops

View = Literal["tight", "middle", "full", "whole", "look"]
"""The three squares of `dermoscope.images.lesion_crops`; the whole image, squashed; and where a network looks again."""

VIEWS: tuple[View, ...] = get_args(View)
AROUND_THE_LESION = frozenset({"tight", "middle"})
"""Views that need a lesion mask."""
WHOLE_IMAGE = frozenset({"full", "whole"})
"""Views of all there is, or of the largest square in it; the map of such a one can tell where to look again."""


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Cleaning(_Rules):
    """What is done to an image before anything is cut out of it.

    Attributes:
        outer_circle: Crop to the round view of a dermatoscope; see `dermoscope.images.remove_outer_circle`.
        hair: Paint over hair.
        colour_constancy: Shades of grey.
    """

    outer_circle: bool = True
    hair: bool = False
    colour_constancy: bool = False


class CropRules(_Rules):
    """Squares that are cut out of each image.

    Attributes:
        names: Which; `tight` and `middle` need a mask, `look` needs a box from a network that has looked before.
        middle: Size of the middle square; see `dermoscope.images.lesion_crops`.
        margin: Room around the lesion in the tight square, as a share of the lesion's side.
    """

    names: Annotated[tuple[View, ...], Field(min_length=1)] = ("full",)
    middle: Literal["geometric", "arithmetic"] | Annotated[float, Field(gt=0.0, le=1.0)] = "geometric"
    margin: Annotated[float, Field(ge=0.0)] = 0.0

    @field_validator("names")
    @classmethod
    def _each_once(cls, names: tuple[View, ...]) -> tuple[View, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"a crop stands there twice; known: {', '.join(VIEWS)}")
        return names


class CleanedImage(NamedTuple):
    """An image before anything is cut out of it.

    Attributes:
        rgb: `[h, w, 3]`, 8-bit.
        mask: `[h, w]`, true on the lesion.
        edge: Where its corner lies in the image as it came: left, top.
    """

    rgb: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    edge: tuple[int, int]


class LesionViews(NamedTuple):
    """C squares of an image.

    Attributes:
        squares: `[C, side, side, 3]`, 8-bit.
        masks: `[C, side, side]`, 255 on the lesion.
        boxes: Where each was cut, in pixels of the image as it came.
    """

    squares: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    boxes: tuple[Box, ...]


def lesion_views(
    rgb: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    cleaning: Cleaning,
    rules: CropRules,
    side: int,
    *,
    find: Callable[[NDArray[np.uint8]], NDArray[np.bool_]] | None = None,
    look: Box | None = None,
) -> LesionViews:
    """Clean an image and cut its C squares; see `clean` and `cut_views`."""
    return cut_views(clean(rgb, mask, cleaning, find=find), rules, side, look=look)


def clean(
    rgb: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    cleaning: Cleaning,
    *,
    find: Callable[[NDArray[np.uint8]], NDArray[np.bool_]] | None = None,
) -> CleanedImage:
    """Take from an image what disturbs.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        mask: `[H, W]`, true on the lesion; none where there is no lesion, or `find` is to find it.
        cleaning: What is done.
        find: Finds the lesion of a cleaned image that comes without a mask.
    """
    edge = 0, 0
    if cleaning.outer_circle:
        removal = remove_outer_circle(rgb)
        left, top, right, bottom = removal.box
        rgb, edge = removal.rgb, (left, top)
        mask = None if mask is None else mask[top:bottom, left:right]
    if cleaning.hair:
        rgb = remove_hair(rgb).rgb
    if cleaning.colour_constancy:
        rgb = shades_of_gray(rgb)
    if mask is None:
        mask = find(rgb) if find else np.zeros(rgb.shape[:2], np.bool_)
    return CleanedImage(rgb, mask, edge)


def cut_views(image: CleanedImage, rules: CropRules, side: int, *, look: Box | None = None) -> LesionViews:
    """Cut the C squares of an image.

    Args:
        image: Cleaned.
        rules: Which squares.
        side: Of every square, in pixels.
        look: What the view `look` shows, in pixels of the image as it came.

    Returns:
        The squares; without a lesion, those around it are the largest one.

    Raises:
        ValueError: If `look` is wanted and not given, or lies outside the image.
    """
    rgb, mask, edge = image
    height, width = rgb.shape[:2]
    around = lesion_crops(mask, middle=rules.middle, margin=rules.margin)
    places: dict[View, Box] = {"whole": (0, 0, width, height), **{name: around[name] for name in CROPS}}
    if "look" in rules.names:
        if look is None:
            raise ValueError("the view look needs a box from a network that has looked before")
        places["look"] = _moved(look, edge, width, height)
    shades = np.where(mask, np.uint8(255), np.uint8(0))
    squares, lesions, boxes = [], [], []
    for name in rules.names:
        left, top, right, bottom = places[name]
        squares.append(cut(rgb, places[name], side))
        way = cv2.INTER_AREA if side < right - left else cv2.INTER_LINEAR
        lesions.append(cv2.resize(shades[top:bottom, left:right], (side, side), interpolation=way))
        boxes.append((left + edge[0], top + edge[1], right + edge[0], bottom + edge[1]))
    return LesionViews(np.stack(squares), np.stack(lesions).astype(np.uint8), tuple(boxes))


def _moved(box: Box, edge: tuple[int, int], width: int, height: int) -> Box:
    """A box of the image as it came in pixels of the cleaned one, of which it may stick out by what was cut off."""
    left, top, right, bottom = (value - edge[place % 2] for place, value in enumerate(box))
    return max(0, left), max(0, top), min(width, right), min(height, bottom)
