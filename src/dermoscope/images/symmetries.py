"""Flips and quarter turns of an image: views that show the same skin and cost nothing to make.

A view is always made after the split, so that all views of an image stay on one side of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

_Image = NDArray[np.uint8]

ORIGINAL = "original"

_CHANGES: Mapping[str, Callable[[_Image], _Image]] = MappingProxyType(
    {
        ORIGINAL: lambda rgb: rgb,
        "hflip": lambda rgb: rgb[:, ::-1],
        "vflip": lambda rgb: rgb[::-1],
        "rot90": lambda rgb: np.rot90(rgb, 1),
        "rot180": lambda rgb: np.rot90(rgb, 2),
        "rot270": lambda rgb: np.rot90(rgb, 3),
    }
)

VIEWS: tuple[str, ...] = tuple(_CHANGES)
"""Every view; turns are counter-clockwise."""

THESIS_VIEWS: tuple[str, ...] = (ORIGINAL, "hflip", "rot90", "rot180", "rot270")
"""The five views of the Graz thesis, as its slides name them. Its code ran `vflip` in the place of `rot180`."""


def apply(rgb: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """One view of an image.

    Args:
        rgb: `[H, W, 3]`, 8-bit.
        name: One of `VIEWS`.

    Returns:
        `[H, W, 3]`, or `[W, H, 3]` after a quarter turn, contiguous in memory.

    Raises:
        ValueError: If there is no such view; the message lists those there are.
    """
    if name not in _CHANGES:
        raise ValueError(f"there is no view {name!r}; views: {', '.join(VIEWS)}")
    return np.ascontiguousarray(_CHANGES[name](rgb))
