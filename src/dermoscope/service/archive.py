"""Results as the files that `dermoscope analyze` writes, in one zip archive."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from dermoscope.analysis import Analysis
from dermoscope.batch.results import encode_line, table_of


@dataclass(frozen=True)
class ResultFiles:
    """One image's part of an archive.

    Attributes:
        analysis: Its row and line.
        mask: PNG of 0 and 255, or none.
        picture: PNG, or none.
    """

    analysis: Analysis
    mask: bytes | None = None
    picture: bytes | None = None


def results_zip(results: Sequence[ResultFiles]) -> bytes:
    """`results.csv`, `results.jsonl`, `masks/` and `pictures/`.

    Args:
        results: At least one.
    """
    stream = io.BytesIO()
    records = [result.analysis for result in results]
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in (
            ("results.csv", table_of(records, masks=True)),
            ("results.jsonl", b"".join(encode_line(record) for record in records)),
        ):
            archive.writestr(_entry(name), text, zipfile.ZIP_DEFLATED)
        for result in results:
            for folder, png in (("masks", result.mask), ("pictures", result.picture)):
                if png is not None:  # compressed already
                    archive.writestr(_entry(f"{folder}/{result.analysis.image_id}.png"), png, zipfile.ZIP_STORED)
    return stream.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry with zip's own first day: the same results make the same archive."""
    return zipfile.ZipInfo(name)
