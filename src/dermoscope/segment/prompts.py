"""Prompts: those that people give, and those that nobody has to give.

A mask decoder of the SAM family takes points with labels, and an earlier mask. Which prompts pay depends on the
decoder: those trained with boxes only, such as LiteMedSAM, find nothing at all from a click, so `automatic_prompts`
gives boxes; one that was fine-tuned with mixed prompts takes them all, and `no_prompt` as well.

Reference for the clicks: T. Parkhomenko, lesion analysis on frozen SAM2 features, TU Graz (grayscale extrema).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dermoscope.images import field_of_view
from dermoscope.segment.saliency import lesion_saliency, salient_region

PADDING_LABEL = -1
BACKGROUND_LABEL = 0
LESION_LABEL = 1
BOX_LABELS = (2, 3)

_OPENING = 7
_HAIR = 7
_SMOOTHING = 4.0
_KEEP_AWAY = 0.08


@dataclass(frozen=True, eq=False)
class Prompt:
    """One prompt for a SAM mask decoder.

    Attributes:
        name: What it is, for people, such as `saliency box`.
        points: `[P, 2]` float32, x and y in pixels of the image.
        labels: `[P]` integers: 1 lesion, 0 background, 2 and 3 the top left and bottom right of a box, -1 no point.
        previous: Logits `[h, w]` of an earlier mask over the image, as the decoder returned them, or none.
    """

    name: str
    points: NDArray[np.float32]
    labels: NDArray[np.int64]
    previous: NDArray[np.float32] | None = None


def no_prompt() -> Prompt:
    """Nothing at all: the decoder has learnt what a lesion is."""
    return Prompt("no prompt", np.zeros((0, 2), np.float32), np.zeros(0, np.int64))


def padded(
    prompts: Sequence[Prompt], scale: float | NDArray[np.float32], fewest: int = 2
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Prompts of different lengths as one batch, `[N, P, 2]` and `[N, P]`, filled up with points that are none.

    Args:
        prompts: N of them.
        scale: What positions are multiplied with, or `[2]` for x and y.
        fewest: Smallest P.
    """
    longest = max(fewest, *(len(prompt.labels) for prompt in prompts))
    points = np.zeros((len(prompts), longest, 2), np.float32)
    labels = np.full((len(prompts), longest), PADDING_LABEL, np.int64)
    for row, prompt in enumerate(prompts):
        points[row, : len(prompt.labels)] = prompt.points * scale
        labels[row, : len(prompt.labels)] = prompt.labels
    return points, labels


def clicks(
    points: ArrayLike,
    labels: ArrayLike,
    *,
    box: tuple[float, float, float, float] | None = None,
    previous: NDArray[np.float32] | None = None,
) -> Prompt:
    """What a person gives: clicks, a box, or both, perhaps on top of an earlier mask.

    Args:
        points: `[P, 2]`, x and y in pixels of the image.
        labels: `[P]`, 1 on the lesion and 0 on the background.
        box: Left, top, right, bottom in pixels.
        previous: Logits `[h, w]` of the mask that is to be corrected.

    Raises:
        ValueError: If points and labels do not fit together, or a label is neither 0 nor 1.
    """
    where = np.asarray(points, np.float32).reshape(-1, 2)
    kinds = np.asarray(labels, np.int64).reshape(-1)
    if len(where) != len(kinds):
        raise ValueError(f"{len(where)} points need as many labels, got {len(kinds)}")
    if not np.isin(kinds, (BACKGROUND_LABEL, LESION_LABEL)).all():
        raise ValueError(f"labels: expected 1 for lesion and 0 for background, got {sorted(set(kinds.tolist()))}")
    if box is not None:
        corners = box_prompt("box", box)
        where, kinds = np.concatenate([corners.points, where]), np.concatenate([corners.labels, kinds])
    given = [
        name for name, there in (("box", box is not None), ("clicks", len(where) > 2 * (box is not None))) if there
    ]
    return Prompt(" and ".join(given) or "no prompt", where, kinds, previous)


def box_prompt(name: str, box: tuple[float, float, float, float]) -> Prompt:
    """A box as two labelled corners.

    Args:
        name: Name for people.
        box: Left, top, right, bottom in pixels.
    """
    return Prompt(name, np.array(box, np.float32).reshape(2, 2), np.array(BOX_LABELS, np.int64))


def click_prompt(name: str, x: float, y: float) -> Prompt:
    """A single click on the lesion at x, y in pixels."""
    return Prompt(name, np.array([[x, y]], np.float32), np.array([LESION_LABEL], np.int64))


def centre(width: int, height: int) -> Prompt:
    """A click in the middle of an image of the given size in pixels."""
    return click_prompt("centre", (width - 1) / 2, (height - 1) / 2)


def dark_extremum(rgb: NDArray[np.uint8], view: NDArray[np.bool_]) -> Prompt:
    """A click on the darkest place, after hair is closed and noise smoothed, away from frame and border.

    Args:
        rgb: 8-bit image of shape (height, width, 3), long side about 256 pixels.
        view: Boolean field of view of the same height and width.
    """
    grey, inner = _smooth_grey(rgb, view)
    return _click_at("dark extremum", np.where(inner, -grey, -np.inf))


def bright_extremum(rgb: NDArray[np.uint8], view: NDArray[np.bool_]) -> Prompt:
    """A click on the brightest place, found like the darkest one of `dark_extremum`."""
    grey, inner = _smooth_grey(rgb, view)
    return _click_at("bright extremum", np.where(inner, grey, -np.inf))


def saliency_point(saliency: NDArray[np.float32], width: int, height: int) -> Prompt:
    """A click on the highest saliency.

    Args:
        saliency: Array of shape (h, w) over the image.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
    """
    row, column = np.unravel_index(int(saliency.argmax()), saliency.shape)
    rows, columns = saliency.shape
    x, y = (int(column) + 0.5) * width / columns - 0.5, (int(row) + 0.5) * height / rows - 0.5
    return click_prompt("saliency peak", x, y)


def saliency_box(
    saliency: NDArray[np.float32], width: int, height: int, *, threshold: float, margin: float, name: str = ""
) -> Prompt:
    """A box around the salient region.

    Args:
        saliency: Array of shape (h, w) over the image, 0 to 1.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        threshold: Lowest saliency inside the region.
        margin: How far the box reaches beyond the region on each side, as a share of the region's width and height.
        name: Name for people; by default it says threshold and margin.
    """
    region = salient_region(saliency, threshold)
    return _box_around(region, width, height, margin, name or f"saliency box {threshold:g}+{margin:g}")


def cam_box(cam: NDArray[np.float32], width: int, height: int, *, threshold: float = 0.4) -> Prompt:
    """A box around what a classifier looked at.

    Args:
        cam: Class activation map of shape (h, w) over the image, not negative.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        threshold: Lowest activation inside the region, as a share of the highest.
    """
    highest = float(cam.max())
    share = cam / np.float32(highest) if highest > 0 else np.zeros_like(cam)
    return saliency_box(share, width, height, threshold=threshold, margin=0.05, name="CAM box")


def automatic_prompts(rgb: NDArray[np.uint8], view: NDArray[np.bool_] | None = None) -> tuple[Prompt, ...]:
    """The prompts that `segment_automatically` gives to the decoder.

    Args:
        rgb: 8-bit image of shape (height, width, 3), long side about 256 pixels.
        view: Boolean field of view of the same height and width; computed if not given.

    Returns:
        Four boxes: around the salient region without its thin parts, around the region as it is, and around what is
        above a lower and a much lower saliency.
    """
    height, width = rgb.shape[:2]
    return saliency_boxes(lesion_saliency(rgb, field_of_view(rgb) if view is None else view), width, height)


def saliency_boxes(saliency: NDArray[np.float32], width: int, height: int) -> tuple[Prompt, ...]:
    """The four boxes of `automatic_prompts`, from a saliency of shape (h, w) that is already there."""
    region = salient_region(saliency)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_OPENING, _OPENING))
    opened = cv2.morphologyEx(region.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    body = salient_region(opened.astype(np.float32)) if opened.any() else region
    return (
        _box_around(body, width, height, 0.05, "saliency box"),
        _box_around(region, width, height, 0.0, "tight saliency box"),
        saliency_box(saliency, width, height, threshold=0.3, margin=0.05, name="faint saliency box"),
        saliency_box(saliency, width, height, threshold=0.15, margin=0.05, name="outer saliency box"),
    )


def _box_around(region: NDArray[np.bool_], width: int, height: int, margin: float, name: str) -> Prompt:
    if not region.any():
        return box_prompt(name, (0, 0, width, height))
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    across, down = width / region.shape[1], height / region.shape[0]
    left, right = columns[0] * across, (columns[-1] + 1) * across
    top, bottom = rows[0] * down, (rows[-1] + 1) * down
    wider, taller = margin * (right - left), margin * (bottom - top)
    return box_prompt(
        name, (max(0, left - wider), max(0, top - taller), min(width, right + wider), min(height, bottom + taller))
    )


def _smooth_grey(rgb: NDArray[np.uint8], view: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Grey values without hair and noise, and the part of the view where an extremum may lie."""
    height, width = view.shape
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    grey = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_HAIR, _HAIR)))
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _SMOOTHING)
    framed = np.pad(view.astype(np.uint8), 1)
    inner = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1] > _KEEP_AWAY * min(height, width)
    return np.asarray(smooth, np.float32), inner if inner.any() else view


def _click_at(name: str, goodness: NDArray[np.floating]) -> Prompt:
    y, x = np.unravel_index(int(goodness.argmax()), goodness.shape)
    return click_prompt(name, float(x), float(y))
