"""Random changes of an image and its lesion mask, together, as a recipe says. Torch-free."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dermoscope.images import shades_of_gray
from dermoscope.training.augmentation.geometry import symmetry, zoom
from dermoscope.training.augmentation.overlays import frame, hair, ink
from dermoscope.training.augmentation.photometry import blur, colour, jpeg
from dermoscope.training.augmentation.randaugment import rand_augment
from dermoscope.training.recipes.augmentation import AugmentationPart

__all__ = ["augment"]


def augment(
    rgb: NDArray[np.uint8], mask: NDArray[np.bool_], part: AugmentationPart, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """One random variant of an image and its mask; the same state of the generator gives the same one.

    The order is that of the world: where the camera stands, what lies on the skin, light and lens, then the file, then
    what software does to it. A mask that is not empty stays so.

    Args:
        rgb: `[H, W, 3]`, 8-bit; it is not changed.
        mask: `[H, W]`, true on the lesion; it is not changed.
        part: How often and how far.
        random: Where every draw comes from.

    Returns:
        Image and mask of the same height and width, or `[W, H, 3]` and `[W, H]` after a quarter turn.
    """
    if random.random() < part.symmetry.probability:
        rgb, mask = symmetry(rgb, mask, random)
    if random.random() < part.zoom.probability:
        rgb, mask = zoom(rgb, mask, part.zoom, random)
    if random.random() < part.hair.probability:
        rgb = hair(rgb, part.hair, random)
    if random.random() < part.ink.probability:
        rgb = ink(rgb, part.ink, random)
    if random.random() < part.colour.probability:
        rgb = colour(rgb, part.colour, random)
    if random.random() < part.frame.probability:
        rgb, mask = frame(rgb, mask, part.frame, random)
    if random.random() < part.blur.probability:
        rgb = blur(rgb, part.blur, random)
    if random.random() < part.jpeg.probability:
        rgb = jpeg(rgb, part.jpeg, random)
    # What is left out draws nothing: so recipes that are older than these two keep their numbers.
    if part.constancy.probability and random.random() < part.constancy.probability:
        rgb = shades_of_gray(rgb, part.constancy.power)
    if part.rand_augment.probability and random.random() < part.rand_augment.probability:
        rgb = rand_augment(rgb, part.rand_augment, random)
    return rgb, mask
