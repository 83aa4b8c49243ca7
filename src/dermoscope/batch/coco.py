"""Masks as one COCO file, for tools that read and correct outlines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from dermoscope.analysis import Status
from dermoscope.batch.files import replacing
from dermoscope.batch.results import read_segments
from dermoscope.segmentation import SegmentationRecord

COCO_NAME = "coco.json"

_INFO = {"description": "Lesion masks made by dermoscope. Research use only, not a medical device.", "version": "1.0"}
_CATEGORIES = [{"id": 1, "name": "lesion", "supercategory": "skin"}]


def write_coco(lines: Path, target: Path) -> None:
    """Write the masks of a run as a COCO file: images, and one annotation for each image with a mask.

    Images are named by their image ids and the ending of their files, never by folders. The lines are read twice and
    written as they come, so that memory does not grow with their number.

    Format: https://cocodataset.org/#format-data, object detection, with `score`, the expected overlap, added.

    Args:
        lines: `segments.jsonl`.
        target: Where the file goes.

    Raises:
        OutputError: If a line cannot be read or the file cannot be written.
    """
    with replacing(target) as stream:
        stream.write(b'{"info":' + _encoded(_INFO) + b',"licenses":[],"categories":' + _encoded(_CATEGORIES))
        _write_list(stream, "images", (_image(number, record) for number, record in _numbered(lines)))
        _write_list(stream, "annotations", _annotations(lines))
        stream.write(b"\n}\n")


def _numbered(lines: Path) -> Iterator[tuple[int, SegmentationRecord]]:
    done = (record for record in read_segments(lines) if record.status is Status.DONE)
    return enumerate(done, 1)


def _annotations(lines: Path) -> Iterator[dict[str, Any]]:
    next_id = 1
    for number, record in _numbered(lines):
        annotation = record.to_coco(number, next_id)
        if annotation is not None:
            next_id += 1
            yield annotation


def _image(number: int, record: SegmentationRecord) -> dict[str, Any]:
    ending = re.search(r"\.[A-Za-z0-9]{1,5}$", record.path)
    name = f"{record.image_id}{ending[0] if ending else ''}"
    return {"id": number, "file_name": name, "width": record.width, "height": record.height}


def _write_list(stream: BinaryIO, name: str, items: Iterator[dict[str, Any]]) -> None:
    stream.write(f',\n"{name}":['.encode())
    for number, item in enumerate(items):
        stream.write((b",\n" if number else b"\n") + _encoded(item))
    stream.write(b"]")


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
