"""A case: one image that a person kept, without its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from pydantic import BaseModel, ConfigDict

from dermoscope import taxonomy
from dermoscope.analysis import Analysis

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unchanged(Enum):
    """Says that a part of a case stays as it is, where none would take it away."""

    UNCHANGED = auto()


UNCHANGED = Unchanged.UNCHANGED


class Case(BaseModel):
    """What is known about one case.

    Attributes:
        id: 32 random hexadecimal digits; says nothing about file or person.
        created: When it was kept, UTC, ISO 8601; no two cases of a store share it.
        changed: When label, note or mask last changed, UTC, ISO 8601.
        analysis: What the model said; its `image_id` is the case's id and its `path` is empty.
        label: Diagnosis code that a person gave, or none.
        label_source: `person` with a label, empty without.
        note: What a person wrote, at most 2,000 characters.
        mask_corrected: Whether a person drew or corrected the mask.
        has_mask: Whether there is a mask.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    created: str
    changed: str
    analysis: Analysis
    label: str | None = None
    label_source: str = ""
    note: str = ""
    mask_corrected: bool = False
    has_mask: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The case as plain JSON types."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class CasePage:
    """Some of the cases that were asked for, newest first.

    Attributes:
        cases: The cases.
        next: Id to give as `before` for the cases after these; none at the end.
        total: How many cases there are in all that were asked for.
    """

    cases: tuple[Case, ...]
    next: str | None
    total: int


@dataclass(frozen=True)
class SimilarCase:
    """A case that looks like an image.

    Attributes:
        case: The case.
        distance: Cosine distance of the embeddings, 0 (same direction) to 2 (opposite).
    """

    case: Case
    distance: float


def is_corrected(analysis: Analysis, label: str | None, mask_corrected: bool) -> bool:
    """Whether a person changed something: drew the mask, or named another diagnosis than the most probable one."""
    return mask_corrected or (label is not None and label != analysis.top_diagnosis)


def words_of(analysis: Analysis, label: str | None, note: str) -> str:
    """What a search looks through: label, note, most probable diagnosis and group, with their names, case folded."""
    codes = [code for code in (label, analysis.top_diagnosis) if code]
    names = [taxonomy.CODE_NAMES.get(code, "") for code in codes]
    return "\n".join([*codes, *names, analysis.top_group or "", note]).casefold()


def iso_time(microseconds: int) -> str:
    """A time since 1970 as ISO 8601, such as `2026-11-30T03:20:00.000001Z`."""
    time = _EPOCH + timedelta(microseconds=microseconds)
    return f"{time.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
