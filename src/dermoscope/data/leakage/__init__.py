"""Leaks: images of one lesion, or copies of one image, on both sides of a split. Torch-free.

`check_leaks` finds them; `dermoscope.training.leaks` keeps a training run from starting on them.
"""

from dermoscope.data.leakage.check import check_leaks
from dermoscope.data.leakage.findings import Finding, Kind, LeakReport, Member

__all__ = ["Finding", "Kind", "LeakReport", "Member", "check_leaks"]
