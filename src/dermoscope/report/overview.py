"""The numbers at the top of the report, gathered in one pass over the results."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dermoscope import taxonomy
from dermoscope.analysis import Analysis, Malignancy, Status

BINS = 20
"""Bars of the histogram; each is five percentage points wide."""


@dataclass
class Overview:
    """Counts over all results, and which of them the page has room for.

    Attributes:
        limit: How many analysed images the page shows at most.
        images: All results.
        failed: Images that could not be analysed.
        not_skin: Images that the gate refused.
        withheld: Images of skin whose answer is withheld.
        withheld_flagged: Those of them that are at or above the operating point all the same.
        flagged: Images with an answer, at or above the operating point.
        answered: Images with an answer.
        risk_bins: Images with an answer, by malignancy risk, in `BINS` equal bins from 0 to 1.
        groups: Images with an answer, by lesion group.
        mode: Which mode answers, from the first result that has one; the group is then that of the diagnosis.
        quality: Images by quality flag.
        malignancy: Definition and operating point, from the first result that has them.
        coverage: How often a prediction set holds the true diagnosis, from the first result that has one.
        gate_threshold: The gate's operating point, from the first result that has it.
    """

    limit: int
    images: int = 0
    failed: int = 0
    not_skin: int = 0
    withheld: int = 0
    withheld_flagged: int = 0
    flagged: int = 0
    answered: int = 0
    risk_bins: list[int] = field(default_factory=lambda: [0] * BINS)
    groups: Counter[str] = field(default_factory=Counter)
    mode: str = ""
    quality: Counter[str] = field(default_factory=Counter)
    malignancy: Malignancy | None = None
    coverage: float | None = None
    gate_threshold: float | None = None
    _riskiest: list[tuple[float, int]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Images that were analysed."""
        return self.images - self.failed

    @property
    def shown(self) -> frozenset[int]:
        """Positions of the results the page shows: all that were analysed, or the riskiest of too many."""
        return frozenset(-negative for _, negative in self._riskiest)

    def group_counts(self) -> list[tuple[str, int]]:
        """Lesion groups in the order of the taxonomy, with their counts."""
        return [(group, self.groups[group]) for group in taxonomy.GROUPS]

    def add(self, position: int, analysis: Analysis) -> None:
        """Count one result.

        Args:
            position: Its place in the results, from 0.
            analysis: The result.
        """
        self.images += 1
        if analysis.status is Status.FAILED:
            self.failed += 1
            return
        self.quality.update(analysis.quality)
        self.mode = self.mode or analysis.mode
        self.malignancy = self.malignancy or analysis.malignancy
        if self.coverage is None and analysis.prediction_set is not None:
            self.coverage = analysis.prediction_set.coverage
        if self.gate_threshold is None and analysis.gate is not None:
            self.gate_threshold = analysis.gate.threshold
        risk = known_risk(analysis)
        entry = (risk, -position)  # of equals the earlier one stays
        if len(self._riskiest) < self.limit:
            heapq.heappush(self._riskiest, entry)
        else:
            heapq.heappushpop(self._riskiest, entry)
        match verdict_of(analysis):
            case "not skin":
                self.not_skin += 1
            case "withheld" | "withheld, flagged" as verdict:
                self.withheld += 1
                self.withheld_flagged += verdict == "withheld, flagged"
            case verdict:
                self.answered += 1
                self.flagged += verdict == "flagged"
                self.groups[analysis.top_group or ""] += 1
                self.risk_bins[min(int(risk * BINS), BINS - 1)] += 1


def gather(results: Iterable[Analysis], limit: int) -> Overview:
    """Count all results.

    Args:
        results: Any number of them; none is kept.
        limit: How many analysed images the page shows at most.
    """
    overview = Overview(limit)
    for position, analysis in enumerate(results):
        overview.add(position, analysis)
    return overview


def verdict_of(analysis: Analysis) -> str:
    """What became of an image: `not skin`, `withheld`, `withheld, flagged`, `flagged` or `not flagged`."""
    if analysis.gate is not None and not analysis.gate.is_skin:
        return "not skin"
    if analysis.abstained or analysis.malignancy is None:
        return "withheld, flagged" if analysis.flagged_without_answer else "withheld"
    return "flagged" if analysis.malignancy.flagged else "not flagged"


def known_risk(analysis: Analysis) -> float:
    """The malignancy risk as far as the page tells it, 0 to 1: all of it with an answer, -1 without one.

    An image that is flagged without an answer has the risk of the operating point, at least, and no other is told.
    """
    verdict = verdict_of(analysis)
    if analysis.malignancy is None or verdict in ("not skin", "withheld"):
        return -1.0
    return analysis.malignancy.threshold if verdict == "withheld, flagged" else analysis.malignancy.probability
