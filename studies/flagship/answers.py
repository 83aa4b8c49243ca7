"""What a mode of a bundle says of the held-out images of this study, each on its whole way from file to record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Analysis, Status
from dermoscope.analyzer import Analyzer
from dermoscope.batch import analyze_batch
from dermoscope.bundle_parts import ModePart
from dermoscope.data.manifest import Record
from dermoscope.training.tasks import DEFAULT_TASKS

Pair = tuple[Record, Analysis]


def ask(records: Sequence[Record], out: Path, analyzer: Analyzer) -> list[Pair]:
    """Run the batch over images as a user would; it resumes. Images that failed are left out."""
    analyze_batch([str(record.path) for record in records], out, analyzer, jobs=2, pictures=False, masks=False)
    lines = (out / "results.jsonl").read_text(encoding="utf-8").splitlines()
    said = {one.path: one for one in map(Analysis.model_validate_json, lines)}
    pairs = [(record, said[str(record.path)]) for record in records]
    return [(record, one) for record, one in pairs if one.status is Status.DONE]


@dataclass(frozen=True, eq=False)
class Diagnoses:
    """The seven diagnoses of N images.

    Attributes:
        labels: `[N]`, the true ones.
        odds: `[N, K]`, probabilities, were all equally frequent; the largest one is the answer.
        sure: `[N]`, the largest probability at the frequencies of the validation images. On those, withholding the
            fifth where it is least gains more than by other measures (0.120 in balanced accuracy; by the largest of
            `odds` 0.090, by how far members are apart 0.037).
        groups: `[N]`, lesions.
    """

    labels: NDArray[np.int64]
    odds: NDArray[np.float64]
    sure: NDArray[np.float64]
    groups: list[str]

    @classmethod
    def of(cls, pairs: Sequence[Pair], mode: ModePart) -> Diagnoses:
        """Those of some images, all of which have one, as a mode tells them."""
        task = DEFAULT_TASKS["diagnosis"]
        assert task.classes == mode.fusion.classes
        labels = np.array([task.label(record) for record, _ in pairs], np.int64)
        odds = np.array([[one.diagnosis[code] for code in task.classes] for _, one in pairs])
        weighted = odds * mode.frequencies
        sure = (weighted / weighted.sum(axis=1, keepdims=True)).max(axis=1)
        return cls(labels, odds, sure, [record.group_id for record, _ in pairs])

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the most probable diagnosis is the true one, `[N]`."""
        return np.asarray(self.odds.argmax(axis=1) == self.labels)

    def balanced(self, rows: NDArray[np.intp]) -> float:
        """Mean recall over the diagnoses that some rows show."""
        true, right = self.labels[rows], self.right[rows]
        return float(np.mean([right[true == label].mean() for label in np.unique(true)]))

    def surest(self, rows: NDArray[np.intp], share: float) -> NDArray[np.intp]:
        """Those rows of which it is most sure."""
        return rows[np.argsort(-self.sure[rows], kind="stable")[: round(share * len(rows))]]
