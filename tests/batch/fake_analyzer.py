"""A small analyzer whose answers depend only on a file's bytes, and the images it takes."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.analysis import Analysis, Gate, LesionMask, Malignancy, MaskCandidate
from dermoscope.batch.run_record import Option
from dermoscope.images import ImageError

MAGIC = b"fake image "
NO_SETTINGS: Mapping[str, Option] = MappingProxyType({})


@dataclass(frozen=True)
class FakeOutcome:
    """What the analyzer returns."""

    analysis: Analysis
    mask: NDArray[np.bool_] | None
    picture: NDArray[np.uint8] | None


@dataclass(frozen=True)
class FakeBundle:
    """A bundle without a model."""

    name: str = "fake 1"
    fingerprint: str = "0123456789abcdef"

    def describe(self) -> dict[str, Any]:
        """The parts of a description that the report and `info` show."""
        return {
            "name": "fake",
            "version": "1",
            "fingerprint": self.fingerprint,
            "licence": "CC BY-NC 4.0",
            "intended_use": "Tests.",
            "training_data": ["no images at all"],
            "metrics": [
                {
                    "name": "malignancy AUC (graz)",
                    "value": 0.851,
                    "low": 0.82,
                    "high": 0.88,
                    "n": 1509,
                    "data": "nothing",
                    "command": "none",
                }
            ],
            "heads": {
                "malignancy_definition": "graz",
                "malignancy_point": {"threshold": 0.3, "meaning": "sensitivity 0.9 on nothing"},
            },
        }


@dataclass
class FakeAnalyzer:
    """Takes files that start with `MAGIC`; counts how often it saw each.

    Attributes:
        settings: How it was set up.
        delay: Seconds for one image.
        errors: What to raise, by a file's name.
        spacings: What it was given as the size of a pixel, once each.
    """

    bundle: FakeBundle = field(default_factory=FakeBundle)
    settings: Mapping[str, Option] = field(default_factory=lambda: NO_SETTINGS)
    delay: float = 0.0
    errors: dict[str, BaseException] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    spacings: set[tuple[float, float] | None] = field(default_factory=set)
    at_once: int = 0
    most_at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def describe(self) -> dict[str, Any]:
        """What the report says of the model."""
        return self.bundle.describe()

    def analyze(
        self,
        source: Path,
        *,
        image_id: str,
        path: str,
        frame: int,  # noqa: ARG002 - as the real one
        picture: bool,
        spacing_mm: tuple[float, float] | None,
    ) -> FakeOutcome:
        """Analyse one fake image."""
        with self._lock:
            self.spacings.add(spacing_mm)
            self.calls[source.name] += 1
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            time.sleep(self.delay)
            if source.name in self.errors:
                raise self.errors[source.name]
            return outcome_of(self._read(source), image_id, path, picture=picture, bundle=self.bundle.fingerprint)
        finally:
            with self._lock:
                self.at_once -= 1

    @staticmethod
    def _read(source: Path) -> bytes:
        try:
            data = source.read_bytes()
        except OSError as error:
            raise ImageError(str(source), "cannot be read") from error
        if not data.startswith(MAGIC):
            raise ImageError(str(source), "is not an image")
        return data


def outcome_of(data: bytes, image_id: str, path: str, *, picture: bool, bundle: str) -> FakeOutcome:
    """An answer made of the hash of some bytes: about one image in ten is not skin, one in seven withheld."""
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()[:8]))
    height, width = 60, 80
    diagnosis = random.dirichlet(np.full(7, 0.4))
    group = random.dirichlet(np.full(5, 0.4))
    probability = float(random.beta(1.2, 4))
    p_skin = float(random.beta(8, 1))
    is_skin = p_skin >= 0.7
    rows, columns = np.mgrid[:height, :width]
    mask = np.asarray((rows - 30) ** 2 + (columns - 40) ** 2 < float(random.uniform(60, 600)))
    box = (*(int(axis.min()) for axis in np.nonzero(mask)[::-1]), *(int(a.max()) + 1 for a in np.nonzero(mask)[::-1]))
    blurred = bool(random.random() < 0.15)
    reason = "the image is blurred" if blurred else ""
    if not is_skin:
        reason = "the image does not look like skin"
    analysis = Analysis(
        image_id=image_id,
        path=path,
        width=width,
        height=height,
        quality=("blurred",) if blurred else (),
        gate=Gate(is_skin=is_skin, p_skin=p_skin, threshold=0.7),
        mask=LesionMask(
            prompt="saliency box",
            confidence=0.8,
            area_fraction=float(mask.mean()),
            box=(box[0], box[1], box[2], box[3]),
            outline=(((box[0], box[1]), (box[2], box[1]), (box[2], box[3])),),
            candidates=(
                MaskCandidate(
                    prompt="centre", predicted_iou=0.7, stability=0.9, area_fraction=0.5, kept=False, reason="too large"
                ),
            ),
        )
        if is_skin
        else None,
        diagnosis=dict(zip(taxonomy.HAM10000_CODES, map(float, diagnosis), strict=True)),
        group=dict(zip(taxonomy.GROUPS, map(float, group), strict=True)),
        malignancy=Malignancy(
            probability=probability,
            definition="graz",
            threshold=0.3,
            operating_point="sensitivity 0.9 on nothing",
            flagged=probability >= 0.3,
        ),
        p_melanoma=float(diagnosis[0]),
        abstained=bool(reason),
        abstain_reason=reason,
        timings_ms={"decode": 1.0},
        bundle=bundle,
    )
    drawing = np.zeros((height, 3 * width, 3), np.uint8)
    drawing[:, :width] = (200, 150, 120)
    drawing[:, width : 2 * width][mask] = (90, 50, 40)
    return FakeOutcome(analysis, mask if is_skin else None, drawing if picture else None)


def write_images(folder: Path, count: int, start: int = 0) -> list[Path]:
    """Write numbered fake images, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"image-{number:04d}.jpg" for number in range(start, start + count)]
    for path in paths:
        path.write_bytes(MAGIC + path.name.encode())
    return paths
