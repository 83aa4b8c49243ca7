"""Can the numbers be trusted: the reliability diagram, and risk against coverage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.abstention import RankedAnswers
from dermoscope.evaluation.calibration import Binning, brier, expected_calibration_error, reliability
from dermoscope.evaluation.figures import style
from dermoscope.evaluation.intervals import Bootstrap

_GRID = np.linspace(0.02, 1, 99)


def reliability_diagram(
    happened: NDArray[np.bool_],
    probability: NDArray[np.floating],
    path: Path,
    *,
    bins: int = 15,
    binning: Binning = "equal-width",
    event: str = "positive",
    title: str = "",
    note: str = "",
) -> None:
    """Draw what was observed against what was promised, with a histogram of the promises below.

    Args:
        happened: `[N]`.
        probability: `[N]`, 0 to 1.
        path: Where to write; `.svg`, `.png` or `.pdf`.
        bins: Number of bins.
        binning: As for `reliability`.
        event: What happened, such as `malignant (graz)` or `answer right`.
        title: Above the figure.
        note: Further words below it.
    """
    found = reliability(happened, probability, bins, binning=binning)
    promised, observed, low, high = np.array([(b.promised, b.observed, b.low, b.high) for b in found]).T
    error = expected_calibration_error(happened, probability, bins, binning=binning)
    explained = (
        f"{style.counted(len(found), f'{binning} bin')} with images. Upright lines: 95\u00a0% Wilson intervals. "
        "Grey line: perfect calibration"
    )
    with style.page(path, style.SINGLE, 4.5, title=title, note=style.sentences(explained, note)) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.9, 1))
        style.unit_square(above, "", f"Observed share {event}")
        # The panels share their horizontal axis, so the upper one cannot choose its own width.
        above.set_aspect("auto")
        above.plot([0, 1], [0, 1], color=style.GRID, linewidth=1.2, zorder=0)
        above.vlines(promised, low, high, color=style.BLUE, linewidth=1, alpha=0.6)
        above.plot(
            promised, observed, "-o", color=style.BLUE, linewidth=1, markersize=4.8, markeredgecolor="white",
            markeredgewidth=0.6, clip_on=False, zorder=3,
        )  # fmt: skip
        above.set_title(
            f"n = {style.counted(len(happened), 'image')}, {int(happened.sum()):,} {event}\n"
            f"calibration error {error:.3f}, Brier score {brier(happened, probability):.3f}",
            fontsize=style.SMALL, linespacing=1.4,
        )  # fmt: skip
        images, *_ = below.hist(probability, np.linspace(0, 1, 31), color=style.FAINT, rwidth=0.86)
        below.set(yscale="log", ylim=(0.7, 2 * np.max(images)), xlabel="Predicted probability", ylabel="Images (log)")
        decades = np.arange(np.ceil(np.log10(np.max(images))) + 1)
        below.set_yticks(10.0 ** decades[:: 1 + len(decades) // 5])
        below.yaxis.set_major_formatter(style.whole_numbers())
        below.minorticks_off()
        below.spines.bottom.set_bounds(0, 1)


def coverage_risk_curve(
    correct: NDArray[np.bool_],
    confidence: NDArray[np.floating],
    path: Path,
    *,
    groups: Sequence[str],
    marked: Sequence[float] = (0.8, 1.0),
    title: str = "",
    note: str = "",
    resamples: int = 1000,
    seed: int = 0,
) -> None:
    """Draw the share of wrong answers against the share of images answered, the surest first.

    Args:
        correct: `[N]` whether each answer is right.
        confidence: `[N]`, higher is surer.
        path: Where to write; `.svg`, `.png` or `.pdf`.
        groups: `[N]` what is resampled as one, such as the lesion.
        marked: Coverages whose risk is written out.
        title: Above the figure.
        note: Further words below it.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    ranked = RankedAnswers(correct, confidence)
    curve = ranked.curve()
    area, _, *band = Bootstrap(groups, resamples=resamples, seed=seed).estimates(
        lambda weights: ranked.summary(_GRID, weights)
    )
    low, high = np.array([(each.low, each.high) for each in band]).T
    share_wrong = float(curve.risk[-1])
    summary = ", ".join(
        f"{style.percent(curve.risk_at(coverage), 1)} at {style.percent(coverage)}" for coverage in marked
    )
    explained = (
        f"Area under the curve {style.with_interval(area)}; dashed, with the wrong answers last, "
        f"{curve.best_area:.3f}. Band: pointwise 95\u00a0%, bootstrap over {style.counted(area.groups, 'group')}"
    )
    top = max(0.02, 1.15 * max(share_wrong, float(high[_GRID > 0.1].max())))
    with style.page(path, style.SINGLE, 3.1, title=title, note=style.sentences(explained, note)) as figure:
        axes = figure.subplots()
        kept = style.thinned(curve.coverage, curve.risk / top)
        # Below a fiftieth of the images a curve of single answers only jumps about.
        kept = kept[curve.coverage[kept] >= min(0.02, float(curve.coverage[-1]))]
        axes.fill_between(_GRID, low, high, color=style.BLUE, alpha=0.18, linewidth=0)
        axes.plot(curve.coverage[kept], curve.risk[kept], color=style.BLUE)
        best = np.clip((_GRID - (1 - share_wrong)) / _GRID, 0, None)
        axes.plot(_GRID, best, color=style.FAINT, linewidth=0.9, linestyle=style.DASHES[1])
        for coverage in marked:
            axes.plot(
                coverage, curve.risk_at(coverage), "o", color="white", markeredgecolor=style.INK, markeredgewidth=1.1,
                markersize=5,
            )  # fmt: skip
        words = f"n = {style.counted(area.n, 'image')}" + (f"\nwrong: {summary} answered" if summary else "")
        axes.set_title(words, fontsize=style.SMALL, linespacing=1.4)
        axes.set(xlim=(0, 1.02), ylim=(0, top), xlabel="Share of images answered", ylabel="Share of answers wrong")
        axes.spines.bottom.set_bounds(0, 1)
        axes.xaxis.set_major_formatter(style.percentages())
        axes.yaxis.set_major_formatter(style.percentages())
