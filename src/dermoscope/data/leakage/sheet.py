"""A contact sheet of findings: the images side by side, so that a person can tell leaks from false alarms."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage.findings import Finding, Kind, Member
from dermoscope.data.leakage.signatures import ORIENTATIONS, turned
from dermoscope.images import ImageError, decode, printable

_SIDE = 160
_GAP = 8
_CAPTION = 26
_COLUMNS = 4
_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #1a1a1a; background: #fff; }
section { display: inline-block; vertical-align: top; margin: 0 1rem 1rem 0; padding: .5rem; width: 21rem;
  border: 1px solid #ccc; border-left: .4rem solid #888; break-inside: avoid; }
section.leak { border-left-color: #b00020; }
img { width: 10rem; height: 10rem; object-fit: contain; background: #eee; }
p { margin: .2rem 0; overflow-wrap: anywhere; }
"""


def sheet_html(findings: Sequence[Finding], title: str) -> Iterator[str]:
    """One HTML file with the first two images of each finding; needs nothing from the network.

    Args:
        findings: Shown in their order.
        title: Heading of the page.
    """
    yield (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        "<p>The second image is turned to lie like the first. Red: a split lies between them. "
        "Research use only, not a medical device.</p>"
    )
    for finding in findings:
        members = _two(finding)
        pictures = "".join(_image_tag(finding, member) for member in members)
        names = " and ".join(html.escape(_name(member)) for member in members)
        yield (
            f'<section class="{"leak" if finding.is_leak else "within"}">{pictures}'
            f"<p><b>{html.escape(_caption(finding))}</b></p><p>{names}</p></section>"
        )
    yield "</html>\n"


def write_sheet(findings: Sequence[Finding], path: Path, title: str) -> None:
    """Write `sheet_html` to a file, image by image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(sheet_html(findings, title))


def sheet_picture(findings: Sequence[Finding], columns: int = _COLUMNS) -> NDArray[np.uint8]:
    """The same as one picture, each pair with its number, starting at 1.

    Args:
        findings: One or more, shown in rows.
        columns: Pairs in a row.

    Returns:
        `[H, W, 3]`, 8-bit sRGB.
    """
    width, height = 2 * _SIDE + _GAP, _SIDE + _CAPTION + _GAP
    rows = -(-len(findings) // columns)
    sheet = np.full((rows * height, columns * (width + 2 * _GAP), 3), 255, np.uint8)
    for number, finding in enumerate(findings):
        top, left = number // columns * height, number % columns * (width + 2 * _GAP)
        for place, member in enumerate(_two(finding)):
            start = left + place * (_SIDE + _GAP // 2)
            sheet[top : top + _SIDE, start : start + _SIDE] = _square(finding, member)
        text = f"{number + 1}: {finding.similarity or 1:.2f} {' '.join(_short(m) for m in _two(finding))}"
        cv2.putText(sheet, text, (left, top + _SIDE + 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return sheet


def _two(finding: Finding) -> tuple[Member, Member]:
    """Two members, with a split between them where there is one; of near-duplicates, one of either content."""
    for one, other in pairwise(finding.members):
        if finding.kind is not Kind.NEAR_DUPLICATE and one.split and other.split and one.split != other.split:
            return one, other
    return finding.members[0], finding.members[-1]


def _square(finding: Finding, member: Member) -> NDArray[np.uint8]:
    """The image, squashed to a square, since that is how it was compared; grey where it cannot be read."""
    try:
        rgb = decode(Path(member.path), max_side=2 * _SIDE).rgb
    except ImageError:
        return np.full((_SIDE, _SIDE, 3), 128, np.uint8)
    square = np.asarray(cv2.resize(rgb, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    is_second = finding.kind is Kind.NEAR_DUPLICATE and member == _two(finding)[1]
    return turned(square, ORIENTATIONS.index(finding.orientation)) if is_second else square


def _image_tag(finding: Finding, member: Member) -> str:
    # OpenCV writes blue, green, red.
    _, content = cv2.imencode(".jpg", _square(finding, member)[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 80))
    data = b64encode(content.tobytes()).decode("ascii")
    return f'<img alt="{html.escape(_name(member), quote=True)}" src="data:image/jpeg;base64,{data}">'


def _caption(finding: Finding) -> str:
    parts: list[str] = [finding.kind.value]
    if finding.similarity is not None:
        parts += [f"{finding.similarity:.2f}", finding.orientation]
    parts += [f"also {kind.value}" for kind in finding.also]
    return ", ".join(parts)


def _name(member: Member) -> str:
    where = ", ".join(part for part in (member.source, member.split) if part)
    return printable(f"{member.image_id} ({where})" if where else member.image_id)


def _short(member: Member) -> str:
    return printable(member.image_id)[-14:].encode("ascii", "replace").decode()
