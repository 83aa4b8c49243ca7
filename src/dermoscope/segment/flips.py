"""One decoder on several flips of an image: the mean of its answers is steadier than any one of them.

Torch-free. Every flip costs a pass of the encoder. With LiteMedSAM as it was published and automatic boxes, on 120 ISIC
2018 validation images at 512 pixels: mean Dice 0.811 without flips, 0.814 with `hflip`, 0.810 with all four; mean
thresholded Jaccard 0.639, 0.659 and 0.654.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from dermoscope.segment.prompted_decoder import PromptedDecoder
from dermoscope.segment.prompts import BOX_LABELS, Prompt

P = TypeVar("P", np.float32, np.uint8)

Flip = Literal["original", "hflip", "vflip", "rot180"]
"""The flips of an image that keep its sides, the image itself among them; names are those of `images.symmetries`."""

_AXES: Mapping[Flip, tuple[int, ...]] = {"original": (), "hflip": (1,), "vflip": (0,), "rot180": (0, 1)}


class FlippedDecoder:
    """Decodes prompts on several flips of one image and returns the mean; called like a `PromptedDecoder`.

    Args:
        decoders: One for each flip, all for images of the same shape; prompts are given on the unflipped image.
        shape: Height and width in pixels of the image that prompts are given on.
    """

    def __init__(self, decoders: Mapping[Flip, PromptedDecoder], shape: tuple[int, int]) -> None:
        self._decoders = decoders
        self._image_shape = shape

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the logits it returns."""
        return next(iter(self._decoders.values())).shape

    @property
    def takes_previous(self) -> bool:
        """Whether a prompt may have an earlier mask."""
        return next(iter(self._decoders.values())).takes_previous

    def __call__(self, prompts: Sequence[Prompt]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Decode prompts in one batch a flip.

        Args:
            prompts: With positions in pixels of the unflipped image.

        Returns:
            Mask logits `[N, 4, h, w]` over the unflipped image, and predicted overlaps `[N, 4]`, both means over flips.
        """
        answers = [
            (flip, decode([flip_prompt(prompt, flip, self._image_shape) for prompt in prompts]))
            for flip, decode in self._decoders.items()
        ]
        logits = np.mean([flip_pixels(masks, flip, first_axis=2) for flip, (masks, _) in answers], axis=0)
        overlaps = np.mean([overlaps for _, (_, overlaps) in answers], axis=0)
        return np.asarray(logits, np.float32), np.asarray(overlaps, np.float32)


def flip_pixels(pixels: NDArray[P], flip: Flip, *, first_axis: int = 0) -> NDArray[P]:
    """An array of pixels, flipped; flipping twice gives the array back.

    Args:
        pixels: With rows along `first_axis` and columns along the next.
        flip: Which flip.
        first_axis: Where the rows are.
    """
    axes = tuple(axis + first_axis for axis in _AXES[flip])
    return np.ascontiguousarray(np.flip(pixels, axes))


def flip_prompt(prompt: Prompt, flip: Flip, shape: tuple[int, int]) -> Prompt:
    """The prompt that means the same on the flipped image.

    Clicks name pixels, from 0 to side - 1; the sides of a box lie between pixels, from 0 to side.

    Args:
        prompt: On the unflipped image.
        flip: Which flip.
        shape: Height and width of the image in pixels.
    """
    points = prompt.points.copy()
    corners = np.isin(prompt.labels, BOX_LABELS)
    for axis in _AXES[flip]:
        column = 1 - axis
        points[:, column] = shape[axis] - points[:, column] - np.where(corners, 0, 1)
        if corners.any():
            points[corners, column] = np.sort(points[corners, column])
    previous = None if prompt.previous is None else flip_pixels(prompt.previous, flip)
    return replace(prompt, points=points.astype(np.float32), previous=previous)
