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
    curves = _drawn(positive, score, groups, _roc_line, lambda curve: curve.auc, resamples, seed)
    with style.page(path, style.SINGLE, 3.4, title=title, note=style.sentences(_band_note(curves[0]), note)) as figure:
        axes = figure.subplots()
        style.unit_square(axes, "1 − specificity", "Sensitivity")
        axes.plot([0, 1], [0, 1], color=style.GRID, linewidth=1, zorder=0)
        _draw(axes, curves)
        if point is not None:
            _mark(axes, point)
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
    curves = _drawn(positive, score, groups, _pr_line, lambda curve: curve.average_precision, resamples, seed)
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
    line: Callable[[RankCurve], tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]],
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
            return np.append(line(curve)[2], area(curve))

        *band, found = bootstrap.estimates(statistics)
        x, y, _ = line(ranked.curve())
        kept = style.thinned(x, y)
        low, high = np.array([(each.low, each.high) for each in band]).T
        curves.append(_Drawn(f"{name}: " if name else "", x[kept], y[kept], low, high, found))
    return curves


def _roc_line(curve: RankCurve) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    x, y = curve.false_positive_rate, curve.sensitivity
    # Of the points above one another the highest counts, as on the staircase that is drawn.
    last = np.searchsorted(x, _GRID, side="right") - 1
    following = np.minimum(last + 1, len(x) - 1)
    width = x[following] - x[last]
    share = np.divide(_GRID - x[last], width, out=np.zeros_like(_GRID), where=width > 0)
    return x, y, y[last] + share * (y[following] - y[last])


def _pr_line(curve: RankCurve) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    flagged = curve.true_positives + curve.false_positives
    precision = np.divide(curve.true_positives, flagged, out=np.full_like(flagged, np.nan), where=flagged > 0)
    recall = curve.sensitivity[1:]
    # A step holds from the sensitivity before it, as average precision sums it.
    at_grid = precision[np.searchsorted(recall, np.maximum(_GRID, recall[0]) - 1e-12)]
    starts = np.concatenate([[0.0], recall[:-1]])
    return np.stack([starts, recall], axis=1).ravel(), np.repeat(precision, 2), at_grid


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


def _mark(axes: Axes, point: OperatingPoint) -> None:
    """Ring an operating point of a ROC curve and write it out below the curve, where no line runs."""
    x, y = 1 - point.specificity, point.sensitivity
    _ring(axes, x, y)
    words = f"threshold {point.threshold:.3g}\nsensitivity {point.sensitivity:.2f}\nspecificity {point.specificity:.2f}"
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
