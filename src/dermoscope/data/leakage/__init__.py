"""Leaks: images of one lesion, or copies of one image, on both sides of a split. Torch-free.

`check_leaks` finds them, `refuse_leaks` keeps a training run from starting on them.
"""

from dermoscope.data.leakage.check import LeakError, check_leaks, refuse_leaks
from dermoscope.data.leakage.findings import Finding, Kind, LeakReport, Member

__all__ = ["Finding", "Kind", "LeakError", "LeakReport", "Member", "check_leaks", "refuse_leaks"]
