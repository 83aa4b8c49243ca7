"""`report.html`: one offline page, its figures inside, that prints well."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dermoscope import __version__
from dermoscope.evaluation.intervals import Difference, Estimate
from dermoscope.evaluation.report.document import Cell, Figure, Section, Tile, interval, number, text
from dermoscope.evaluation.report.output import NOTICE

_TEMPLATES = Path(__file__).parent / "templates"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_SIZE = re.compile(r'(<svg\b[^>]*?) width="([\d.]+)pt" height="[\d.]+pt"')
_NAMES = re.compile(r'(\bid="|url\(#|href="#)')


def write_page(
    folder: Path,
    title: str,
    facts: Mapping[str, str],
    tiles: Sequence[Tile],
    sections: Sequence[Section],
    warnings: Sequence[str] = (),
    *,
    record: str = "metrics.json",
) -> None:
    """Write `report.html` from sections whose figures have been drawn.

    Args:
        folder: The run folder.
        title: Head of the page.
        facts: What was scored and how.
        tiles: The numbers of the summary.
        sections: In order.
        warnings: What a reader must know before any number.
        record: The file that holds the numbers.

    Raises:
        FileNotFoundError: If a figure has not been drawn.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["cell"] = _cell
    page = environment.get_template("evaluation.html").render(
        title=title,
        facts=facts,
        tiles=tiles,
        sections=sections,
        warnings=warnings,
        notice=NOTICE,
        record=record,
        version=__version__,
        policy=_POLICY,
        style=Markup((_TEMPLATES / "evaluation.css").read_text(encoding="utf-8")),  # our own file
        picture=lambda figure: _picture(folder, figure),
        interval=interval,
        number=number,
        is_number=lambda cell: not isinstance(cell, str),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def _cell(cell: Cell, digits: int = 3) -> Markup:
    if isinstance(cell, Estimate | Difference) and (ends := interval(cell, digits)):
        value = text(cell.value, digits)
        sign = "+" if isinstance(cell, Difference) and cell.value > 0 else ""
        return Markup('{}{} <span class="interval">{}</span>').format(sign, value, ends)
    return Markup.escape(text(cell, digits))


def _picture(folder: Path, figure: Figure) -> Markup:
    path = folder / figure.file
    if path.suffix == ".png":
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(data, figure.caption)
    drawing = _METADATA.sub("", _PROLOGUE.sub("", path.read_text(encoding="utf-8"), count=1))
    drawing = _SIZE.sub(r'\1 style="max-width: \2pt"', drawing, count=1)
    # Figures on one page share their names otherwise, and a clip path of the one would cut the other.
    drawing = _NAMES.sub(rf"\g<1>{figure.key}-", drawing)
    label = Markup('<svg role="img" aria-label="{}"').format(figure.caption)
    return Markup(drawing.replace("<svg", label, 1))  # drawn by us, so it is safe
