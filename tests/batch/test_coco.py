from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from dermoscope.batch.coco import write_coco
from dermoscope.batch.errors import OutputError
from dermoscope.batch.results import ResultsFile, encode_line
from dermoscope.segmentation import SegmentationRecord


def record(name: str, *, masked: bool = True) -> SegmentationRecord:
    return SegmentationRecord(
        image_id=name,
        path=f"Smith, John/{name}.JPG",
        width=100,
        height=80,
        area_fraction=0.05 if masked else 0.0,
        box=(10, 20, 30, 40) if masked else None,
        outline=(((10, 20), (29, 20), (29, 39), (10, 39)),) if masked else (),
        confidence=0.8 if masked else None,
        prompt="box" if masked else "",
    )


def write_lines(path: Path, records: list[SegmentationRecord]) -> Path:
    with ResultsFile(path) as results:
        for one in records:
            results.append(encode_line(one))
    return path


def test_images_and_their_annotations(tmp_path: Path) -> None:
    records = [record("a"), SegmentationRecord.failed("x", "x", "is empty"), record("ü", masked=False), record("c")]
    write_coco(write_lines(tmp_path / "segments.jsonl", records), tmp_path / "coco.json")
    text = (tmp_path / "coco.json").read_text(encoding="utf-8")
    assert "Smith" not in text
    found = json.loads(text)
    assert [(one["id"], one["file_name"]) for one in found["images"]] == [(1, "a.JPG"), (2, "ü.JPG"), (3, "c.JPG")]
    assert [(one["id"], one["image_id"]) for one in found["annotations"]] == [(1, 1), (2, 3)]
    assert found["annotations"][0]["segmentation"] == [[10.5, 20.5, 29.5, 20.5, 29.5, 39.5, 10.5, 39.5]]
    assert found["annotations"][0]["area"] == 400
    assert [one["name"] for one in found["categories"]] == ["lesion"]
    assert "not a medical device" in found["info"]["description"]


def test_no_line_makes_an_empty_file(tmp_path: Path) -> None:
    write_coco(write_lines(tmp_path / "segments.jsonl", []), tmp_path / "coco.json")
    found = json.loads((tmp_path / "coco.json").read_text())
    assert found["images"] == found["annotations"] == []


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        lines = write_lines(tmp_path / "segments.jsonl", [record(f"image {number}") for number in range(count)])
        tracemalloc.start()
        write_coco(lines, tmp_path / "coco.json")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        (tmp_path / "segments.jsonl").unlink()
        return most

    peak(3000)  # the reader of JSON keeps some texts it has seen, up to a limit
    assert peak(3000) < 1.2 * peak(1000), "but for the buffers of the files"


def test_a_damaged_line_leaves_the_old_file(tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "segments.jsonl", [record("a")])
    write_coco(lines, tmp_path / "coco.json")
    before = (tmp_path / "coco.json").read_bytes()
    with lines.open("ab") as stream:
        stream.write(b"oops\n")
    with pytest.raises(OutputError, match="line 2"):
        write_coco(lines, tmp_path / "coco.json")
    assert (tmp_path / "coco.json").read_bytes() == before
