"""The confusion matrix, in counts and in rates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from dermoscope.evaluation.figures import style

_SHADES = LinearSegmentedColormap.from_list("blue", ["#FFFFFF", "#A9CFE8", style.BLUE, "#003F63"])
_WHITE_TEXT_ABOVE = 0.5
_NONE = "·"


def confusion_matrix(
    counts: NDArray[np.number], classes: Sequence[str], path: Path, *, title: str = "", note: str = ""
) -> None:
    """Draw counts and, beside them, the share of each true class decided for each class.

    Args:
        counts: `[K, K]`, true classes in rows, decided classes in columns; or `[K, K + 1]` with the undecided last, as
            `decision_table` counts them, which are drawn if there are any.
        classes: `[K]` names.
        path: Where to write; `.svg`, `.png` or `.pdf`.
        title: Above the figure.
        note: Further words below it.

    Raises:
        ValueError: If the shape does not fit the classes.
    """
    size = len(classes)
    if counts.shape not in ((size, size), (size, size + 1)):
        raise ValueError(f"counts are {counts.shape}, expected {(size, size)} or {(size, size + 1)}")
    columns = list(classes)
    if counts.shape[1] > size:
        if counts[:, size].any():
            columns.append("undecided")
        else:
            counts = counts[:, :size]
    support = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    n, right = int(counts.sum()), int(np.trace(counts))
    words = f"n = {style.counted(n, 'image')}, {right:,} on the diagonal ({style.percent(right / max(1, n), 1)})"
    explained = "Rows are true classes; shades on both sides are the share of the row"
    cell = max(0.4, min(0.62, 2.9 / len(columns)))
    side = cell * len(columns)
    labels = [f"{name}  n = {int(total):,}" for name, total in zip(classes, support[:, 0], strict=True)]
    margin = 0.6 + 0.065 * max(len(label) for label in labels)
    longest = max(len(name) for name in columns)
    slanted = longest * 0.62 * style.SMALL > 72 * cell
    slant = 0.035 * longest if slanted else 0.0
    with style.page(
        path, 2 * side + margin, cell * size + 0.85 + slant, title=title, note=style.sentences(words, explained, note)
    ) as figure:
        left, beside = figure.subplots(1, 2, sharey=True)
        _panel(
            left,
            share,
            [[f"{int(value):,}" if value else _NONE for value in row] for row in counts],
            columns,
            labels,
            slanted,
        )
        percent = [[_percent(value) for value in row] for row in share]
        _panel(beside, share, percent, columns, labels, slanted)
        left.set_title("Images")
        beside.set_title("Percent of the true class")
        left.set_ylabel("True class")
        beside.tick_params(labelleft=False)


def _panel(
    axes: Axes,
    share: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    columns: Sequence[str],
    rows: Sequence[str],
    slanted: bool,
) -> None:
    height, width = share.shape
    axes.pcolormesh(share, cmap=_SHADES, vmin=0, vmax=1, edgecolor="white", linewidth=1.2)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xlabel="Decided class")
    crowded = width > 9
    for row, column in np.ndindex(height, width):
        text = texts[row][column]
        ink = "white" if share[row, column] > _WHITE_TEXT_ABOVE else style.INK
        axes.text(
            column + 0.5, row + 0.5, text, ha="center", va="center", color=style.FAINT if text == _NONE else ink,
            fontsize=style.SMALL - crowded - 0.5 * (len(text) > 5),
            fontweight="bold" if row == column and text != _NONE else "normal",
        )  # fmt: skip
    turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(np.arange(width) + 0.5, columns, **turned)
    axes.set_yticks(np.arange(height) + 0.5, rows)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _percent(share: float) -> str:
    if share == 0:
        return _NONE
    return "<1" if share < 0.005 else f"{100 * share:.0f}"
