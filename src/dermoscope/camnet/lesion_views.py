"""What a network sees of an image: cleaned, then cut into squares around the lesion. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from dermoscope.images import remove_outer_circle
from dermoscope.images.colour_constancy import shades_of_gray
from dermoscope.images.hair import remove_hair
from dermoscope.images.lesion_crops import CROPS, Crop, cut, lesion_crops


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
        names: Which; more than one needs a mask.
        middle: Size of the middle square; see `dermoscope.images.lesion_crops`.
        margin: Room around the lesion in the tight square, as a share of the lesion's side.
    """

    names: Annotated[tuple[Crop, ...], Field(min_length=1)] = ("full",)
    middle: Literal["geometric", "arithmetic"] | Annotated[float, Field(gt=0.0, le=1.0)] = "geometric"
    margin: Annotated[float, Field(ge=0.0)] = 0.0

    @field_validator("names")
    @classmethod
    def _each_once(cls, names: tuple[Crop, ...]) -> tuple[Crop, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"a crop stands there twice; known: {', '.join(CROPS)}")
        return names


def lesion_views(
    rgb: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    cleaning: Cleaning,
    rules: CropRules,
    side: int,
    *,
    find: Callable[[NDArray[np.uint8]], NDArray[np.bool_]] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Clean an image and cut its C squares.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        mask: `[H, W]`, true on the lesion; none where there is no lesion, or `find` is to find it.
        cleaning: What is done to the image first.
        rules: Which squares.
        side: Of every square, in pixels.
        find: Finds the lesion of a cleaned image that comes without a mask.

    Returns:
        Squares `[C, side, side, 3]`, and their masks `[C, side, side]`, 255 on the lesion. Without a lesion all squares
        are the largest one.
    """
    if cleaning.outer_circle:
        removal = remove_outer_circle(rgb)
        left, top, right, bottom = removal.box
        rgb = removal.rgb
        mask = None if mask is None else mask[top:bottom, left:right]
    if cleaning.hair:
        rgb = remove_hair(rgb).rgb
    if cleaning.colour_constancy:
        rgb = shades_of_gray(rgb)
    if mask is None:
        mask = find(rgb) if find else np.zeros(rgb.shape[:2], np.bool_)
    boxes = lesion_crops(mask, middle=rules.middle, margin=rules.margin)
    shades = np.where(mask, np.uint8(255), np.uint8(0))
    squares, lesions = [], []
    for name in rules.names:
        left, top, right, bottom = boxes[name]
        squares.append(cut(rgb, boxes[name], side))
        way = cv2.INTER_AREA if side < right - left else cv2.INTER_LINEAR
        lesions.append(cv2.resize(shades[top:bottom, left:right], (side, side), interpolation=way))
    return np.stack(squares), np.stack(lesions).astype(np.uint8)
