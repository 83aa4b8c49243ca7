"""What a leak check finds: images that ought not to count as different ones, and whether a split lies between them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dermoscope.data.manifest import Record


class Kind(StrEnum):
    """How two images are known to be the same, or of the same lesion."""

    SAME_ID = "same id"
    SAME_FILE = "same file"
    NEAR_DUPLICATE = "near-duplicate"
    SAME_GROUP = "same group"


@dataclass(frozen=True)
class Member:
    """One image of a finding.

    Attributes:
        image_id: As in the manifest.
        source: As in the manifest.
        split: As in the manifest; empty where it has none.
        path: The image file.
    """

    image_id: str
    source: str
    split: str
    path: str

    @classmethod
    def of(cls, record: Record) -> Member:
        """The member that a record of a manifest becomes."""
        return cls(record.image_id, record.source, record.split, str(record.path))


@dataclass(frozen=True)
class Finding:
    """Images that belong on one side of a split.

    Attributes:
        kind: How they are known to belong together.
        key: The shared id, hash or group; empty for near-duplicates.
        members: Two or more images; near-duplicates come in pairs.
        similarity: Of near-duplicates, the correlation of their aligned details, up to 1.
        orientation: Of near-duplicates, how the second image must be turned to lie like the first.
        also: Near-duplicates only: other kinds that join the same two images.
    """

    kind: Kind
    key: str
    members: tuple[Member, ...]
    similarity: float | None = None
    orientation: str = ""
    also: tuple[Kind, ...] = ()

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that the members lie in, in alphabetical order."""
        return tuple(sorted({member.split for member in self.members if member.split}))

    @property
    def is_leak(self) -> bool:
        """Whether a split lies between the members."""
        return len(self.splits) > 1


@dataclass(frozen=True)
class LeakReport:
    """The result of a leak check.

    Attributes:
        findings: Leaks first.
        images: Number of images looked at.
        looked_at_pictures: False if only ids and groups were compared.
        unreadable: Reason by path of the images that could not be decoded; their ids and groups were still compared.
        featureless: Paths of even surfaces, on which there is nothing to compare.
        settings: Thresholds of the comparison of pictures.
    """

    findings: tuple[Finding, ...]
    images: int
    looked_at_pictures: bool
    unreadable: Mapping[str, str]
    featureless: Sequence[str]
    settings: Mapping[str, float]

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings with a split between their members."""
        return tuple(finding for finding in self.findings if finding.is_leak)

    def counts(self) -> dict[str, dict[str, int]]:
        """Findings and leaks by kind; near-duplicates that nothing else tells are counted apart.

        Returns:
            For every kind `findings`, `leaks` and `images`, the number of different images in them.
        """
        table: dict[str, dict[str, int]] = {}
        for kind in Kind:
            own = [finding for finding in self.findings if finding.kind is kind]
            table[kind.value] = _row(own)
            if kind is Kind.NEAR_DUPLICATE:
                table[f"{kind.value}, told by nothing else"] = _row([finding for finding in own if not finding.also])
        return table

    def between_splits(self) -> dict[str, int]:
        """Leaks by the splits that they join, such as `test, train`."""
        return dict(sorted(Counter(", ".join(finding.splits) for finding in self.leaks).items()))

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "images": self.images,
            "leaks": len(self.leaks),
            "counts": self.counts(),
            "between_splits": self.between_splits(),
            "looked_at_pictures": self.looked_at_pictures,
            "settings": dict(self.settings),
            "unreadable": dict(self.unreadable),
            "featureless": list(self.featureless),
            "findings": [{**asdict(finding), "is_leak": finding.is_leak} for finding in self.findings],
        }

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")


def _row(findings: Sequence[Finding]) -> dict[str, int]:
    images = {(member.source, member.image_id, member.path) for finding in findings for member in finding.members}
    leaks = sum(finding.is_leak for finding in findings)
    return {"findings": len(findings), "leaks": leaks, "images": len(images)}
