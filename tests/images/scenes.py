"""Synthetic dermoscopic scenes with a frame, a circle, or nothing around them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

RGB = NDArray[np.uint8]
Mask = NDArray[np.bool_]

LIGHT_SKIN = (222, 170, 150)
DARK_SKIN = (92, 62, 48)


def skin(width: int, height: int, colour: tuple[int, int, int] = LIGHT_SKIN) -> RGB:
    """Even skin with fine and coarse texture, as under a dermatoscope; texture scales with the size."""
    random = np.random.default_rng(5)
    texture = np.zeros((height, width), np.float32)
    for side, strength in ((256, 0.03), (128, 0.04), (64, 0.05)):
        rows = max(2, round(side * height / max(width, height)))
        columns = max(2, round(side * width / max(width, height)))
        noise = random.normal(0, strength, (rows, columns)).astype(np.float32)
        texture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return (np.array(colour) * (1 + texture[..., None])).clip(0, 255).astype(np.uint8)


def disc(width: int, height: int, radius: float, centre: tuple[float, float] | None = None) -> Mask:
    """Which pixels lie in a disc, in the middle unless told."""
    x, y = centre or ((width - 1) / 2, (height - 1) / 2)
    rows, columns = np.ogrid[:height, :width]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)


def with_lesion(rgb: RGB, radius: float, colour: tuple[int, int, int] = (70, 45, 38)) -> RGB:
    """The scene with a dark lesion in the middle."""
    height, width = rgb.shape[:2]
    marked = rgb.copy()
    marked[disc(width, height, radius)] = colour
    return marked


def framed(rgb: RGB, radius: float, centre: tuple[float, float] | None = None, black: int = 8) -> RGB:
    """The scene seen through a round opening."""
    height, width = rgb.shape[:2]
    seen = rgb.copy()
    seen[~disc(width, height, radius, centre)] = black
    return seen
