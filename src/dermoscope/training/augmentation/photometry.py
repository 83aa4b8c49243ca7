"""Changes of colour and sharpness, which leave the mask alone. Torch-free."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.training.recipes.augmentation import BlurPart, ColourPart, JPEGPart

_LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the grey of ITU-R BT.601."""


def colour(rgb: NDArray[np.uint8], part: ColourPart, random: np.random.Generator) -> NDArray[np.uint8]:
    """Another light, camera or skin: all changes of colour as one affine map of the three channels.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        part: How far.
        random: Draws the changes.
    """
    brightness, contrast, saturation = 1 + random.uniform(-1, 1, 3) * (part.brightness, part.contrast, part.saturation)
    gains = 1 + random.uniform(-1, 1, 3) * part.white_balance
    turn = hue_turn(np.deg2rad(part.hue) * random.uniform(-1, 1))
    grey = np.tile(_LUMA, (3, 1))
    mixing = gains[:, None] * (turn @ (saturation * np.eye(3) + (1 - saturation) * grey))
    mean = mixing @ cv2.mean(rgb)[:3]
    matrix = np.column_stack([brightness * contrast * mixing, brightness * (1 - contrast) * mean])
    return np.asarray(cv2.transform(rgb, matrix), dtype=np.uint8)


def hue_turn(angle: float) -> NDArray[np.float64]:
    """The rotation of RGB space around its grey axis, `[3, 3]`; by a third of a turn red becomes green.

    Args:
        angle: In radians.
    """
    axis = np.full(3, 1 / np.sqrt(3))
    turn, _ = cv2.Rodrigues(angle * axis)
    return np.asarray(turn, dtype=np.float64)


def blur(rgb: NDArray[np.uint8], part: BlurPart, random: np.random.Generator) -> NDArray[np.uint8]:
    """The image out of focus.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        part: How far.
        random: Draws the width of the Gaussian.
    """
    sigma = random.uniform(*part.sigma) / 1000 * min(rgb.shape[:2])
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma), dtype=np.uint8)


def jpeg(rgb: NDArray[np.uint8], part: JPEGPart, random: np.random.Generator) -> NDArray[np.uint8]:
    """The image after it was written as JPEG and read.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        part: How strongly it is compressed.
        random: Draws the quality.
    """
    quality = int(random.integers(part.quality[0], part.quality[1], endpoint=True))
    _, file = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)
