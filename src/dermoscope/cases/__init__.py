"""The case store of the local service: images that a person kept, with what was said of them; torch-free."""

from dermoscope.cases.case import UNCHANGED, Case, CasePage, SimilarCase
from dermoscope.cases.checks import MAX_NOTE
from dermoscope.cases.errors import CaseNotFoundError
from dermoscope.cases.store import CaseStore
from dermoscope.features.errors import StoreError

__all__ = [
    "MAX_NOTE",
    "UNCHANGED",
    "Case",
    "CaseNotFoundError",
    "CasePage",
    "CaseStore",
    "SimilarCase",
    "StoreError",
]
