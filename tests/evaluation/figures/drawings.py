"""Looking at what a figure function drew: the matplotlib objects, and how its words lie on the page."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_TOUCH = 0.015


@dataclass(frozen=True)
class Drawing:
    """What a reader sees of a figure.

    Attributes:
        texts: Every visible text with its box in inches.
        slanted: Those among them whose box says little, because they are neither level nor upright.
        page: The page in inches.
    """

    texts: tuple[tuple[str, Bbox], ...]
    slanted: frozenset[str]
    page: Bbox

    @property
    def words(self) -> str:
        """All texts, one after the other."""
        return " ".join(text for text, _ in self.texts).replace("\n", " ")

    def overlapping(self) -> list[tuple[str, str]]:
        """Pairs of texts that cover one another."""
        return [
            (a, b)
            for (a, one), (b, two) in itertools.combinations(self.texts, 2)
            if not {a, b} <= self.slanted
            and (common := Bbox.intersection(one, two)) is not None
            and min(common.width, common.height) > _TOUCH
        ]

    def cut(self) -> list[str]:
        """Texts that the edge of the page cuts."""
        x1, y1 = self.page.x1 + _TOUCH, self.page.y1 + _TOUCH
        return [text for text, box in self.texts if box.x0 < -_TOUCH or box.y0 < -_TOUCH or box.x1 > x1 or box.y1 > y1]


def drawing_of(monkeypatch: pytest.MonkeyPatch, draw: Callable[[], None]) -> Drawing:
    """What one call of a figure function shows."""
    found: list[Drawing] = []

    def look(figure: Figure, path: Path, **_: Any) -> None:
        canvas: Any = FigureCanvasAgg(figure)  # drawing is left untyped by matplotlib
        canvas.draw()
        to_inches = figure.dpi_scale_trans.inverted()
        texts = [
            (text.get_text(), text.get_window_extent(canvas.get_renderer()).transformed(to_inches))
            for text in _visible(figure)
        ]
        slanted = frozenset(text.get_text() for text in _visible(figure) if text.get_rotation() % 90)
        found.append(Drawing(tuple(texts), slanted, figure.bbox_inches))
        path.touch()

    monkeypatch.setattr(Figure, "savefig", look)
    draw()
    (drawing,) = found
    return drawing


def _visible(figure: Figure) -> Iterator[Text]:
    ticks: dict[Text, bool] = {}
    for axes in figure.axes:
        for number, axis in enumerate((axes.xaxis, axes.yaxis)):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                for label in (tick.label1, tick.label2):
                    ticks[label] = axes.axison and low <= label.get_position()[number] <= high
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text.get_visible() and text.get_text().strip() and ticks.get(text, True):
            yield text
