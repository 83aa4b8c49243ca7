"""Dice by lesion type: boxes, and every image as a point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.figures import style

_RASTER_ABOVE = 1500
_BANDWIDTH = 0.02


def dice_by_type(
    dice: NDArray[np.floating],
    types: Sequence[str],
    path: Path,
    *,
    prompt: str,
    order: Sequence[str] = (),
    title: str = "",
    note: str = "",
) -> None:
    """Draw the Dice coefficient of every image by lesion type.

    Args:
        dice: `[N]`, 0 to 1, one number an image.
        types: `[N]` lesion type of each image.
        path: Where to write; `.svg`, `.png` or `.pdf`.
        prompt: Where the masks' prompts came from: `auto`, `jittered box` or `ground-truth box`.
        order: Types from top to bottom; others follow, the largest first.
        title: Above the figure.
        note: Further words below it.

    Raises:
        ValueError: If the lengths differ or there are no images.
    """
    if not len(dice) or len(dice) != len(types):
        raise ValueError(f"need one type an image and at least one image: {len(dice)} and {len(types)}")
    type_of = np.asarray(types, np.str_)
    names, counts = np.unique(type_of, return_counts=True)
    size = dict(zip(names.tolist(), counts.tolist(), strict=True))
    rank = {name: place for place, name in enumerate(order)}
    shown = sorted(size, key=lambda name: (rank.get(name, len(rank)), -size[name], name))
    values = [np.asarray(dice[type_of == name], np.float64) for name in shown]
    explained = (
        f"n = {style.counted(len(dice), 'image')}, one point each; box: quartiles and median; whiskers: 1.5 box "
        f"lengths at most. Prompt: {prompt}"
    )
    height = 0.42 * len(shown) + 0.8
    with style.page(path, 5.4, height, title=title, note=style.sentences(explained, note)) as figure:
        axes = figure.subplots()
        places = np.arange(len(shown))
        for place, each in zip(places, values, strict=True):
            axes.plot(
                each, place + _spread(each), "o", color=style.BLUE, markersize=2.2 if len(each) < 300 else 1.5,
                alpha=0.55 if len(each) < 300 else 0.35, markeredgewidth=0, rasterized=len(dice) > _RASTER_ABOVE,
            )  # fmt: skip
        axes.boxplot(
            values, positions=places, orientation="horizontal", widths=0.56, showfliers=False,
            manage_ticks=False, boxprops={"color": style.INK, "linewidth": 0.9},
            medianprops={"color": style.VERMILLION, "linewidth": 2.2, "solid_capstyle": "butt"},
            whiskerprops={"color": style.INK, "linewidth": 0.9}, capprops={"color": style.INK, "linewidth": 0.9},
            zorder=3,
        )  # fmt: skip
        for place, each in zip(places, values, strict=True):
            axes.text(
                1.025, float(place), f"{np.median(each):.3f}", va="center", fontsize=style.NORMAL, fontweight="bold",
                color=style.VERMILLION,
            )  # fmt: skip
        axes.text(1.025, -0.62, "median", va="bottom", fontsize=style.SMALL, color=style.VERMILLION)
        axes.set_yticks(places, [f"{name}  n = {size[name]:,}" for name in shown])
        axes.set(xlim=(-0.01, 1.01), ylim=(len(shown) - 0.5, -0.55), xlabel="Dice coefficient, per image")
        axes.xaxis.grid(True, color=style.GRID, linewidth=0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines.left.set_visible(False)
        axes.spines.bottom.set_bounds(0, 1)


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each point stands across its box: as far out as its neighbourhood is crowded, without chance."""
    ranked = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    edges = np.arange(0, 1 + 2 * _BANDWIDTH, _BANDWIDTH)
    crowd = np.histogram(values, edges)[0].astype(np.float64)
    crowd = np.convolve(crowd, (0.25, 0.5, 0.25), mode="same")
    width = 0.36 * min(1.0, len(values) / 25) * np.sqrt(crowd / max(1.0, crowd.max()))
    reach = np.interp(values, (edges[:-1] + edges[1:]) / 2, width)
    # The golden ratio spreads successive points evenly without a pattern.
    return np.asarray(reach * (2 * ((ranked * 0.6180339887498949) % 1) - 1))
