"""Training curves: what each measure did, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dermoscope.evaluation.figures import style


def training_curves(
    epochs: NDArray[np.number],
    panels: Mapping[str, Mapping[str, NDArray[np.floating]]],
    path: Path,
    *,
    chosen: float | None = None,
    across: str = "Epoch",
    title: str = "",
    note: str = "",
) -> None:
    """Draw one panel a measure, each line named at its end.

    Args:
        epochs: `[E]` or steps, rising.
        panels: Measure to line to `[E]` values, such as `{"loss": {"training": …, "validation": …}}`; NaN where a line
            has no value. A line has one colour in all panels.
        path: Where to write; `.svg`, `.png` or `.pdf`.
        chosen: The epoch whose weights were kept.
        across: Label of the horizontal axis.
        title: Above the figure.
        note: Further words below it.

    Raises:
        ValueError: If there is no panel, or a line has another length than `epochs`.
    """
    if not panels:
        raise ValueError("no measure to draw")
    lines = list(dict.fromkeys(name for measure in panels.values() for name in measure))
    for measure, values in panels.items():
        for name, line in values.items():
            if len(line) != len(epochs):
                raise ValueError(f"{measure}, {name}: {len(line)} values for {len(epochs)} epochs")
    words = f"{style.counted(len(epochs), across.lower())}"
    if chosen is not None:
        words += f"; weights of {across.lower()} {chosen:g} kept"
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    width = style.SINGLE if columns == 1 else style.DOUBLE
    with style.page(path, width, 2.25 * rows, title=title, note=style.sentences(words, note)) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        for axes, (measure, values) in zip(grid, panels.items(), strict=False):
            if chosen is not None:
                axes.axvline(chosen, color=style.FAINT, linewidth=0.8, linestyle=style.DASHES[2], zorder=0)
            for name, line in values.items():
                number = lines.index(name)
                axes.plot(
                    epochs, line, color=style.COLOURS[number % len(style.COLOURS)],
                    linestyle=style.DASHES[number % len(style.DASHES)], label=name,
                )  # fmt: skip
            axes.set_title(measure, fontweight="bold")
            axes.set_xlabel(across)
            axes.tick_params(labelbottom=True)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_major_formatter(style.plain_numbers())
            axes.yaxis.grid(True, color=style.GRID, linewidth=0.6)
            axes.margins(x=0.02, y=0.08)
            if [name.lower() for name in values] != [measure.lower()]:
                _name_ends(axes, epochs, values, lines)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()


def _name_ends(
    axes: Axes, epochs: NDArray[np.number], values: Mapping[str, NDArray[np.floating]], lines: list[str]
) -> None:
    """Write each line's name beside its last value, pushed apart where they would touch."""
    ends = []
    for name, line in values.items():
        seen = np.flatnonzero(np.isfinite(line))
        if len(seen):
            ends.append((float(line[seen[-1]]), name))
    low, high = axes.get_ylim()
    step, lowest = 0.085 * (high - low), -np.inf
    for value, name in sorted(ends):
        place = max(value, lowest + step)
        lowest = place
        colour = style.COLOURS[lines.index(name) % len(style.COLOURS)]
        axes.annotate(
            name, (float(epochs[-1]), place), xytext=(5, 0), textcoords="offset points", va="center",
            fontsize=style.SMALL, color=colour,
        )  # fmt: skip
    axes.set_ylim(low, high)
