"""From a folder of skin images to mask, lesion group, calibrated malignancy risk and explanation.

Research use only, not a medical device. `import dermoscope` is light: engines and models load when they are first used.

Example:
    >>> import dermoscope
    >>> analysis = dermoscope.analyze("photo.jpg")  # doctest: +SKIP
    >>> analysis.top_group, analysis.malignancy.probability  # doctest: +SKIP
    ('melanocytic', 0.07)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "Analysis",
    "Analyzer",
    "Bundle",
    "LesionClassifier",
    "MaskOptions",
    "OpenImage",
    "Outcome",
    "Segmentation",
    "Segmenter",
    "__version__",
    "analyze",
    "analyze_batch",
    "load",
    "load_classifier",
    "load_segmenter",
    "segment_batch",
    "segment_image",
]

if TYPE_CHECKING:
    from dermoscope.analysis import Analysis
    from dermoscope.analyzer import Analyzer, Outcome
    from dermoscope.analyzer import load_analyzer as load
    from dermoscope.api import analyze, analyze_batch, segment_batch, segment_image
    from dermoscope.bundle import Bundle
    from dermoscope.lesion_classifier import LesionClassifier, load_classifier
    from dermoscope.open_image import MaskOptions, OpenImage
    from dermoscope.segmentation import Segmentation
    from dermoscope.segmenter import Segmenter, load_segmenter

_HOME = {
    "Analysis": ("dermoscope.analysis", "Analysis"),
    "Analyzer": ("dermoscope.analyzer", "Analyzer"),
    "Bundle": ("dermoscope.bundle", "Bundle"),
    "LesionClassifier": ("dermoscope.lesion_classifier", "LesionClassifier"),
    "MaskOptions": ("dermoscope.open_image", "MaskOptions"),
    "OpenImage": ("dermoscope.open_image", "OpenImage"),
    "Outcome": ("dermoscope.analyzer", "Outcome"),
    "Segmentation": ("dermoscope.segmentation", "Segmentation"),
    "Segmenter": ("dermoscope.segmenter", "Segmenter"),
    "analyze": ("dermoscope.api", "analyze"),
    "analyze_batch": ("dermoscope.api", "analyze_batch"),
    "load": ("dermoscope.analyzer", "load_analyzer"),
    "load_classifier": ("dermoscope.lesion_classifier", "load_classifier"),
    "load_segmenter": ("dermoscope.segmenter", "load_segmenter"),
    # `dermoscope.segment` is the folder of that name.
    "segment_batch": ("dermoscope.api", "segment_batch"),
    "segment_image": ("dermoscope.api", "segment_image"),
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'dermoscope' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)
