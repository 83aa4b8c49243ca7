"""One look for every figure: colours, type, lines, and how a figure becomes a file.

Colours are those of Okabe and Ito, which people with any colour vision tell apart; since print and copies lose colour,
every colour comes with its own dashes and its own marker. The type is DejaVu Sans, which matplotlib brings along, drawn
as outlines: a figure looks the same on every machine, and the same data give the same bytes.
"""

from __future__ import annotations

import os
import textwrap
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Estimate

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, BLACK = "#E69F00", "#56B4E9", "#F0E442", "#000000"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, YELLOW)
"""Okabe and Ito, Color universal design, 2008; the darker ones first, since they carry thin lines."""

DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (9, 2)), (0, (3, 1, 1, 1)))
"""Line patterns that go with the colours."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">")
"""Markers that go with the colours."""

INK, FAINT, GRID = "#222222", "#6B6B6B", "#DDDDDD"
"""Text and main marks; secondary text and axes; lines that help the eye."""

SMALL, NORMAL, LARGE = 7.0, 8.0, 9.5
"""Type sizes in points; the smallest is what journals still accept."""

SINGLE, DOUBLE = 3.6, 7.2
"""Widths in inches of a figure in one and in two columns of a page."""

FORMATS = (".svg", ".png", ".pdf")
"""What `page` writes, by the ending of the path."""

_LEADING = 1.35

_METADATA: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}

_RC: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.labelsize": NORMAL,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": NORMAL,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.05,
    "font.family": "DejaVu Sans",
    "font.size": NORMAL,
    "legend.fontsize": SMALL,
    "legend.edgecolor": "none",
    "legend.facecolor": "white",
    "legend.framealpha": 0.8,
    "legend.borderpad": 0.1,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.4,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "dermoscope",
    "text.color": INK,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "xtick.major.width": 0.7,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
    "ytick.labelsize": SMALL,
    "ytick.major.width": 0.7,
}


@contextmanager
def page(path: Path, width: float, height: float, *, title: str = "", note: str = "") -> Iterator[Figure]:
    """An empty figure in the house style, written when the block ends without an error.

    The style holds inside the block alone. The file appears whole or not at all.

    Args:
        path: Where to; `.svg`, `.png` (200 dots an inch) or `.pdf`. An existing file is replaced.
        width: Inches.
        height: Inches, without title and note, for which room is added.
        title: Above the figure.
        note: Below it, small: what the data are, and what the marks mean.

    Raises:
        ValueError: If the ending of the path is another one.
        OSError: If the folder is missing or cannot be written to.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f"{path}: a figure is written as one of {', '.join(FORMATS)}, not {ending or 'no ending'}")
    head, foot = _wrapped(title, width, LARGE), _wrapped(note, width, SMALL)
    room = sum(_LEADING * size / 72 * len(text.splitlines()) for text, size in ((head, LARGE), (foot, SMALL)))
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        figure = Figure(figsize=(width, height + room + 0.08 * bool(head) + 0.08 * bool(foot)))
        yield figure
        if head:
            figure.suptitle(head, x=0.05 / width, ha="left", fontsize=LARGE, fontweight="bold")
        if foot:
            figure.supxlabel(foot, x=0.05 / width, ha="left", fontsize=SMALL, color=FAINT, linespacing=_LEADING)
        unfinished = path.parent / f".{uuid.uuid4().hex}.part"
        try:
            figure.savefig(unfinished, format=ending[1:], metadata=_METADATA[ending])
            os.replace(unfinished, path)  # noqa: PTH105 - Path.replace, with the intent in its name
        finally:
            unfinished.unlink(missing_ok=True)


def halo(width: float = 2.0) -> list[AbstractPathEffect]:
    """A white rim around text, so that it reads on top of lines and points.

    Args:
        width: Points.
    """
    return [withStroke(linewidth=width, foreground="white")]


def unit_square(axes: Axes, across: str, up: str) -> None:
    """Both axes from 0 to 1 at the same scale, with a little room so that lines along the border stay whole.

    Args:
        axes: To set up.
        across: Label of the horizontal axis.
        up: Label of the vertical axis.
    """
    axes.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015), aspect="equal", xlabel=across, ylabel=up)
    ticks = np.linspace(0, 1, 6)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.spines.left.set_bounds(0, 1)
    axes.spines.bottom.set_bounds(0, 1)


def whole_numbers() -> FuncFormatter:
    """Ticks such as 12,000."""
    return FuncFormatter(lambda value, _: f"{value:,.0f}")


def plain_numbers() -> FuncFormatter:
    """Ticks such as 0.5 and 2e-05, with no more digits than they need."""
    return FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−"))


def percentages() -> FuncFormatter:
    """Ticks such as 40 % for shares of 0 to 1."""
    return FuncFormatter(lambda value, _: f"{100 * value:g}\u00a0%")


def counted(number: int, word: str, plural: str = "") -> str:
    """A number with its noun: `1 image`, `1,509 images`.

    Args:
        number: How many.
        word: Singular.
        plural: With an added s if left out.
    """
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def with_interval(estimate: Estimate) -> str:
    """A share with its interval, to three digits: `0.912 (0.893-0.930)`.

    Args:
        estimate: The share.
    """
    return f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"


def percent(share: float, digits: int = 0) -> str:
    """A share as `35.0 %`, with a space that does not break.

    Args:
        share: 0 to 1.
        digits: After the point.
    """
    return f"{100 * share:.{digits}f}\u00a0%"


def sentences(*parts: str) -> str:
    """The parts that say something, each ending in a full stop.

    Args:
        parts: With or without their full stop; empty ones are left out.
    """
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)


def thinned(x: NDArray[np.float64], y: NDArray[np.float64], most: int = 1500) -> NDArray[np.intp]:
    """Which points of a long line to keep so that it looks the same, evenly along its length.

    Args:
        x: `[N]`, in units of the drawn width.
        y: `[N]`, in units of the drawn height.
        most: Points to keep; both ends are among them.
    """
    if len(x) <= most:
        return np.arange(len(x))
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    return np.unique(np.append(np.searchsorted(length, np.linspace(0, length[-1], most - 1)), len(x) - 1))


def _wrapped(text: str, width: float, size: float) -> str:
    # A letter of DejaVu Sans is about 0.56 of its size wide on average.
    letters = int((width - 0.15) * 72 / (0.56 * size))
    return "\n".join(textwrap.fill(line, letters, break_on_hyphens=False) for line in text.splitlines())
