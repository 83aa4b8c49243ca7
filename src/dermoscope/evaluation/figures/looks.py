"""Images with what a network looked at, the square that it cut out, and that square."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dermoscope.evaluation.figures import style
from dermoscope.images import draw_evidence
from dermoscope.images.lesion_crops import Box, cut

_PIXELS = 240

_NAMES, _WORDS, _GAP = 0.25, 0.25, 0.12
"""Inches for the names of rows and for the words below a case; room between two cases, in tiles."""


@dataclass(frozen=True)
class LookCase:
    """One image.

    Attributes:
        words: Shown below it.
        rgb: `[H, W, 3]`, 8-bit.
        box: What was cut out, in its pixels.
        cam: `[h, w]`, the map that decided about it, signed, over the image; none where it is not known.
    """

    words: str
    rgb: NDArray[np.uint8]
    box: Box
    cam: NDArray[np.floating] | None


def look_gallery(rows: Mapping[str, Sequence[LookCase]], path: Path, *, title: str = "", note: str = "") -> None:
    """Draw rows of cases, each an image under its map with the box, and the crop beside it.

    Args:
        rows: What a row shows to its cases; empty ones are left out.
        path: Where to write; `.svg`, `.png` or `.pdf`. Data sets forbid passing some images on: mind where it goes.
        title: Above the figure.
        note: Further words below it.

    Raises:
        ValueError: If there is nothing to show.
    """
    shown = {name: cases for name, cases in rows.items() if cases}
    if not shown:
        raise ValueError("no cases to show")
    columns = max(map(len, shown.values()))
    tile = (style.DOUBLE - _NAMES) / (columns * (2 + _GAP))
    height = len(shown) * (tile + _WORDS) + 0.3
    letters = int(2 * 72 * tile / (0.6 * (style.SMALL - 1)))
    explained = "Orange speaks for the class that the network decided for, purple against it. Right: what was cut out."
    with style.page(path, style.DOUBLE, height, title=title, note=style.sentences(explained, note)) as figure:
        # Every third column is the room between two cases; the first is for the names of the rows.
        widths = [_NAMES / tile, *([1, 1, _GAP] * columns)]
        grid = figure.subplots(len(shown), len(widths), squeeze=False, width_ratios=widths)
        for axes_row, (name, cases) in zip(grid, shown.items(), strict=True):
            for axes in axes_row:
                axes.set_axis_off()
            for number, case in enumerate(cases):
                left, right = axes_row[1 + 3 * number : 3 + 3 * number]
                seen = case.rgb if case.cam is None else draw_evidence(case.rgb, case.cam)
                left.imshow(_square(seen), interpolation="none")
                left.add_patch(_outline(case))
                right.imshow(cut(case.rgb, case.box, _PIXELS), interpolation="none")
                words = case.words if len(case.words) <= letters else f"{case.words[: letters - 1]}…"
                below = left.text(0, -0.04, words, transform=left.transAxes, va="top", fontsize=style.SMALL - 1)
                below.set_in_layout(False)  # or the layout would move the pictures apart to make room for it
            beside = axes_row[1].text(
                -0.1, 0.5, name, transform=axes_row[1].transAxes, rotation=90, ha="right", va="center",
                fontsize=style.SMALL, fontweight="bold",
            )  # fmt: skip
            beside.set_in_layout(False)


def _square(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image squashed to a square, as the network saw it."""
    return np.asarray(cv2.resize(rgb, (_PIXELS, _PIXELS), interpolation=cv2.INTER_AREA), np.uint8)


def _outline(case: LookCase) -> Rectangle:
    """The box on the squashed image."""
    height, width = case.rgb.shape[:2]
    left, top, right, bottom = case.box
    across, down = _PIXELS / width, _PIXELS / height
    return Rectangle(
        (left * across - 0.5, top * down - 0.5), (right - left) * across, (bottom - top) * down,
        fill=False, linewidth=1.3, edgecolor=style.YELLOW,
    )  # fmt: skip
