"""Figures in one style: colour-blind safe, readable in print and in grey, written as SVG, PNG or PDF.

Every function takes arrays and the path to write to; none keeps state, and the same data give the same bytes. The
ending of the path decides the format; SVG is the one for reports.
"""

from dermoscope.evaluation.figures.curves import precision_recall, roc_curve
from dermoscope.evaluation.figures.embedding import embedding_map, project, sample_evenly
from dermoscope.evaluation.figures.gallery import Case, Choice, gallery, worst_median_best
from dermoscope.evaluation.figures.lesions import dice_by_type
from dermoscope.evaluation.figures.looks import LookCase, look_gallery
from dermoscope.evaluation.figures.matrix import confusion_matrix
from dermoscope.evaluation.figures.training import training_curves
from dermoscope.evaluation.figures.trust import coverage_risk_curve, reliability_diagram

__all__ = [
    "Case",
    "Choice",
    "LookCase",
    "confusion_matrix",
    "coverage_risk_curve",
    "dice_by_type",
    "embedding_map",
    "gallery",
    "look_gallery",
    "precision_recall",
    "project",
    "reliability_diagram",
    "roc_curve",
    "sample_evenly",
    "training_curves",
    "worst_median_best",
]
