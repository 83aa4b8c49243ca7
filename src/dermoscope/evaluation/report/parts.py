"""What every part of a report is given and gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dermoscope.evaluation.report.document import Section, Tile

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is, and how much there is."""


def silent(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True)
class Settings:
    """How numbers are made.

    Attributes:
        resamples: Of every bootstrap.
        seed: Of every bootstrap.
        keep_names: Whether the gallery may show image ids.
        sensitivities: Targets of the operating points.
        coverage: What prediction sets promise.
        on_progress: Called as the work goes on.
    """

    resamples: int = 1000
    seed: int = 0
    keep_names: bool = False
    sensitivities: tuple[float, ...] = (0.8, 0.9, 0.95)
    coverage: float = 0.9
    on_progress: OnProgress = silent

    def tick(self, what: str) -> Callable[[int, int], None]:
        """Progress of one step."""
        return lambda done, total: self.on_progress(what, done, total)


@dataclass(frozen=True)
class Part:
    """One section with its numbers.

    Attributes:
        key: In `metrics.json`.
        section: For people.
        numbers: For programs.
        tiles: For the summary.
    """

    key: str
    section: Section
    numbers: Mapping[str, object]
    tiles: tuple[Tile, ...] = field(default=())


def left_out_note(left_out: Mapping[str, int]) -> tuple[str, ...]:
    """Which images have no answer to a question, or nothing."""
    if not left_out:
        return ()
    listed = ", ".join(f"{count:,} {code}" for code, count in left_out.items())
    return (f"Left out because they have no answer to this question: {listed}.",)
