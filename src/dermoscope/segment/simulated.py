"""Prompts made from the true mask, to train a decoder with and to score it. Torch-free.

A prompt from the truth knows what it asks for; numbers measured with one say so, and never stand alone.

Reference for the clicks: Sofiiuk et al., Reviving Iterative Training with Mask Guidance for Interactive Segmentation,
ICIP 2022 (arXiv 2102.06583); for the jittered box: Kirillov et al., Segment Anything, 2023 (arXiv 2304.02643).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.segment.prompts import BACKGROUND_LABEL, LESION_LABEL, Prompt, box_prompt

Mask = NDArray[np.bool_]


def ground_truth_box(mask: Mask) -> Prompt:
    """The box around a mask `[H, W]`, in its pixels.

    Raises:
        ValueError: If the mask is empty.
    """
    return box_prompt("ground-truth box", _box(mask))


def jittered_box(mask: Mask, random: np.random.Generator, *, deviation: float = 0.1, largest: float = 20.0) -> Prompt:
    """The box around a mask with every side moved at random, as a person would draw it.

    Args:
        mask: `[H, W]`, not empty.
        random: Where the moves come from.
        deviation: Standard deviation of a move, as a share of the box's side.
        largest: Largest move, in % of the longer side of the image.

    Raises:
        ValueError: If the mask is empty.
    """
    height, width = mask.shape
    left, top, right, bottom = _box(mask)
    limit = largest / 100 * max(height, width)
    scale = deviation * np.array([right - left, bottom - top, right - left, bottom - top])
    moves = np.clip(random.normal(0.0, scale), -limit, limit)
    x = np.clip(sorted((left + moves[0], right + moves[2])), 0, width)
    y = np.clip(sorted((top + moves[1], bottom + moves[3])), 0, height)
    return box_prompt("jittered box", (float(x[0]), float(y[0]), float(x[1]), float(y[1])))


def click_inside(mask: Mask, random: np.random.Generator | None = None) -> tuple[float, float]:
    """Where a person would click to point at a region: at its innermost pixel, or at a random one well inside.

    Args:
        mask: `[H, W]`, not empty.
        random: Draws among the inner half of the pixels; none takes the innermost.

    Returns:
        x and y in pixels.

    Raises:
        ValueError: If the mask is empty.
    """
    if not mask.any():
        raise ValueError("an empty mask has no place to click on")
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    if random is None:
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    else:
        inner = np.flatnonzero(depth.ravel() >= depth.max() / 2)
        y, x = np.unravel_index(int(random.choice(inner)), depth.shape)
    return float(x), float(y)


def next_click(
    predicted: Mask, truth: Mask, random: np.random.Generator | None = None
) -> tuple[tuple[float, float], int] | None:
    """The click that corrects the largest mistake.

    Args:
        predicted: `[H, W]`.
        truth: `[H, W]`.
        random: See `click_inside`.

    Returns:
        x and y in pixels, and 1 where lesion was missed or 0 where skin was taken for it; none if there is no mistake.
    """
    wrong = predicted != truth
    if not wrong.any():
        return None
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=4)
    piece = pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    missed = piece & truth
    region, label = (missed, LESION_LABEL) if 2 * missed.sum() >= piece.sum() else (piece & ~truth, BACKGROUND_LABEL)
    return click_inside(region, random), label


def _box(mask: Mask) -> tuple[float, float, float, float]:
    if not mask.any():
        raise ValueError("an empty mask has no box")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
