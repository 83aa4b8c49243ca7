"""Masks whose measures are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[Any]


def ellipse(side: int, long: float, short: float, angle: float = 0.0) -> Mask:
    """An ellipse in the middle of a square, by its half axes and the angle of the long one in degrees."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.asarray(((x * cos + y * sin) / long) ** 2 + ((y * cos - x * sin) / short) ** 2 <= 1)


def half_disc(side: int, radius: float) -> Mask:
    """The lower half of a disc; its flat side is the row in the middle."""
    mask = ellipse(side, radius, radius)
    mask[: side // 2] = False
    return mask


def blob(side: int) -> Mask:
    """Something irregular: a disc with five unequal lobes, longer than wide."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    angle = np.arctan2(y, 1.3 * x)
    radius = side * (0.25 + 0.05 * np.cos(5 * angle) + 0.04 * np.sin(angle) + 0.03 * np.cos(2 * angle + 1))
    return np.asarray(np.hypot(1.3 * x, y) <= radius)


def doubled(mask: Mask) -> Mask:
    """Every pixel as four."""
    return np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)


SAME: Mapping[str, Callable[[Mask], Mask]] = MappingProxyType(
    {
        "a quarter turn": lambda mask: np.rot90(mask).copy(),
        "half a turn": lambda mask: np.rot90(mask, 2).copy(),
        "mirrored": lambda mask: np.fliplr(mask).copy(),
        "turned over": lambda mask: np.flipud(mask).copy(),
        "twice as large": doubled,
    }
)
"""What may happen to a mask without changing its shape."""
