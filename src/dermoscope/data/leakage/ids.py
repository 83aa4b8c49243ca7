"""Leaks that the tables tell: ids that come in several sources or splits, lesions and patients on both sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from dermoscope import taxonomy
from dermoscope.data.leakage.findings import Finding, Kind, Member
from dermoscope.data.manifest import Record


def same_ids(records: Sequence[Record]) -> Iterator[Finding]:
    """Ids that several rows carry, `_downsampled` and the like stripped."""
    rows: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        rows[_key(taxonomy.base_image_id(record.image_id), record)].append(record)
    for shared in rows.values():
        if len(shared) > 1:
            key = taxonomy.base_image_id(shared[0].image_id)
            yield Finding(Kind.SAME_ID, key, tuple(Member.of(record) for record in shared))


def shared_groups(records: Sequence[Record]) -> Iterator[Finding]:
    """Lesions and patients with images in several splits. Those within one split are as they should be."""
    rows: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        for level, name in (("patient", record.patient_id), ("lesion", record.lesion_id)):
            if name:
                rows[level, _key(name, record)].append(record)
    seen: set[tuple[Member, ...]] = set()
    for (level, _), shared in rows.items():
        name = shared[0].patient_id if level == "patient" else shared[0].lesion_id
        finding = Finding(Kind.SAME_GROUP, f"{level} {name}", tuple(Member.of(record) for record in shared))
        if finding.is_leak and finding.members not in seen:
            seen.add(finding.members)
            yield finding


def _key(name: str, record: Record) -> str:
    """What two rows must share. A bare number, such as a patient 12, means nothing outside its own source."""
    return f"{record.source}\0{name}" if name.isdecimal() else name
