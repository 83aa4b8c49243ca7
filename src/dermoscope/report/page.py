"""Writing `report.html`: one file, no requests, and memory that does not grow with the number of images."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dermoscope import __version__
from dermoscope.analysis import Analysis, Status
from dermoscope.batch.files import replacing
from dermoscope.batch.results import read_results
from dermoscope.report.charts import risk_chart
from dermoscope.report.model_card import definition_text, model_card
from dermoscope.report.overview import gather
from dermoscope.report.rows import Row, Thumbnails, pick, row_of, share

_TEMPLATES = Path(__file__).parent / "templates"
_EMBEDDED = 500
_ROWS = 5000
_FAILURES = 1000


def write_report(
    results: Path,
    page: Path,
    *,
    bundle: Mapping[str, Any],
    embedded: int = _EMBEDDED,
    rows: int = _ROWS,
    created: datetime | None = None,
) -> None:
    """Write the report of a results folder.

    Args:
        results: Its `results.jsonl`; is read twice.
        page: Where the page goes: into the results folder, so that its links to pictures work.
        bundle: What the bundle's `describe()` says.
        embedded: How many small pictures to embed; beyond that the page links to the picture files.
        rows: How many analysed images to show at most: the riskiest answers where there are more.
        created: The time the page names; now by default.

    Raises:
        OutputError: If the results cannot be read or the page cannot be written.
    """
    overview = gather(read_results(results), rows)
    style, script = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    context = {
        "overview": overview,
        "rows": _rows(results, overview.shown, Thumbnails(page.parent, embedded)),
        "rows_shown": len(overview.shown),
        "failures": _failures(results),
        "failures_shown": min(overview.failed, _FAILURES),
        "chart": risk_chart(overview),
        "model": model_card(bundle),
        "definition": definition_text(overview.malignancy.definition) if overview.malignancy else "",
        "created": created or datetime.now(UTC),
        "version": __version__,
        "style": Markup(style),  # our own files; whatever else is put in gets escaped
        "script": Markup(script),
        "policy": _policy(style, script),
    }
    template = environment().get_template("report.html")
    with replacing(page) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="\n") as stream:
        stream.writelines(template.generate(context))


def environment() -> Environment:
    """Jinja's environment of every page: escaping, strict about missing names, with the filters of the templates."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["share"] = lambda value: share(value).text
    made.filters["count"] = lambda value: f"{value:,}"
    return made


def _rows(results: Path, shown: frozenset[int], thumbnails: Thumbnails) -> Iterator[Row]:
    return (row_of(analysis, thumbnails.of(analysis.image_id)) for analysis in pick(read_results(results), shown))


def _failures(results: Path) -> Iterator[Analysis]:
    failed = (analysis for analysis in read_results(results) if analysis.status is Status.FAILED)
    return islice(failed, _FAILURES)


def _policy(style: str, script: str) -> str:
    """A content security policy under which the page can do nothing but show itself and the pictures beside it."""
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data: 'self' file:",
            f"style-src '{_sum(style)}'",
            f"script-src '{_sum(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _sum(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
