"""The worst, the median and the best masks, side by side with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from dermoscope.evaluation.figures import style

_PIXELS = 320
_TRUTH, _PREDICTED = "#FFFFFF", style.SKY
_DASHES = (0, (2.6, 1.3))


@dataclass(frozen=True)
class Case:
    """One image of the gallery.

    Attributes:
        image_id: Shown below the image.
        rgb: `[H, W, 3]`, 8-bit.
        truth: `[H, W]`.
        predicted: `[H, W]`.
        dice: 0 to 1.
        kind: Lesion type or another word, shown after the id; may be empty.
    """

    image_id: str
    rgb: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    dice: float
    kind: str = ""


@dataclass(frozen=True)
class Choice:
    """Rows of a table of scores; no row is in two of them.

    Attributes:
        worst: The lowest first.
        median: Around the median, rising.
        best: The highest first.
    """

    worst: tuple[int, ...]
    median: tuple[int, ...]
    best: tuple[int, ...]


def worst_median_best(dice: NDArray[np.floating], each: int = 5) -> Choice:
    """Which images to show, so that only these need to be read; ties go by the order of rows.

    Args:
        dice: `[N]`.
        each: Images of each kind; fewer where there are not enough.
    """
    order = np.argsort(dice, kind="stable")
    take = min(each, len(order) // 3 if len(order) >= 3 else 1)
    middle = (len(order) - take) // 2
    worst, best = order[:take], order[max(take, len(order) - take) :][::-1]
    median = order[max(take, middle) : max(take, middle) + take] if len(order) >= 3 else order[:0]
    return Choice(tuple(worst.tolist()), tuple(median.tolist()), tuple(best.tolist()))


def gallery(
    worst: Sequence[Case],
    median: Sequence[Case],
    best: Sequence[Case],
    path: Path,
    *,
    n: int,
    prompt: str,
    title: str = "",
    note: str = "",
) -> None:
    """Draw three rows of images with the outlines of the true mask (solid) and the predicted one (dashed).

    Args:
        worst: The lowest scores, chosen by `worst_median_best`.
        median: Those around the median.
        best: The highest.
        path: Where to write; `.svg`, `.png` or `.pdf`. Data sets forbid passing some images on: mind where it goes.
        n: Images the cases were chosen from.
        prompt: Where the masks' prompts came from: `auto`, `jittered box` or `ground-truth box`.
        title: Above the figure.
        note: Further words below it.

    Raises:
        ValueError: If there is nothing to show.
    """
    rows = [(name, cases) for name, cases in (("Worst", worst), ("Median", median), ("Best", best)) if cases]
    if not rows:
        raise ValueError("no cases to show")
    columns = max(len(cases) for _, cases in rows)
    tallest = max(case.rgb.shape[0] / case.rgb.shape[1] for _, cases in rows for case in cases)
    tile = (style.DOUBLE - 0.4) / columns
    height = len(rows) * (tile * min(1.0, tallest) + 0.36) + 0.12
    # A caption wider than its image would push the images apart.
    letters = int(72 * tile / (0.6 * (style.SMALL - 1)))
    explained = f"Chosen from {style.counted(n, 'image')} by Dice, per image. Prompt: {prompt}"
    with style.page(path, style.DOUBLE, height, title=title, note=style.sentences(explained, note)) as figure:
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for axes_row, (name, cases) in zip(grid, rows, strict=True):
            for axes in axes_row:
                axes.set_axis_off()
            for axes, case in zip(axes_row, cases, strict=False):
                _tile(axes, case, letters)
            axes_row[0].text(
                -0.06, 0.5, name, transform=axes_row[0].transAxes, rotation=90, ha="right", va="center",
                fontsize=style.LARGE, fontweight="bold",
            )  # fmt: skip
        casing = [withStroke(linewidth=2.4, foreground=style.BLACK)]
        handles = [
            Line2D([], [], color=_TRUTH, linewidth=1.2, path_effects=casing, label="true mask"),
            Line2D([], [], color=_PREDICTED, linewidth=1.2, linestyle=_DASHES, path_effects=casing, label="prediction"),
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=2, handlelength=3.2, borderaxespad=0.1)


def _tile(axes: Axes, case: Case, letters: int) -> None:
    height, width = case.rgb.shape[:2]
    scale = min(1.0, _PIXELS / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    axes.imshow(cv2.resize(case.rgb, size, interpolation=cv2.INTER_AREA), interpolation="none")
    for mask, colour, dashes in ((case.truth, _TRUTH, "-"), (case.predicted, _PREDICTED, _DASHES)):
        for line in _outlines(mask, size):
            axes.plot(*line.T, color=style.BLACK, linewidth=2.1, linestyle=dashes, alpha=0.75)
            axes.plot(*line.T, color=colour, linewidth=1.1, linestyle=dashes)
    axes.set(xlim=(-0.5, size[0] - 0.5), ylim=(size[1] - 0.5, -0.5))
    missing = "" if case.predicted.any() else ", no mask"
    axes.set_title(f"Dice {case.dice:.3f}{missing}", fontsize=style.SMALL, fontweight="bold", pad=2.5)
    below = " · ".join(word for word in (case.image_id, case.kind) if word)
    if len(below) > letters:
        below = f"{below[: max(1, letters - 1)]}…"
    axes.text(0, -0.03, below, transform=axes.transAxes, va="top", fontsize=style.SMALL - 1, color=style.FAINT)


def _outlines(mask: NDArray[np.bool_], size: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Closed outlines of a mask, holes included, in pixels of the shrunk image."""
    small = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    found, _ = cv2.findContours((small >= 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [np.concatenate([line[:, 0], line[:1, 0]]).astype(np.float64) for line in found]
