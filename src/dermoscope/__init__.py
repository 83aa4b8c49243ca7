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
__all__ = ["Analysis", "Analyzer", "Bundle", "Outcome", "__version__", "analyze", "analyze_batch", "load"]

if TYPE_CHECKING:
    from dermoscope.analysis import Analysis
    from dermoscope.analyzer import Analyzer, Outcome
    from dermoscope.analyzer import load_analyzer as load
    from dermoscope.api import analyze, analyze_batch
    from dermoscope.bundle import Bundle

_HOME = {
    "Analysis": ("dermoscope.analysis", "Analysis"),
    "Analyzer": ("dermoscope.analyzer", "Analyzer"),
    "Bundle": ("dermoscope.bundle", "Bundle"),
    "Outcome": ("dermoscope.analyzer", "Outcome"),
    "analyze": ("dermoscope.api", "analyze"),
    "analyze_batch": ("dermoscope.api", "analyze_batch"),
    "load": ("dermoscope.analyzer", "load_analyzer"),
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'dermoscope' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)
