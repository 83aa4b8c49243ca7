"""RandAugment: a few changes of colour, all as strong, drawn from one list. Torch-free.

Reference: Cubuk et al., RandAugment: Practical automated data augmentation with a reduced search space, NeurIPS 2020
(arXiv 1909.13719). Its shifts, shears and turns are left to `zoom`, which moves the mask as well. The libraries that
have it draw from global state; here every draw comes from the sample's own generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from dermoscope.training.recipes.augmentation import LARGEST_MAGNITUDE, RandAugmentPart

_Operation = Callable[[Image.Image, float, int], Image.Image]
_FARTHEST = 0.9  # of an enhancement: from a tenth to nearly twice
_BITS_LOST = 4


def _enhanced(
    kind: Callable[[Image.Image], ImageEnhance._Enhance], image: Image.Image, strength: float, sign: int
) -> Image.Image:
    return kind(image).enhance(1 + sign * _FARTHEST * strength)


OPERATIONS: Mapping[str, _Operation] = {
    "identity": lambda image, _strength, _sign: image,
    "autocontrast": lambda image, _strength, _sign: ImageOps.autocontrast(image),
    "equalize": lambda image, _strength, _sign: ImageOps.equalize(image),
    "posterize": lambda image, strength, _sign: ImageOps.posterize(image, 8 - round(_BITS_LOST * strength)),
    "solarize": lambda image, strength, _sign: ImageOps.solarize(image, round(256 * (1 - strength))),
    "saturation": partial(_enhanced, ImageEnhance.Color),
    "contrast": partial(_enhanced, ImageEnhance.Contrast),
    "brightness": partial(_enhanced, ImageEnhance.Brightness),
    "sharpness": partial(_enhanced, ImageEnhance.Sharpness),
}
"""By name: from an image, a strength 0 to 1, and a sign, to the changed image."""


def rand_augment(rgb: NDArray[np.uint8], part: RandAugmentPart, random: np.random.Generator) -> NDArray[np.uint8]:
    """Several changes after each other, each as likely as the others; one may come twice.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        part: How many, and how strong.
        random: Draws the changes and their signs.
    """
    image, strength = Image.fromarray(rgb), part.magnitude / LARGEST_MAGNITUDE
    for name in random.choice(list(OPERATIONS), part.operations).tolist():
        image = OPERATIONS[name](image, strength, 1 if random.random() < 0.5 else -1)
    return np.array(image)
