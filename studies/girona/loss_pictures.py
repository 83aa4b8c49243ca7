"""Shows what each loss of class activation maps does where nothing else pulls: plain descent on the maps themselves.

    python studies/girona/loss_pictures.py --out studies/girona/figures

Writes `losses.svg`. Two random maps of 16 × 16 and an elliptic lesion; for the centre loss, points of three classes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from scipy.ndimage import gaussian_filter
from torch import Tensor

from dermoscope.evaluation.figures.style import COLOURS, DASHES, FAINT, INK, MARKERS, SMALL, VERMILLION, page
from dermoscope.losses.cam_divergence import CamDivergence
from dermoscope.losses.class_centre import CentreLoss
from dermoscope.losses.lesion_focus import LesionFocusLoss, map_correlation
from dermoscope.losses.penalised_cam_divergence import PenalisedCamDivergence, redescending

SIDE = 16
STEPS, STEP = 2000, 10.0
STRENGTHS = (0.1, 1.0, 10.0)
NOTE = (
    f"Descent on the maps alone, {STEPS:,} steps of {STEP:g}, from the same two maps. Light is high, each map from its "
    "own lowest to its own highest value; the line is the rim of the lesion, which only the lesion-focus loss knows. "
    "r: correlation of the two maps with each other, or, in the last row, the mean of theirs with the lesion. Red: the "
    "loss gets negative. Crosses: centres."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("studies/girona/figures"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    draw(arguments.out / "losses.svg")


def draw(path: Path) -> None:
    """The whole figure."""
    mask = ellipse()
    focus = LesionFocusLoss()
    losses: dict[str, Callable[[Tensor], Tensor]] = {
        "CSKL, softmax": CamDivergence(),
        "CSKL, min-max": CamDivergence("min-max"),
        **{f"Penalised per pixel,\nλ = {strength:g}": PenalisedCamDivergence(strength) for strength in STRENGTHS},
        "Penalised sums,\nλ = 1": PenalisedCamDivergence(1.0, "sum"),
        "Penalised sums,\nλ = 10": PenalisedCamDivergence(10.0, "sum"),
        "Lesion focus": lambda cams: focus(cams, mask),
    }
    with page(path, 7.2, 1.02 * len(losses) + 2.6, note=NOTE) as figure:
        grid = figure.add_gridspec(2, 1, height_ratios=(1.02 * len(losses), 2.6))
        draw_maps(figure.add_subfigure(grid[0]), losses, mask)
        curve, before, after = figure.add_subfigure(grid[1]).subplots(1, 3, width_ratios=(1.35, 1, 1))
        draw_penalty(curve)
        draw_centres(before, after)


def draw_maps(figure: SubFigure, losses: dict[str, Callable[[Tensor], Tensor]], mask: Tensor) -> None:
    """A row for each loss: both maps before and after, and the loss on the way."""
    panels = figure.subplots(len(losses), 6, width_ratios=(1.75, 1, 1, 1, 1, 1.5))
    start = random_maps()
    for row, (name, loss) in zip(panels, losses.items(), strict=True):
        end, values = descend(loss, start)
        knows_mask = name == "Lesion focus"
        before, after = (with_lesion(cams, mask) if knows_mask else with_each_other(cams) for cams in (start, end))
        words = f"loss {signed(values[0])} → {signed(values[-1])}\nr {signed(before)} → {signed(after)}"
        row[0].text(0, 0.62, name, va="center", color=INK, fontweight="bold", linespacing=1.2)
        row[0].text(0, 0.2, words, va="center", color=INK, fontsize=SMALL, linespacing=1.35)
        row[0].set_axis_off()
        for axes, values_of_map in zip(row[1:5], [*start[0], *end[0]], strict=True):
            axes.imshow(values_of_map, cmap="cividis", interpolation="nearest")
            axes.contour(mask[0], [0.5], colors="white", linewidths=0.8 if knows_mask else 0.4)
            axes.set_axis_off()
        row[5].axhline(0, color=FAINT, linewidth=0.5)
        row[5].plot(np.arange(STEPS + 1) + 1, values, color=VERMILLION if min(values) < -1e-6 else COLOURS[0])
        row[5].set_xscale("log")
        row[5].set_xticks([1, 10, 100, 1000], ["", "", "", ""])
        row[5].minorticks_off()
    for axes, title in zip(
        panels[0, 1:], ("class 1, before", "class 2, before", "class 1, after", "class 2, after", "loss by step"),
        strict=True,
    ):  # fmt: skip
        axes.set_title(title, fontsize=SMALL)
    panels[-1, 5].set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])


def draw_penalty(axes: Axes) -> None:
    """The penalty for three strengths."""
    x = torch.linspace(0, 8, 801, dtype=torch.float64)
    axes.plot(x, x, color=FAINT, linewidth=0.7)
    axes.text(1.5, 1.72, "x", color=FAINT, ha="right", va="bottom")
    for strength, colour, dashes in zip(STRENGTHS, COLOURS, DASHES, strict=False):
        axes.plot(x, redescending(x, strength), color=colour, linestyle=dashes, label=f"λ = {strength:g}")
        peak = strength**-0.5
        axes.plot(peak, peak / 2, "o", color=colour, markersize=3.5)
    axes.set(xlim=(0, 8), ylim=(0, 2.2), xlabel="x", title="Penalty x / (λ x² + 1), peak at 1 / √λ")
    axes.legend(loc="upper right")


def draw_centres(before: Axes, after: Axes) -> None:
    """Points of three classes on their way to their centres."""
    random = torch.Generator().manual_seed(1)
    labels = torch.arange(3).repeat(25)
    centres = torch.tensor([[-1.6, -0.8], [1.6, -0.8], [0.0, 1.5]], dtype=torch.float64)
    start = centres[labels] + torch.randn(75, 2, dtype=torch.float64, generator=random)
    loss = CentreLoss()
    end, values = descend(lambda points: loss(points, labels, centres), start, steps=10, step=5.0)
    for axes, points, title in (
        (before, start, f"Features before: centre loss {values[0]:.2f}"),
        (after, end, f"After 10 steps of 5: {values[-1]:.2f}"),
    ):
        for number in range(3):
            axes.plot(
                *points[labels == number].T, MARKERS[number], linestyle="none", markersize=3, color=COLOURS[number],
                alpha=0.7, markeredgewidth=0,
            )  # fmt: skip
        axes.plot(*centres.T, "+", linestyle="none", markersize=9, markeredgewidth=1.6, color=INK)
        axes.set(xlim=(-4.5, 4.5), ylim=(-4, 4), xticks=[], yticks=[], title=title)
        axes.set_aspect("equal")


def descend(
    loss: Callable[[Tensor], Tensor], start: Tensor, steps: int = STEPS, step: float = STEP
) -> tuple[Tensor, list[float]]:
    """Where plain gradient descent ends, and the loss before each step and at the end."""
    place, values = start, []
    for _ in range(steps):
        place = place.detach().requires_grad_()
        value = loss(place)
        (gradient,) = torch.autograd.grad(value, place)
        values.append(float(value.detach()))
        place = place - step * gradient
    return place.detach(), [*values, float(loss(place.detach()))]


def random_maps() -> Tensor:
    """Two smooth random maps `[1, 2, 16, 16]` of standard deviation 1."""
    random = np.random.default_rng(0)
    maps = np.stack([gaussian_filter(random.standard_normal((SIDE, SIDE)), 1.2, mode="wrap") for _ in range(2)])
    return torch.from_numpy(maps / maps.std(axis=(1, 2), keepdims=True))[None]


def ellipse() -> Tensor:
    """A lesion `[1, 16, 16]`."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return torch.from_numpy((((x - 8.5) / 5.5) ** 2 + ((y - 7) / 3.5) ** 2 < 1).astype(np.float64))[None]


def with_each_other(cams: Tensor) -> float:
    """Correlation of the two maps."""
    return float(np.corrcoef(cams[0].flatten(1).numpy())[0, 1])


def with_lesion(cams: Tensor, mask: Tensor) -> float:
    """Mean correlation of the maps with the lesion."""
    return float(map_correlation(cams, mask).mean())


def signed(number: float) -> str:
    """Two digits, with a true minus and none before zero."""
    return f"{round(number, 2) + 0.0:.2f}".replace("-", "−")


if __name__ == "__main__":
    main()
