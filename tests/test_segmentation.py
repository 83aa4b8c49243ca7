"""The record of a mask: what goes into JSON, the table and a COCO file."""

from __future__ import annotations

import json

import cv2
import numpy as np

from dermoscope.segment.postprocess import finish_mask
from dermoscope.segmentation import Segmentation, SegmentationRecord

# A promise to scripts: columns are added, never renamed.
COLUMNS = """
    image_id path status reason width height prompt confidence area_fraction left top right bottom mask p_skin is_skin
    bundle
""".split()  # noqa: SIM905


def disc(width: int = 200, height: int = 100) -> Segmentation:
    rows, columns = np.mgrid[:50, :100]
    done = finish_mask((18 - np.hypot(columns - 40, rows - 25)).astype(np.float32), width, height)
    assert done
    return Segmentation(
        mask=done.mask,
        prompt="clicks",
        confidence=0.9,
        area_fraction=done.area_fraction,
        box=done.box,
        outline=done.outline,
        width=width,
        height=height,
        p_skin=0.97,
        is_skin=True,
        timings_ms={"decode": 1.5},
        bundle="0123",
    )


def test_the_record_has_all_but_the_pixels() -> None:
    found = disc()
    record = found.to_record("mole", "photos/mole.jpg")
    assert (record.image_id, record.path, record.status, record.reason) == ("mole", "photos/mole.jpg", "done", "")
    for name in set(SegmentationRecord.model_fields) - {"image_id", "path", "status", "reason"}:
        assert getattr(record, name) == getattr(found, name), name
    text = json.dumps(found.to_dict("mole", "photos/mole.jpg"), allow_nan=False)
    assert SegmentationRecord.model_validate_json(text) == record


def test_columns() -> None:
    row = disc().to_record("mole").to_row()
    assert list(row) == COLUMNS
    assert row["mask"] == "masks/mole.png"
    assert (row["left"], row["top"], row["right"], row["bottom"]) == disc().box
    failed = SegmentationRecord.failed("x", "x.jpg", "is empty").to_row()
    assert list(failed) == COLUMNS
    assert {name: value for name, value in failed.items() if value not in (None, "")} == {
        "image_id": "x",
        "path": "x.jpg",
        "status": "failed",
        "reason": "is empty",
    }


def test_a_coco_annotation_redraws_the_mask() -> None:
    found = disc()
    annotation = found.to_coco(7, 9)
    assert annotation
    assert found.mask is not None
    assert found.box
    left, top, right, bottom = found.box
    assert (annotation["id"], annotation["image_id"], annotation["category_id"], annotation["iscrowd"]) == (9, 7, 1, 0)
    assert annotation["bbox"] == [left, top, right - left, bottom - top]
    assert annotation["area"] == np.count_nonzero(found.mask)
    assert annotation["score"] == 0.9
    ((polygon,),) = (annotation["segmentation"],)
    corners = np.array(polygon).reshape(-1, 2)
    assert corners[:, 0].min() >= left
    assert corners[:, 0].max() <= right
    drawn = np.zeros(found.mask.shape, np.uint8)
    cv2.fillPoly(drawn, [np.floor(corners).astype(np.int32)], 1)
    assert 2 * (found.mask & (drawn > 0)).sum() / (found.mask.sum() + drawn.sum()) > 0.97


def test_a_mask_of_one_pixel_is_a_box_in_coco() -> None:
    record = SegmentationRecord(
        image_id="x", width=10, height=10, box=(3, 4, 4, 5), outline=(((3, 4),),), area_fraction=0.01, confidence=0.1
    )
    annotation = record.to_coco(1, 1)
    assert annotation
    assert annotation["segmentation"] == [[3, 4, 4, 4, 4, 5, 3, 5]]
    assert annotation["area"] == 1


def test_without_a_mask_there_is_no_annotation() -> None:
    assert SegmentationRecord(image_id="x", width=10, height=10, area_fraction=0.0).to_coco(1, 1) is None
    assert SegmentationRecord.failed("x", "x", "is empty").to_coco(1, 1) is None
