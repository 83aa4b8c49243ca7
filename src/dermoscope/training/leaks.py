"""The leak check that stands before training: once a manifest, refused unless a person says why not. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from dermoscope import __version__
from dermoscope.batch.files import replace_file, writing_to
from dermoscope.data.leakage import Finding, Kind, LeakReport, check_leaks
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.files import sha256_of

LEAK_CHECK_NAME = "leak_check.json"
SPLIT_NAME = "split.csv"
"""Which image a run had in which split: `source`, `image_id`, `split`."""
COMPARED = ("image ids", "lesions and patients", "files", "pictures")
"""What is compared before training; pictures in eight orientations and cropped by up to 5 % a side."""

_EXAMPLES = 3


class LeaksFoundError(ValueError):
    """Training was refused, because its splits share lesions or images.

    Attributes:
        check: What was found.
    """

    def __init__(self, check: LeakCheck) -> None:
        self.check = check
        examples = "; ".join(map(str, check.leaks[:_EXAMPLES]))
        super().__init__(
            f"{check.manifest}: leaks between splits: {len(check.leaks):,}, such as {examples}. {LEAK_CHECK_NAME} "
            "in the run folder has all. Put such images into one split (`dermoscope data split` keeps lesions "
            'together), or train on them with --allow-leaks "reason", which the run records'
        )


class LearntBeforeError(ValueError):
    """Training was refused, because the model that it starts from has learnt from its validation or test images.

    Attributes:
        images: Which.
    """

    def __init__(self, images: Sequence[Record]) -> None:
        self.images = tuple(images)
        examples = ", ".join(f"{record.image_id} ({record.split})" for record in images[:_EXAMPLES])
        super().__init__(
            f"--start: that run has learnt from {len(images):,} images that are held out now, such as {examples}. "
            'Leave them out of the manifest, or train with --allow-leaks "reason", which the run records'
        )


class LeakImage(BaseModel):
    """One image of a leak, as the manifest names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_id: str
    source: str
    split: str

    def __str__(self) -> str:
        return f"{self.image_id} ({self.split or 'no split'})"


class Leak(BaseModel):
    """Images that belong together and lie in different splits.

    Attributes:
        kind: How they are known to belong together.
        key: The shared id, hash or group; empty for near-duplicates.
        similarity: Of near-duplicates, the correlation of their aligned details, up to 1.
        images: Two or more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    key: str
    similarity: float | None
    images: tuple[LeakImage, ...]

    @classmethod
    def of(cls, finding: Finding) -> Leak:
        """What a run keeps of a finding: no paths."""
        images = [LeakImage(image_id=m.image_id, source=m.source, split=m.split) for m in finding.members]
        return cls(kind=finding.kind, key=finding.key, similarity=finding.similarity, images=tuple(images))

    def __str__(self) -> str:
        first = self.images[0]
        other = next(image for image in self.images if image.split != first.split)
        return f"{first} and {other}: {self.kind.value}"


class LeakCheck(BaseModel):
    """The result of the check of one manifest, as `leak_check.json` keeps it.

    Attributes:
        schema_version: Version of this record.
        version: Version of `dermoscope` that checked.
        manifest: Name of the manifest.
        manifest_sha256: Of its bytes.
        compared: What was compared.
        settings: Thresholds of the comparison of pictures.
        images: Number of images compared.
        unreadable: How many of them could not be opened; their ids and groups were still compared.
        counts: By kind: `findings` that join images at all, `leaks` among them, and `images` in the findings.
        between_splits: Leaks by the splits they join, such as `test, train`.
        leaks: All of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    version: str = __version__
    manifest: str
    manifest_sha256: str
    compared: tuple[str, ...] = COMPARED
    settings: dict[str, float]
    images: int
    unreadable: int
    counts: dict[str, dict[str, int]]
    between_splits: dict[str, int]
    leaks: tuple[Leak, ...]

    @classmethod
    def of(cls, report: LeakReport, *, manifest: str, manifest_sha256: str) -> LeakCheck:
        """What a run keeps of a report."""
        return cls(
            manifest=manifest,
            manifest_sha256=manifest_sha256,
            settings=dict(report.settings),
            images=report.images,
            unreadable=len(report.unreadable),
            counts=report.counts(),
            between_splits=report.between_splits(),
            leaks=tuple(map(Leak.of, report.leaks)),
        )


class LeakDecision(BaseModel):
    """What `run.json` says of leaks.

    Attributes:
        compared: What was compared.
        settings: Thresholds of the comparison of pictures.
        images: Number of images compared.
        unreadable: How many of them could not be opened.
        leaks: Number of leaks.
        by_kind: The same by kind.
        between_splits: The same by the splits they join.
        learnt_before: Number of validation and test images that the model it was started from has learnt from.
        allowed: Whether a person said that leaks are allowed.
        reason: Why, in that person's words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    compared: tuple[str, ...]
    settings: dict[str, float]
    images: int
    unreadable: int
    leaks: int
    by_kind: dict[str, int]
    between_splits: dict[str, int]
    learnt_before: int = 0
    allowed: bool
    reason: str


def check_before_training(manifest: Path, folder: Path, *, cache: Path | None = None, jobs: int = 1) -> LeakCheck:
    """Check all rows of a manifest for leaks between its splits, or read what an earlier check of it found.

    The result is kept in the run folder, and holds for the same bytes of the manifest and the same version of
    `dermoscope`. Whoever changes image files under an unchanged manifest removes it.

    Args:
        manifest: The manifest; images that belong together are looked for in all its splits.
        folder: The run folder, made if need be; `leak_check.json` is written there, whether there are leaks or not.
        cache: See `dermoscope.data.leakage.check_leaks`; it holds small copies of the images.
        jobs: Threads of the comparison.

    Raises:
        ManifestError: If the manifest does not fit.
        OutputError: If the result cannot be written.
    """
    sha256 = sha256_of(manifest)
    kept = folder / LEAK_CHECK_NAME
    if (earlier := _read(kept)) and (earlier.manifest_sha256, earlier.version) == (sha256, __version__):
        return earlier
    with writing_to(folder):  # before the work, not after it
        folder.mkdir(parents=True, exist_ok=True)
    report = check_leaks(read_manifest(manifest), cache=cache, jobs=jobs)
    check = LeakCheck.of(report, manifest=manifest.name, manifest_sha256=sha256)
    replace_file(kept, f"{check.model_dump_json(indent=1)}\n".encode())
    return check


def decide(check: LeakCheck, allow: str | None = None, *, learnt_before: Sequence[Record] = ()) -> LeakDecision:
    """Let training go on where there is no leak, or where a person says why leaks do not matter.

    Args:
        check: What was found.
        allow: The reason to train in spite of leaks; none refuses them.
        learnt_before: Validation and test images that the model to start from has learnt from.

    Raises:
        LeaksFoundError: If there are leaks, and no reason.
        LearntBeforeError: If there are such images, and no reason.
        ValueError: If the reason is blank.
    """
    if allow is not None and not allow.strip():
        raise ValueError("--allow-leaks: expected a reason, which the run records, got nothing")
    if check.leaks and allow is None:
        raise LeaksFoundError(check)
    if learnt_before and allow is None:
        raise LearntBeforeError(learnt_before)
    return LeakDecision(
        compared=check.compared,
        settings=check.settings,
        images=check.images,
        unreadable=check.unreadable,
        leaks=len(check.leaks),
        by_kind={kind: row["leaks"] for kind, row in check.counts.items()},
        between_splits=check.between_splits,
        learnt_before=len(learnt_before),
        allowed=allow is not None,
        reason=(allow or "").strip(),
    )


def _read(path: Path) -> LeakCheck | None:
    """An earlier result; one that this version cannot read is none."""
    try:
        return LeakCheck.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
