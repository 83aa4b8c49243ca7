"""The leak check: everything that joins images of a manifest, and whether a split lies between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dermoscope import taxonomy
from dermoscope.data.leakage.alignment import LEAST_SIMILARITY
from dermoscope.data.leakage.findings import Finding, Kind, LeakReport, Member
from dermoscope.data.leakage.ids import same_ids, shared_groups
from dermoscope.data.leakage.pictures import NearDuplicate, Pictures, collected, near_duplicates
from dermoscope.data.leakage.search import CANDIDATE_COSINE
from dermoscope.data.leakage.signatures import CROP, ORIENTATIONS
from dermoscope.data.manifest import Record

Progress = Callable[[str, float], None]
"""Called with the name of the step, `reading` or `comparing`, and its finished share, 0 to 1."""


def check_leaks(
    records: Iterable[Record],
    *,
    pictures: bool = True,
    cache: Path | None = None,
    jobs: int = 1,
    on_progress: Progress | None = None,
) -> LeakReport:
    """Look for images that belong together: by id, by content, by what they show, by lesion and patient.

    A finding whose members lie in different splits is a leak. Records of several manifests may be given as one.

    Args:
        records: Rows of a manifest; their `split` says which side they are on.
        pictures: Whether to open the image files; without it only ids, lesions and patients are compared.
        cache: A file in which hashes and thumbnails are kept, so that the next check opens only new images. It is
            made of patients' images: keep it where those are kept.
        jobs: Threads of the comparison.
        on_progress: Told how far the check is.
    """
    rows = list(records)
    findings = [*same_ids(rows), *shared_groups(rows)]
    unreadable: dict[str, str] = {}
    featureless: list[str] = []
    if pictures:
        with collected([row.path for row in rows], cache, _step(on_progress, "reading")) as seen:
            pairs, even = near_duplicates(seen.thumbnails, jobs=jobs, on_progress=_step(on_progress, "comparing"))
            findings += _same_files(rows, seen)
            findings += [_near_duplicate(rows, seen, pair) for pair in pairs]
        unreadable = {str(rows[number].path): reason for number, reason in seen.unreadable.items()}
        featureless = [str(rows[number].path) for picture in even for number in seen.files[picture]]
    findings.sort(key=lambda finding: (not finding.is_leak, list(Kind).index(finding.kind)))
    settings = {"least_cosine": CANDIDATE_COSINE, "least_similarity": LEAST_SIMILARITY, "largest_crop": CROP}
    return LeakReport(tuple(findings), len(rows), pictures, unreadable, featureless, settings)


def _same_files(rows: list[Record], seen: Pictures) -> Iterator[Finding]:
    for sha256, files in zip(seen.sha256, seen.files, strict=True):
        # Several manifests may list one file; that is the same id, told already.
        if len({rows[number].path for number in files}) > 1:
            yield Finding(Kind.SAME_FILE, sha256.hex(), tuple(Member.of(rows[number]) for number in files))


def _near_duplicate(rows: list[Record], seen: Pictures, pair: NearDuplicate) -> Finding:
    one, other = seen.files[pair.first], seen.files[pair.second]
    return Finding(
        Kind.NEAR_DUPLICATE,
        "",
        tuple(Member.of(rows[number]) for number in (*one, *other)),
        similarity=round(pair.similarity, 4),
        orientation=ORIENTATIONS[pair.orientation],
        also=tuple(_also(rows[one[0]], rows[other[0]])),
    )


def _also(one: Record, other: Record) -> Iterator[Kind]:
    if taxonomy.base_image_id(one.image_id) == taxonomy.base_image_id(other.image_id):
        yield Kind.SAME_ID
    if (one.patient_id and one.patient_id == other.patient_id) or (one.lesion_id and one.lesion_id == other.lesion_id):
        yield Kind.SAME_GROUP


def _step(on_progress: Progress | None, name: str) -> Callable[[float], None] | None:
    return (lambda share: on_progress(name, share)) if on_progress else None
