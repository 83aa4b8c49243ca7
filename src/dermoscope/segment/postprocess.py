"""From logits at the decoder's resolution to a finished mask at the resolution of the original image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.segment.saliency import fill_holes

_BOUNDED_SIDE = 1024
_STRIP_PIXELS = 2**20
_OUTLINE_TOLERANCE = 0.0015
# Logit given to filled holes and removed islands: its sign counts, its size does not.
_FAINT = 1e-3
_NOWHERE = np.zeros((0, 2), np.float32)


@dataclass(frozen=True, eq=False)
class FinishedMask:
    """A mask at the size of the original: one lesion in one piece, unless several were asked for.

    Attributes:
        mask: Boolean array of the original height and width.
        outline: Closed polygons of (x, y) pixel positions, outer contours only, simplified to 0.15 % of the long side.
        box: Left, top, right, bottom in pixels; right and bottom are exclusive.
        area_fraction: Share of the image inside the mask, 0 to 1.
    """

    mask: NDArray[np.bool_]
    outline: tuple[tuple[tuple[int, int], ...], ...]
    box: tuple[int, int, int, int]
    area_fraction: float


def finish_mask(
    logits: NDArray[np.float32],
    width: int,
    height: int,
    *,
    further_pieces: float | None = None,
    inside: NDArray[np.float32] = _NOWHERE,
    outside: NDArray[np.float32] = _NOWHERE,
) -> FinishedMask | None:
    """Enlarge logits to the original size and keep the largest piece, with its holes filled.

    The logits, not the mask, are interpolated, so the outline stays smooth. Pieces and holes are found on a copy of at
    most 1024 pixels and the enlargement goes in strips, so beside the mask itself an image of any size needs only a few
    megabytes.

    Args:
        logits: Array of shape (h, w) that covers the image; positive is lesion.
        width: Width of the original image in pixels.
        height: Height of the original image in pixels.
        further_pieces: Keep further pieces from this share of the largest one's area on, 0 to 1; none if left out.
        inside: Clicks `[P, 2]` on the lesion, x and y in pixels of the original: a piece under one is kept as well.
        outside: Clicks `[P, 2]` on the background: a hole under one stays open.

    Returns:
        The finished mask, or none if no pixel is positive.
    """
    scale = min(1.0, _BOUNDED_SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    bounded = np.asarray(cv2.resize(logits, size, interpolation=cv2.INTER_LINEAR), np.float32)
    if not (bounded > 0).any():
        return None
    on_copy = np.array((size[0] / width, size[1] / height), np.float32)
    kept = chosen_pieces(bounded > 0, further_pieces, _pixels(inside * on_copy, size))
    lesion = _without_open_holes(fill_holes(kept), kept, _pixels(outside * on_copy, size))
    mask = lesion if size == (width, height) else _enlarged(bounded, lesion, width, height)
    return _described(mask, lesion)


def finished_by_hand(mask: NDArray[np.bool_]) -> FinishedMask | None:
    """A mask that a person drew, with every piece and hole as it is.

    Args:
        mask: `[H, W]` at the original size.

    Returns:
        The finished mask, or none if it is empty.
    """
    return _described(mask, mask)


def _described(mask: NDArray[np.bool_], lesion: NDArray[np.bool_]) -> FinishedMask | None:
    """A mask with its measures; `lesion` is the same at the resolution that its outline is drawn at."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return FinishedMask(
        mask=mask,
        outline=_outline(lesion, mask.shape[1], mask.shape[0]),
        box=(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1),
        area_fraction=float(np.count_nonzero(mask) / mask.size),
    )


def largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece (sharing edges, not corners) of a mask of shape (h, w)."""
    return chosen_pieces(mask, None)


def chosen_pieces(
    mask: NDArray[np.bool_], further: float | None, clicked: NDArray[np.intp] | None = None
) -> NDArray[np.bool_]:
    """The largest connected piece of a mask, and others for a reason. Pieces share edges, not corners.

    Args:
        mask: Of shape (h, w).
        further: Keep other pieces from this share of the largest one's area on, 0 to 1; none if left out.
        clicked: Columns and rows `[P, 2]`; a piece that holds one is kept.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = np.zeros(count, np.bool_)
    kept[1 + int(areas.argmax())] = True
    if further is not None:
        kept[1:] |= areas >= further * areas.max()
    if clicked is not None:
        kept[labels[clicked[:, 1], clicked[:, 0]]] = True
    kept[0] = False
    return np.asarray(kept[labels])


def _without_open_holes(
    filled: NDArray[np.bool_], kept: NDArray[np.bool_], clicked: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """The filled mask without those of its holes that hold a click."""
    in_holes = [(x, y) for x, y in clicked.tolist() if filled[y, x] and not kept[y, x]]
    if not in_holes:
        return filled
    _, labels = cv2.connectedComponents((filled & ~kept).astype(np.uint8), connectivity=4)
    return filled & ~np.isin(labels, [labels[y, x] for x, y in in_holes])


def _pixels(points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.intp]:
    """Columns and rows of the pixels of an image of some width and height that hold points."""
    return np.clip(np.floor(points), 0, np.array(size) - 1).astype(np.intp)


def _enlarged(logits: NDArray[np.float32], lesion: NDArray[np.bool_], width: int, height: int) -> NDArray[np.bool_]:
    """Bilinear enlargement of logits whose signs agree with `lesion`, thresholded strip by strip."""
    signed = np.where(lesion, np.maximum(logits, _FAINT), np.minimum(logits, -_FAINT)).astype(np.float32)
    rows = signed.shape[0]
    wide = np.asarray(cv2.resize(signed, (width, rows), interpolation=cv2.INTER_LINEAR), np.float32)
    positions = np.clip((np.arange(height, dtype=np.float32) + np.float32(0.5)) * rows / height - 0.5, 0, rows - 1)
    above = positions.astype(np.intp)
    below = np.minimum(above + 1, rows - 1)
    share = (positions - above).astype(np.float32)[:, None]
    mask = np.empty((height, width), np.bool_)
    step = max(1, _STRIP_PIXELS // width)
    for start in range(0, height, step):
        strip = slice(start, start + step)
        upper = wide[above[strip]]
        mask[strip] = upper + share[strip] * (wide[below[strip]] - upper) > 0
    return mask


def _outline(lesion: NDArray[np.bool_], width: int, height: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    contours, _ = cv2.findContours(lesion.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    scale = np.array([width / lesion.shape[1], height / lesion.shape[0]])
    last = np.array([width - 1, height - 1])
    polygons = []
    for contour in contours:
        simple = cv2.approxPolyDP(contour, _OUTLINE_TOLERANCE * max(lesion.shape), closed=True).reshape(-1, 2)
        points = np.clip(np.round((simple + 0.5) * scale - 0.5), 0, last).astype(int)
        polygons.append(tuple((int(x), int(y)) for x, y in points))
    return tuple(polygons)
