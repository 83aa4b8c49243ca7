"""Pictures for people: the image, the outline of its mask, and where the evidence lies, side by side."""

from __future__ import annotations

import bisect
import math
import os
import uuid
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

RESEARCH_USE = "Research use only, not a medical device."
"""The line at the foot of every picture."""

FOR_COLOUR = (230, 97, 1)
AGAINST_COLOUR = (94, 60, 153)
"""The ends of ColorBrewer's PuOr scheme, which people with any colour vision tell apart."""

_PAGE = (255, 255, 255)
_INK = (38, 38, 38)
_FAINT_INK = (110, 110, 110)
# Cyan does not occur on skin, and with its dark casing the line shows on pale and on dark ground alike.
_LINE = (70, 230, 255)
_CASING = (10, 10, 10)
_STRONGEST_OVERLAY = 0.8
_SMALLEST_CELL = 220
_MARGIN = 14
_TEXT_SIZE = 15
_SMALL_TEXT_SIZE = 12
_LEGEND_BAR = (120, 8)
# Four times as fast as the usual 6, for files a tenth larger.
_PNG_LEVEL = 2

RGB = NDArray[np.uint8]


def draw_outline(rgb: RGB, mask: NDArray[np.bool_]) -> RGB:
    """A copy of an image with the border of a mask drawn on it.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
        mask: Boolean mask of the same shape or of another resolution; holes get a border too.
    """
    height, width = rgb.shape[:2]
    shrinking = mask.shape[0] > height
    coverage = cv2.resize(
        mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    )
    unit = max(height, width) / 480
    smooth = cv2.GaussianBlur(coverage, (0, 0), max(0.6, unit))
    contours, _ = cv2.findContours((smooth >= 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    drawn = rgb.copy()
    cv2.drawContours(drawn, contours, -1, _CASING, max(2, round(5 * unit)), cv2.LINE_AA)
    cv2.drawContours(drawn, contours, -1, _LINE, max(1, round(2 * unit)), cv2.LINE_AA)
    return drawn


def draw_evidence(rgb: RGB, evidence: NDArray[np.floating], *, limit: float | None = None) -> RGB:
    """A grey copy of an image, tinted orange where evidence speaks for and purple where it speaks against.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
        evidence: Signed map of shape (rows, columns), of any resolution; positive speaks for.
        limit: The absolute value that gets the full tint, such as the largest of a series of images; the largest of
            this map if left out.
    """
    height, width = rgb.shape[:2]
    full = float(np.abs(evidence).max()) if limit is None else limit
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if full <= 0:
        return np.asarray(grey, dtype=np.uint8)
    share = cv2.resize(evidence.astype(np.float32) / full, (width, height), interpolation=cv2.INTER_CUBIC).clip(-1, 1)
    tint = np.where(share[..., None] > 0, FOR_COLOUR, AGAINST_COLOUR)
    strength = _STRONGEST_OVERLAY * np.abs(share)[..., None]
    return np.asarray(np.round(grey * (1 - strength) + tint * strength), dtype=np.uint8)


def side_by_side(
    rgb: RGB,
    *,
    mask: NDArray[np.bool_] | None = None,
    evidence: NDArray[np.floating] | None = None,
    title: str = "",
    captions: tuple[str, str, str] = ("image", "lesion mask", "evidence"),
    evidence_ends: tuple[str, str] = ("against", "for"),
    footer: str = RESEARCH_USE,
    side: int = 480,
) -> RGB:
    """One picture: the image, the image with the mask's outline, and the evidence map; what is not given is left out.

    Args:
        rgb: 8-bit image of shape (height, width, 3).
        mask: Boolean mask, at any resolution.
        evidence: Signed map of shape (rows, columns), at any resolution; positive speaks for.
        title: A line above, cut with an ellipsis if it is too long.
        captions: What stands above the three panels.
        evidence_ends: What the negative and the positive end of the evidence stand for.
        footer: The line below.
        side: Long side of each panel in pixels.

    Returns:
        8-bit RGB picture.
    """
    panel = _fit_panel(rgb, side)
    panels = [(captions[0], panel)]
    if mask is not None:
        panels.append((captions[1], draw_outline(panel, mask)))
    if evidence is not None:
        panels.append((captions[2], draw_evidence(panel, evidence)))
    height, width = panel.shape[:2]
    cell = max(width, _SMALLEST_CELL)
    line = _line_height(_TEXT_SIZE)
    top = _MARGIN + (line + _MARGIN // 2 if title else 0)
    page_width = len(panels) * (cell + _MARGIN) + _MARGIN
    page_height = top + line + height + _MARGIN + _line_height(_SMALL_TEXT_SIZE) + _MARGIN // 2
    page = Image.new("RGB", (page_width, page_height), _PAGE)
    pen = ImageDraw.Draw(page)
    if title:
        _write(pen, (_MARGIN, _MARGIN), title, page_width - 2 * _MARGIN, _TEXT_SIZE, _INK)
    for number, (caption, pixels) in enumerate(panels):
        left = _MARGIN + number * (cell + _MARGIN)
        _write(pen, (left, top), caption, cell, _TEXT_SIZE, _FAINT_INK)
        page.paste(Image.fromarray(pixels), (left + (cell - width) // 2, top + line))
    foot = top + line + height + _MARGIN
    legend = _legend_width(evidence_ends) if evidence is not None else 0
    _write(pen, (_MARGIN, foot), footer, page_width - 3 * _MARGIN - legend, _SMALL_TEXT_SIZE, _FAINT_INK)
    if legend:
        _draw_legend(page, pen, (page_width - _MARGIN - legend, foot), evidence_ends)
    return np.asarray(page)


def save_png(pixels: NDArray[np.uint8] | NDArray[np.bool_], path: Path) -> None:
    """Write a PNG without metadata; the file appears whole or not at all.

    Args:
        pixels: Shape (height, width) or (height, width, 3), 8-bit; a boolean mask is written as 0 and 255.
        path: Where to; an existing file is replaced.

    Raises:
        OSError: If the folder is missing or cannot be written to.
    """
    shades = pixels.astype(np.uint8) * np.uint8(255) if pixels.dtype == np.bool_ else pixels
    unfinished = path.parent / f".{uuid.uuid4().hex}.part"
    try:
        with unfinished.open("xb") as stream:
            Image.fromarray(shades).save(stream, format="PNG", compress_level=_PNG_LEVEL)
        os.replace(unfinished, path)  # noqa: PTH105 - Path.replace, with the intent in its name
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _fit_panel(rgb: RGB, side: int) -> RGB:
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return np.asarray(resized, dtype=np.uint8)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _line_height(size: int) -> int:
    return round(1.4 * size)


def _write(
    pen: ImageDraw.ImageDraw,
    position: tuple[int, int],
    text: str,
    width: int,
    size: int,
    colour: tuple[int, int, int],
) -> None:
    font = _font(size)
    pen.text(position, _cut(" ".join(text.split()), width, font), fill=colour, font=font)


def _cut(line: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The line, or as much of it as fits the width with an ellipsis behind it."""
    if font.getlength(line) <= width:
        return line
    kept = (
        bisect.bisect_right(range(len(line)), width, lo=1, key=lambda end: math.ceil(font.getlength(line[:end] + "…")))
        - 1
    )
    return line[:kept].rstrip() + "…" if kept else ""


def _legend_width(ends: tuple[str, str]) -> int:
    font = _font(_SMALL_TEXT_SIZE)
    return round(font.getlength(ends[0]) + font.getlength(ends[1])) + _LEGEND_BAR[0] + _MARGIN


def _draw_legend(page: Image.Image, pen: ImageDraw.ImageDraw, position: tuple[int, int], ends: tuple[str, str]) -> None:
    font = _font(_SMALL_TEXT_SIZE)
    width, height = _LEGEND_BAR
    left, top = position
    bar_left = left + round(font.getlength(ends[0])) + _MARGIN // 2
    bar_top = top + (_line_height(_SMALL_TEXT_SIZE) - height) // 2
    ground = np.full((height, width, 3), 160, dtype=np.uint8)
    bar = draw_evidence(ground, np.linspace(-1, 1, width, dtype=np.float32)[None])
    pen.text((left, top), ends[0], fill=_FAINT_INK, font=font)
    page.paste(Image.fromarray(bar), (bar_left, bar_top))
    pen.text((bar_left + width + _MARGIN // 2, top), ends[1], fill=_FAINT_INK, font=font)
