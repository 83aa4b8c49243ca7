"""Which number ranked which ISIC challenge task, and the columns of its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dermoscope.taxonomy import HAM10000_CODES, ISIC2019_CODES


@dataclass(frozen=True)
class ClassificationTask:
    """A classification task.

    Attributes:
        name: Year and task, such as `isic2018-task3`.
        categories: Columns of truth and predictions, in the official order.
        ranking: The number that ranked: balanced multi-class accuracy, or the mean over the categories of the area
            under the ROC curve or of the average precision.
        exclusive: Whether every image belongs to exactly one of the categories.
        source: Where the rules stand.
        sensitivities: Those at which the specificity was reported beside the ranking number.
    """

    name: str
    categories: tuple[str, ...]
    ranking: Literal["balanced_accuracy", "auc", "average_precision"]
    exclusive: bool
    source: str
    sensitivities: tuple[float, ...] = ()


@dataclass(frozen=True)
class SegmentationTask:
    """A task of lesion masks.

    Attributes:
        name: Year and task, such as `isic2018-task1`.
        ranking: The number that ranked, as mean over the images.
        source: Where the rules stand.
    """

    name: str
    ranking: Literal["jaccard", "thresholded_jaccard"]
    source: str


_LANDING = "https://challenge.isic-archive.com/landing"

CLASSIFICATION_TASKS: Mapping[str, ClassificationTask] = MappingProxyType(
    {
        task.name: task
        for task in (
            ClassificationTask("isic2016-task3", ("malignant",), "average_precision", False, f"{_LANDING}/2016/39/"),
            ClassificationTask(
                "isic2017-task3",
                ("melanoma", "seborrheic_keratosis"),
                "auc",
                False,
                f"{_LANDING}/2017/44/",
                (0.82, 0.89, 0.95),
            ),
            ClassificationTask("isic2018-task3", HAM10000_CODES, "balanced_accuracy", True, f"{_LANDING}/2018/47/"),
            ClassificationTask("isic2019", ISIC2019_CODES, "balanced_accuracy", True, f"{_LANDING}/2019/"),
            ClassificationTask("isic2020", ("melanoma",), "auc", False, f"{_LANDING}/2020/"),
        )
    }
)
"""By name. Ranking of 2016 as the organisers' paper has it (Gutman et al., arXiv 1605.01397)."""

SEGMENTATION_TASKS: Mapping[str, SegmentationTask] = MappingProxyType(
    {
        task.name: task
        for task in (
            SegmentationTask("isic2016-task1", "jaccard", "Gutman et al., arXiv 1605.01397"),
            SegmentationTask("isic2017-task1", "jaccard", "Codella et al., arXiv 1710.05006"),
            SegmentationTask("isic2018-task1", "thresholded_jaccard", "Codella et al., arXiv 1902.03368"),
        )
    }
)
"""By name."""
