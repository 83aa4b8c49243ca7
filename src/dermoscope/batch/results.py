"""The files of a results folder: one line an image as it goes, one table at the end, masks and pictures beside them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Analysis, Status
from dermoscope.batch.errors import OutputError
from dermoscope.batch.files import replacing, writing_to
from dermoscope.batch.inputs import RESULTS_NAME, SEGMENTS_NAME
from dermoscope.batch.protocols import ImageRecord
from dermoscope.files import guard_formula
from dermoscope.segmentation import SegmentationRecord

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ResultLine:
    """The part of a line that the runner needs to go on after an interruption."""

    image_id: str
    path: str
    done: bool


@dataclass(frozen=True)
class Totals:
    """Counts over every row of a results folder.

    Attributes:
        images: All rows.
        done: Rows of images that were analysed.
        failed: Rows of images that could not be analysed.
        not_skin: Analysed images that the gate refused.
        withheld: Analysed images of skin whose answer is withheld for another reason.
        withheld_flagged: Those of them that are at or above the operating point all the same.
        flagged: Analysed images with an answer, at or above the operating point.
        empty: Segmented images without a mask.
    """

    images: int = 0
    done: int = 0
    failed: int = 0
    not_skin: int = 0
    withheld: int = 0
    withheld_flagged: int = 0
    flagged: int = 0
    empty: int = 0


@dataclass(frozen=True)
class ResultKind:
    """What the lines of a results folder are.

    Attributes:
        lines: Name of the file with one line an image.
        table: Name of the table made from it.
        parse: From a line to its record; raises `ValueError` where it is none.
        failed: The record of an image that could not be done, from image id, path and reason.
        counts: Which fields of `Totals` a record that is done counts for, beside `images` and `done`.
    """

    lines: str
    table: str
    parse: Callable[[bytes], ImageRecord]
    failed: Callable[[str, str, str], ImageRecord]
    counts: Callable[[Any], Iterator[str]]


class ResultsFile:
    """The lines of a run, open for appending; every line reaches the operating system in one piece before the next.

    Args:
        path: The file; need not exist.

    Raises:
        OutputError: If it cannot be opened or, later, written.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        with writing_to(self._folder):
            self._stream = path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def append(self, line: bytes) -> None:
        """Write one line, given with its line end."""
        rest = memoryview(line)
        with writing_to(self._folder):
            while rest:
                rest = rest[self._stream.write(rest) :]


def encode_line(record: ImageRecord) -> bytes:
    """One line of `results.jsonl` or `segments.jsonl`, with its line end.

    Raises:
        ValueError: If a number in it is not finite: such a line could not be read back.
    """
    text = json.dumps(record.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{text}\n".encode()


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """A mask `[H, W]` as an 8-bit PNG of 0 and 255."""
    return _encode_png(mask.astype(np.uint8) * np.uint8(255))


def encode_picture(picture: NDArray[np.uint8]) -> bytes:
    """An RGB picture `[h, w, 3]` as a PNG."""
    return _encode_png(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def read_results(path: Path) -> Iterator[Analysis]:
    """Every line of a `results.jsonl`, one at a time.

    Raises:
        OutputError: If a line is not a result; the message names it.
    """
    return _read_lines(path, Analysis.model_validate_json)


def read_segments(path: Path) -> Iterator[SegmentationRecord]:
    """Every line of a `segments.jsonl`, one at a time.

    Raises:
        OutputError: If a line is not a result; the message names it.
    """
    return _read_lines(path, SegmentationRecord.model_validate_json)


def recover_lines(path: Path) -> Iterator[ResultLine]:
    """Every line of an interrupted run; what a kill or a full disk left of the last one is cut off the file.

    Where there is no file there are no lines.

    Raises:
        OutputError: If a line before the last is not a result.
    """
    if not path.exists():
        return
    with writing_to(path.parent), path.open("r+b") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        start = 0
        for number, line in enumerate(stream, 1):
            found = _parse(line)
            if found is None and start + len(line) < size:
                raise _damaged(path, number)
            if found is None:
                break
            start += len(line)
            yield found
        stream.truncate(start)


def drop_lines(path: Path, is_superseded: Callable[[str], bool]) -> None:
    """Rewrite the file without the lines whose image id `is_superseded`, asked once a line and in order."""
    with path.open("rb") as source, replacing(path) as target:
        for line in source:
            if not is_superseded(json.loads(line)["image_id"]):
                target.write(line)


def write_csv(lines: Path, table: Path, *, masks: bool, kind: ResultKind | None = None) -> Totals:
    """Write the table of a run from its lines, one row a line, and count.

    The format is that of RFC 4180. Numbers are written so that they read back exactly; text that a spreadsheet would
    run as a formula is guarded, see `dermoscope.files.guard_formula`.

    Args:
        lines: `results.jsonl`, or the lines of another kind.
        table: Where the table goes.
        masks: Whether mask files were written; if not, the column `mask` stays empty.
        kind: What the lines are; analyses if left out.

    Raises:
        OutputError: If a line cannot be read or the table cannot be written.
    """
    kind = kind or ANALYSES
    totals = dict.fromkeys(Totals.__dataclass_fields__, 0)
    with replacing(table) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, _columns(lines, kind))
        writer.writeheader()
        for record in _read_lines(lines, kind.parse):
            writer.writerow(_row(record, masks=masks))
            is_done = record.status is Status.DONE
            for name in ("images", *(("done", *kind.counts(record)) if is_done else ("failed",))):
                totals[name] += 1
    return Totals(**totals)


def table_of(records: Sequence[ImageRecord], *, masks: bool) -> str:
    """The table of a few records in memory, as `write_csv` writes it.

    Args:
        records: At least one.
        masks: Whether mask files go with it; if not, the column `mask` stays empty.
    """
    stream = io.StringIO(newline="")
    first = next((record for record in records if record.status is Status.DONE), records[0])
    writer = csv.DictWriter(stream, list(first.to_row()))
    writer.writeheader()
    writer.writerows(_row(record, masks=masks) for record in records)
    return stream.getvalue()


def _row(record: ImageRecord, *, masks: bool) -> dict[str, str | int | float | bool | None]:
    row = record.to_row() | ({} if masks else {"mask": None})
    return {name: guard_formula(value) if isinstance(value, str) else value for name, value in row.items()}


def _counts_of_analysis(analysis: Analysis) -> Iterator[str]:
    if analysis.gate is not None and not analysis.gate.is_skin:
        yield "not_skin"
    elif analysis.abstained:
        yield "withheld"
        if analysis.flagged_without_answer:
            yield "withheld_flagged"
    elif analysis.malignancy is not None and analysis.malignancy.flagged:
        yield "flagged"


def _counts_of_segmentation(segmentation: SegmentationRecord) -> Iterator[str]:
    if not segmentation.is_skin:
        yield "not_skin"
    if segmentation.box is None:
        yield "empty"


ANALYSES = ResultKind(RESULTS_NAME, "results.csv", Analysis.model_validate_json, Analysis.failed, _counts_of_analysis)
SEGMENTATIONS = ResultKind(
    SEGMENTS_NAME,
    "segments.csv",
    SegmentationRecord.model_validate_json,
    SegmentationRecord.failed,
    _counts_of_segmentation,
)


def _read_lines(path: Path, parse: Callable[[bytes], R]) -> Iterator[R]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield parse(line)
            except ValueError as error:
                raise _damaged(path, number) from error


def _columns(lines: Path, kind: ResultKind) -> list[str]:
    """All lines come from one bundle, so the first success knows every class there is."""
    first: ImageRecord | None = None
    for record in _read_lines(lines, kind.parse):
        first = first or record
        if record.status is Status.DONE:
            return list(record.to_row())
    return list((first or kind.failed("", "", "")).to_row())


def _parse(line: bytes) -> ResultLine | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record: Any = json.loads(line)
        return ResultLine(record["image_id"], record["path"], record["status"] == Status.DONE)
    except (ValueError, TypeError, KeyError):
        return None


def _damaged(path: Path, number: int) -> OutputError:
    return OutputError(f"{path}, line {number}, is not a result; start again with --overwrite or in another folder")


def _encode_png(image: NDArray[Any]) -> bytes:
    ok, data = cv2.imencode(".png", image)
    if not ok:
        raise ValueError(f"an image of shape {image.shape} cannot be written as PNG")
    return data.tobytes()
