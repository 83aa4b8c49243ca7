"""Receiver operating characteristic and precision-recall, with bands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from dermoscope.evaluation.figures import style
from dermoscope.evaluation.intervals import Bootstrap, Estimate, Weights
from dermoscope.evaluation.operating_points import OperatingPoint
from dermoscope.evaluation.ranking import RankCurve, RankedScores

Scores = NDArray[np.floating] | Mapping[str, NDArray[np.floating]]
"""`[N]` scores of one model, or of several by their names."""

_GRID = np.linspace(0, 1, 201)
_PR_HEIGHT = 3.72

# In units of the axes of a ROC curve: a line of the legend, and the words of an operating point below their ring.
_LEGEND_LINE, _ROOM_FOR_WORDS = 0.05, 0.24

# Of counts of images: what a product of a share and a count may be off.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class _Drawn:
    """One curve, ready to draw: its line, its band over `_GRID`, and the area under it."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    area: Estimate


def roc_curve(
    positive: NDArray[np.bool_],
    score: Scores,
    path: Path,
    *,
    groups: Sequence[str],
    point: OperatingPoint | None = None,
    positive_name: str = "positive",
    title: str = "",
    note: str = "",
    resamples: int = 1000,
    seed: int = 0,
) -> None:
    """Draw sensitivity against 1 - specificity, with the area under the curve and a 95 % band.

    Args:
        positive: `[N]`.
        score: `[N]`, higher means more suspect; or several by name, on the same images.
        path: Where to write; `.svg`, `.png` or `.pdf`.
        groups: `[N]` what is resampled as one, such as the lesion.
        point: An operating point to mark.
        positive_name: What the positive images are, such as `malignant (graz)`.
        title: Above the figure.
        note: Further words below it.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ValueError: If all images are positive or none is.
    """
    curves = _drawn(positive, score, groups, _roc_line, _roc_at_grid, lambda curve: curve.auc, resamples, seed)
    with style.page(path, style.SINGLE, 3.4, title=title, note=style.sentences(_band_note(curves[0]), note)) as figure:
        axes = figure.subplots()
        style.unit_square(axes, "1 − specificity", "Sensitivity")
        axes.plot([0, 1], [0, 1], color=style.GRID, linewidth=1, zorder=0)
        _draw(axes, curves)
        if point is not None:
            _mark(axes, point, len(curves))
        lines = [f"{curve.name}AUC {style.with_interval(curve.area)}" for curve in curves]
        _legend(axes, lines, _counts(positive, curves[0].area, positive_name))


def precision_recall(
    positive: NDArray[np.bool_],
    score: Scores,
    path: Path,
    *,
    groups: Sequence[str],
    point: OperatingPoint | None = None,
    positive_name: str = "positive",
    title: str = "",
    note: str = "",
    resamples: int = 1000,
    seed: int = 0,
) -> None:
    """Draw precision against sensitivity, with the average precision, a 95 % band, and the prevalence as the floor.

    Args:
        positive: `[N]`.
        score: `[N]`, higher means more suspect; or several by name, on the same images.
        path: Where to write; `.svg`, `.png` or `.pdf`.
        groups: `[N]` what is resampled as one, such as the lesion.
        point: An operating point to mark.
        positive_name: What the positive images are, such as `malignant (graz)`.
        title: Above the figure.
        note: Further words below it.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ValueError: If all images are positive or none is.
    """
    curves = _drawn(
        positive, score, groups, _pr_line, _pr_at_grid, lambda curve: curve.average_precision, resamples, seed
    )
    prevalence = float(positive.mean())
    with style.page(
        path,
        style.SINGLE,
        _PR_HEIGHT + 0.14 * (len(curves) + (point is not None)),
        title=title,
        note=style.sentences(_band_note(curves[0]), note),
    ) as figure:
        axes = figure.subplots()
        style.unit_square(axes, "Sensitivity (recall)", "Precision (positive predictive value)")
        axes.axhline(prevalence, 0.015 / 1.03, 1 - 0.015 / 1.03, color=style.FAINT, linewidth=0.8, zorder=0)
        _draw(axes, curves)
        lines = [f"{curve.name}AP {style.with_interval(curve.area)}" for curve in curves]
        if point is not None:
            _ring(axes, point.sensitivity, point.ppv)
            lines.append(
                f"threshold {point.threshold:.3g}: sensitivity {point.sensitivity:.2f}, precision {point.ppv:.2f}"
            )
        # Precision-recall curves may run anywhere, so the words stand above the plot.
        _legend(axes, lines, _counts(positive, curves[0].area, positive_name), above=True)
        axes.text(
            0, prevalence - 0.012, f"prevalence {prevalence:.3f}", va="top", fontsize=style.SMALL, color=style.FAINT,
        )  # fmt: skip


def _drawn(
    positive: NDArray[np.bool_],
    score: Scores,
    groups: Sequence[str],
    line: Callable[[RankCurve], tuple[NDArray[np.float64], NDArray[np.float64]]],
    at_grid: Callable[[RankCurve], NDArray[np.float64]],
    area: Callable[[RankCurve], float],
    resamples: int,
    seed: int,
) -> list[_Drawn]:
    if positive.all() or not positive.any():
        raise ValueError("a curve needs positive and negative images")
    named = dict(score) if isinstance(score, Mapping) else {"": score}
    bootstrap = Bootstrap(groups, positive, resamples=resamples, seed=seed)
    curves = []
    for name, values in named.items():
        ranked = RankedScores(positive, values)

        def statistics(weights: Weights, ranked: RankedScores = ranked) -> NDArray[np.float64]:
            curve = ranked.curve(weights)
            return np.append(at_grid(curve), area(curve))

        *band, found = bootstrap.estimates(statistics)
        x, y = line(ranked.curve())
        kept = style.thinned(x, y)
        low, high = np.array([(each.low, each.high) for each in band]).T
        curves.append(_Drawn(f"{name}: " if name else "", x[kept], y[kept], low, high, found))
    return curves


def _roc_line(curve: RankCurve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return curve.false_positive_rate, curve.sensitivity


def _roc_at_grid(curve: RankCurve) -> NDArray[np.float64]:
    """Sensitivity at the false positive rates of `_GRID`."""
    found, mistaken = curve.true_positives, curve.false_positives
    wanted = _GRID * mistaken[-1]
    # Of the points above one another the highest counts, as on the staircase that is drawn.
    last = np.searchsorted(mistaken, wanted + _ROUNDING, side="right") - 1
    following = np.minimum(last + 1, len(mistaken) - 1)
    starts, ups = (np.where(last < 0, 0.0, values[last]) for values in (mistaken, found))
    width = mistaken[following] - starts
    share = np.divide(wanted - starts, width, out=np.zeros_like(_GRID), where=width > 0)
    return np.asarray((ups + share * (found[following] - ups)) / found[-1], np.float64)


def _pr_line(curve: RankCurve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    precision = curve.true_positives / (curve.true_positives + curve.false_positives)
    recall = curve.sensitivity[1:]
    # A step holds from the sensitivity before it, as average precision sums it.
    starts = np.concatenate([[0.0], recall[:-1]])
    return np.stack([starts, recall], axis=1).ravel(), np.repeat(precision, 2)


def _pr_at_grid(curve: RankCurve) -> NDArray[np.float64]:
    """Precision at the sensitivities of `_GRID`; NaN where nothing is called positive."""
    found = curve.true_positives
    places = np.searchsorted(found, np.maximum(_GRID * found[-1], found[0]) - _ROUNDING)
    called = found[places] + curve.false_positives[places]
    precision: NDArray[np.float64] = np.divide(
        found[places], called, out=np.full_like(called, np.nan), where=called > 0
    )
    return precision


def _draw(axes: Axes, curves: Sequence[_Drawn]) -> None:
    for number, curve in enumerate(curves):
        colour = style.COLOURS[number % len(style.COLOURS)]
        alpha = 0.18 if len(curves) == 1 else 0.12
        axes.fill_between(_GRID, curve.low, curve.high, color=colour, alpha=alpha, linewidth=0, zorder=1)
        axes.plot(curve.x, curve.y, color=colour, linestyle=style.DASHES[number % len(style.DASHES)], zorder=2)


def _ring(axes: Axes, x: float, y: float) -> None:
    axes.plot(
        x, y, "o", color="white", markeredgecolor=style.INK, markeredgewidth=1.2, markersize=5.5, zorder=4,
    )  # fmt: skip


def _mark(axes: Axes, point: OperatingPoint, curves: int) -> None:
    """Ring an operating point of a ROC curve and write it out below the curve, where no line runs.

    Near the origin there is no room below: there the words stand above the legend, with a line to the ring.
    """
    x, y = 1 - point.specificity, point.sensitivity
    _ring(axes, x, y)
    words = f"threshold {point.threshold:.3g}\nsensitivity {point.sensitivity:.2f}\nspecificity {point.specificity:.2f}"
    legend = _LEGEND_LINE * (curves + 1)
    if y < legend + _ROOM_FOR_WORDS:
        bottom = legend + 0.02
        axes.text(
            0.44, bottom, words, ha="left", va="bottom", fontsize=style.SMALL, linespacing=1.3,
            path_effects=style.halo(), zorder=5,
        )  # fmt: skip
        axes.plot([x, 0.425], [y, bottom + _ROOM_FOR_WORDS / 4], color=style.FAINT, linewidth=0.7, zorder=3)
        return
    axes.annotate(
        words, (x, y), xytext=(9, -9) if x < 0.6 else (-4, -26), textcoords="offset points",
        ha="left" if x < 0.6 else "right", va="top", fontsize=style.SMALL, linespacing=1.3,
        path_effects=style.halo(), zorder=5,
    )  # fmt: skip


def _legend(axes: Axes, lines: Sequence[str], counts: str, *, above: bool = False) -> None:
    handles = [line for line in axes.get_lines() if line.get_zorder() in (2, 4)][: len(lines)]
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1.0)} if above else {"loc": "lower right"}
    axes.legend(
        handles, lines, title=counts, title_fontsize=style.SMALL, alignment="left", borderaxespad=0.2,
        labelspacing=0.35, **place,
    )  # fmt: skip


def _counts(positive: NDArray[np.bool_], area: Estimate, positive_name: str) -> str:
    return f"n = {style.counted(area.n, 'image')}, {int(positive.sum()):,} {positive_name}"


def _band_note(curve: _Drawn) -> str:
    return f"Bands: pointwise 95 %, bootstrap over {style.counted(curve.area.groups, 'group')}"
