"""The official scores of the ISIC challenges 2016 to 2020, as `isic-challenge-scoring` computes them. Torch-free."""

from dermoscope.evaluation.isic.classification import (
    UNSCORED_IMAGES,
    ClassificationScore,
    official_weights,
    score_classification,
    specificity_at,
)
from dermoscope.evaluation.isic.folders import read_mask_pairs
from dermoscope.evaluation.isic.segmentation import MaskPair, OfficialMaskScores, SegmentationScore, score_masks
from dermoscope.evaluation.isic.tasks import (
    CLASSIFICATION_TASKS,
    SEGMENTATION_TASKS,
    ClassificationTask,
    SegmentationTask,
)

__all__ = [
    "CLASSIFICATION_TASKS",
    "SEGMENTATION_TASKS",
    "UNSCORED_IMAGES",
    "ClassificationScore",
    "ClassificationTask",
    "MaskPair",
    "OfficialMaskScores",
    "SegmentationScore",
    "SegmentationTask",
    "official_weights",
    "read_mask_pairs",
    "score_classification",
    "score_masks",
    "specificity_at",
]
