"""One image's row of the report: everything formatted, nothing escaped yet."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import quote

import cv2
import numpy as np

from dermoscope import taxonomy
from dermoscope.analysis import Analysis, Measures
from dermoscope.report.overview import known_risk, verdict_of

_THUMBNAIL_HEIGHT = 112
_THUMBNAIL_WIDTH = 448
_JPEG_QUALITY = 78
_PERCENT = "\u00a0%"


@dataclass(frozen=True)
class Thumbnail:
    """A small picture.

    Attributes:
        source: A data URI, or a path relative to the page.
        target: Path of the full picture, relative to the page.
    """

    source: str
    target: str


@dataclass(frozen=True)
class Share:
    """A probability, or another share, as a row shows it.

    Attributes:
        value: 0 to 1; -1 where no answer is given, which also sorts it last.
        text: The same in per cent, or a dash.
    """

    value: float
    text: str


@dataclass(frozen=True)
class Row:
    """One analysed image. `group` and `diagnosis` are empty where the answer is withheld, `warning` where all is well.

    `known_risk` is what the row is sorted by. `remain` are the diagnoses that remain possible, where they are several.
    `letters` are those of the ABCD rule with their texts; none without a mask.
    """

    image_id: str
    path: str
    folder: str
    size: str
    thumbnail: Thumbnail | None
    verdict: str
    why: str
    p_skin: Share
    risk: Share
    known_risk: float
    melanoma: Share
    group: str
    p_group: Share
    diagnosis: str
    p_diagnosis: Share
    remain: tuple[str, ...]
    area: Share
    mask_confidence: Share
    letters: tuple[tuple[str, str], ...]
    is_cut: bool
    evidence: Share
    warning: str
    quality: tuple[str, ...]


def share(value: float | None) -> Share:
    """A share with its text in per cent, which never rounds to an impossible 0 or a certain 100."""
    if value is None:
        return Share(-1.0, "–")
    if 0 < value < 0.001:
        return Share(value, f"< 0.1{_PERCENT}")
    if 0.999 < value < 1:
        return Share(value, f"> 99.9{_PERCENT}")
    return Share(value, f"{value:.1%}".replace("%", _PERCENT))


def row_of(analysis: Analysis, thumbnail: Thumbnail | None) -> Row:
    """The row of an analysed image."""
    verdict = verdict_of(analysis)
    answered = verdict in ("flagged", "not flagged")
    remain = analysis.prediction_set.codes if answered and analysis.prediction_set else ()
    group, diagnosis = (analysis.top_group, analysis.top_diagnosis) if answered else (None, None)
    return Row(
        image_id=analysis.image_id,
        path=analysis.path,
        folder=str(PurePath(analysis.path).parent) if PurePath(analysis.path).parent.name else "",
        size=f"{analysis.width} × {analysis.height}",
        thumbnail=thumbnail,
        verdict=verdict,
        why=analysis.abstain_reason,
        p_skin=share(analysis.gate.p_skin if analysis.gate else None),
        risk=share(analysis.malignancy.probability if answered and analysis.malignancy else None),
        known_risk=known_risk(analysis),
        melanoma=share(analysis.p_melanoma if answered else None),
        group=group or "",
        p_group=share(analysis.group[group] if group else None),
        diagnosis=_name(diagnosis) if diagnosis else "",
        p_diagnosis=share(analysis.diagnosis[diagnosis] if diagnosis else None),
        # A single one would read as if nothing else were possible.
        remain=tuple(map(_name, remain)) if len(remain) > 1 else (),
        area=share(analysis.mask.area_fraction if analysis.mask else None),
        mask_confidence=share(analysis.mask.confidence if analysis.mask else None),
        letters=_letters(analysis.measures) if analysis.measures else (),
        is_cut=bool(analysis.measures and analysis.measures.cut_by_border),
        evidence=share(analysis.evidence.share_inside if answered and analysis.evidence else None),
        warning=analysis.evidence.warning if answered and analysis.evidence else "",
        quality=analysis.quality,
    )


def _name(code: str) -> str:
    return taxonomy.CODE_NAMES.get(code, code)


def _letters(measures: Measures) -> tuple[tuple[str, str], ...]:
    at_least = "≥\u00a0" if measures.cut_by_border else ""
    millimetres = measures.diameter_mm
    length = f"{measures.diameter_px:,.0f}\u00a0px" if millimetres is None else f"{millimetres:.1f}\u00a0mm"
    return (
        ("A", share(measures.asymmetry).text),
        ("B", f"{measures.border_irregularity:.2f}"),
        ("D", at_least + length),
        ("C", ", ".join(measures.colours) or "–"),
    )


class Thumbnails:
    """Finds the picture of each image, embeds the first few of them and links to the rest.

    Args:
        folder: The results folder.
        embedded: How many to embed.
    """

    def __init__(self, folder: Path, embedded: int) -> None:
        self._folder = folder
        self._left = embedded

    def of(self, image_id: str) -> Thumbnail | None:
        """The thumbnail of an image, or none where a run wrote neither pictures nor masks."""
        for name in ("pictures", "masks"):
            path = self._folder / name / f"{image_id}.png"
            target = f"{name}/{quote(path.name)}"
            if self._left > 0 and (source := _embedded(path)):
                self._left -= 1
                return Thumbnail(source, target)
            if path.is_file():
                return Thumbnail(target, target)
        return None


def _embedded(path: Path) -> str | None:
    """A small JPEG of a PNG file as a data URI, or none where there is no readable file."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        return None
    height, width = image.shape[:2]
    scale = min(_THUMBNAIL_HEIGHT / height, _THUMBNAIL_WIDTH / width, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    ok, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}" if ok else None


def pick(results: Iterator[Analysis], shown: frozenset[int]) -> Iterator[Analysis]:
    """The results whose position is in `shown`, in their order."""
    return (analysis for position, analysis in enumerate(results) if position in shown)
