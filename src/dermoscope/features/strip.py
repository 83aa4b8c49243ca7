"""One picture of an image and its similar cases side by side, with labels and distances."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dermoscope.images import RESEARCH_USE

_SIDE = 224
_MARGIN = 12
_LINE = 20
_TEXT, _SMALL = 15, 12
_LONGEST = 200
_PAGE, _INK, _FAINT, _GROUND = (255, 255, 255), (38, 38, 38), (110, 110, 110), (236, 236, 236)


def picture_strip(
    query: NDArray[np.uint8], cases: Sequence[tuple[NDArray[np.uint8] | None, str, str]], *, columns: int = 5
) -> NDArray[np.uint8]:
    """The query, then its cases, the nearest first, in rows.

    Args:
        query: `[H, W, 3]`, 8-bit.
        cases: Of each its picture, or none where its file is gone; a line in dark, such as the label; and a faint one.
        columns: Pictures a row at most.

    Returns:
        `[H, W, 3]`, 8-bit.
    """
    cells = [(query, "your image", ""), *cases]
    across = min(columns, len(cells))
    down = -(-len(cells) // across)
    cell_height = _SIDE + 2 * _LINE + _MARGIN
    page = Image.new("RGB", (across * (_SIDE + _MARGIN) + _MARGIN, down * cell_height + _MARGIN + _LINE), _PAGE)
    pen = ImageDraw.Draw(page)
    for number, (picture, label, note) in enumerate(cells):
        left = _MARGIN + number % across * (_SIDE + _MARGIN)
        top = _MARGIN + number // across * cell_height
        page.paste(Image.fromarray(_framed(picture)), (left, top))
        _write(pen, (left, top + _SIDE + 3), label, _TEXT, _INK)
        _write(pen, (left, top + _SIDE + 3 + _LINE), note, _SMALL, _FAINT)
        if number == 0:
            pen.rectangle((left - 3, top - 3, left + _SIDE + 2, top + _SIDE + 2), outline=_INK, width=2)
    _write(pen, (_MARGIN, page.height - _LINE - 2), RESEARCH_USE, _SMALL, _FAINT, page.width - 2 * _MARGIN)
    return np.asarray(page)


def _framed(picture: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """The whole picture in the middle of a square."""
    square = np.full((_SIDE, _SIDE, 3), _GROUND, np.uint8)
    if picture is None:
        return square
    height, width = picture.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def _write(
    pen: ImageDraw.ImageDraw,
    position: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    width: int = _SIDE,
) -> None:
    font = ImageFont.load_default(size=size)
    shown = text[:_LONGEST]
    while shown and font.getlength(shown) > width:
        shown = f"{shown.removesuffix('…')[:-1]}…" if len(shown) > 1 else ""
    pen.text(position, shown, fill=colour, font=font)
