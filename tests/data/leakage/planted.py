"""Pictures that look like dermoscopic images, and every kind of copy that a leak check must find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]


def lesion_picture(seed: int, width: int = 240, height: int = 180) -> Picture:
    """`[height, width, 3]`: a brown blob with structure and a few hairs on skin, in the middle like all of them."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    angle = np.arctan2(rows - height / 2, columns - width / 2)
    radius = np.hypot((rows - height / 2) / height, (columns - width / 2) / width)
    edge = 0.22 + 0.02 * random.standard_normal()
    for wave in range(2, 7):
        edge = edge + 0.025 * random.standard_normal() * np.cos(wave * angle + random.uniform(0, 6))
    inside = 1 / (1 + np.exp((radius - edge) * 60))
    noise = sum(
        weight * cv2.resize(random.standard_normal((size, size)), (width, height), interpolation=cv2.INTER_CUBIC)
        for size, weight in ((6, 8.0), (12, 9.0), (24, 7.0), (48, 4.0))
    )
    grey = 190 - 90 * inside + noise * (0.3 + inside)
    picture = np.clip(grey[..., None] * np.array([1.0, 0.82, 0.72]), 0, 255).astype(np.uint8)
    for _ in range(int(random.integers(0, 4))):
        ends = random.integers(0, (width, height), (2, 2))
        cv2.line(picture, ends[0].tolist(), ends[1].tolist(), (60, 45, 40), 2, cv2.LINE_AA)
    return np.asarray(picture)


def cropped(left: float, top: float, right: float, bottom: float) -> Callable[[Picture], Picture]:
    """Cut fractions of width and height off the four sides."""

    def cut(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        rows = slice(round(top * height), round((1 - bottom) * height))
        return picture[rows, round(left * width) : round((1 - right) * width)]

    return cut


def smaller(picture: Picture) -> Picture:
    """At 60 % of its size."""
    size = (picture.shape[1] * 6 // 10, picture.shape[0] * 6 // 10)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


CHANGES: Mapping[str, Callable[[Picture], Picture]] = MappingProxyType(
    {
        "re-encoded": lambda picture: picture,
        "smaller": smaller,
        "flipped left to right": lambda picture: picture[:, ::-1],
        "flipped upside down": lambda picture: picture[::-1],
        "turned by 90": lambda picture: np.rot90(picture),
        "turned by 180": lambda picture: np.rot90(picture, 2),
        "turned by 270": lambda picture: np.rot90(picture, 3),
        "cropped by 5 % around": cropped(0.025, 0.025, 0.025, 0.025),
        "cropped by 5 % a side": cropped(0.05, 0.05, 0.05, 0.05),
        "cropped by 5 % at a corner": cropped(0.05, 0.05, 0, 0),
        "cropped by 5 % at an edge": cropped(0, 0, 0, 0.05),
        "cropped and turned": lambda picture: np.rot90(cropped(0, 0.05, 0.05, 0)(picture)),
        "brighter": lambda picture: np.clip(picture * 0.8 + 40, 0, 255).astype(np.uint8),
    }
)
"""Name to what is done to the pixels before they are encoded again."""


def save_jpeg(picture: Picture, path: Path, quality: int = 75) -> Path:
    Image.fromarray(np.ascontiguousarray(picture)).save(path, quality=quality)
    return path
