"""The result of segmenting one image: a mask with its outline, and the record of it without pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from dermoscope.analysis import Status

Polygon = tuple[tuple[int, int], ...]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Where the lesion is in one image.

    Attributes:
        mask: `[height, width]` bool at the original size, or none where no lesion was found.
        prompt: Name of the prompt behind the mask, such as `saliency box` or `clicks`; empty without a mask.
        confidence: Expected Dice overlap with the true mask, 0 to 1; none without a mask, or for one drawn by hand.
        area_fraction: Share of the image inside the mask, 0 to 1.
        box: Left, top, right, bottom in pixels of the original image; right and bottom are exclusive; none without a
            mask.
        outline: Closed polygons of (x, y) pixel positions in the original image, outer contours only.
        width: Width of the original image in pixels, after the EXIF orientation was applied.
        height: Height of the original image in pixels.
        p_skin: Probability that this is an image of skin at all, 0 to 1.
        is_skin: Whether `p_skin` reaches the operating point of the bundle.
        timings_ms: Milliseconds spent in each stage.
        bundle: Fingerprint of the bundle that made it.
    """

    mask: NDArray[np.bool_] | None
    prompt: str
    confidence: float | None
    area_fraction: float
    box: Box | None
    outline: tuple[Polygon, ...]
    width: int
    height: int
    p_skin: float
    is_skin: bool
    timings_ms: dict[str, float]
    bundle: str

    def to_record(self, image_id: str = "image", path: str = "") -> SegmentationRecord:
        """Everything but the pixels.

        Args:
            image_id: Name of the image, safe as a file name.
            path: Path as the user knows it, or empty for an image that came as an array.
        """
        return SegmentationRecord(
            image_id=image_id,
            path=path,
            width=self.width,
            height=self.height,
            prompt=self.prompt,
            confidence=self.confidence,
            area_fraction=self.area_fraction,
            box=self.box,
            outline=self.outline,
            p_skin=self.p_skin,
            is_skin=self.is_skin,
            timings_ms=self.timings_ms,
            bundle=self.bundle,
        )

    def to_dict(self, image_id: str = "image", path: str = "") -> dict[str, Any]:
        """The record as plain JSON types."""
        return self.to_record(image_id, path).to_dict()

    def to_coco(self, image_id: int = 1, annotation_id: int = 1) -> dict[str, Any] | None:
        """The mask as an annotation of a COCO file, or none without a mask; see `SegmentationRecord.to_coco`."""
        return self.to_record().to_coco(image_id, annotation_id)


class SegmentationRecord(BaseModel):
    """What `dermoscope segment` writes about one image: a line of `segments.jsonl`.

    A failed image keeps its `image_id`, `path` and `reason`; every other field is then empty.

    Attributes:
        image_id: Name of the image within one run, safe as a file name.
        path: The path as the user gave it, or empty for an image that came as an array.
        status: `done` or `failed`.
        reason: Why it failed; empty when done.
        width: Width of the original image in pixels.
        height: Height of the original image in pixels.
        prompt: Name of the prompt behind the mask; empty without a mask.
        confidence: Expected Dice overlap with the true mask, 0 to 1; none without a mask.
        area_fraction: Share of the image inside the mask, 0 to 1.
        box: Left, top, right, bottom in pixels; right and bottom are exclusive.
        outline: Closed polygons of (x, y) pixel positions, outer contours only.
        p_skin: Probability that this is an image of skin at all, 0 to 1.
        is_skin: Whether `p_skin` reaches the operating point of the bundle.
        timings_ms: Milliseconds spent in each stage.
        bundle: Fingerprint of the bundle that made it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_id: str
    path: str = ""
    status: Status = Status.DONE
    reason: str = ""
    width: int | None = None
    height: int | None = None
    prompt: str = ""
    confidence: float | None = None
    area_fraction: float | None = None
    box: Box | None = None
    outline: tuple[Polygon, ...] = ()
    p_skin: float | None = None
    is_skin: bool | None = None
    timings_ms: dict[str, float] = Field(default_factory=dict)
    bundle: str = ""

    @classmethod
    def failed(cls, image_id: str, path: str, reason: str) -> SegmentationRecord:
        """The record of an image that could not be segmented."""
        return cls(image_id=image_id, path=path, status=Status.FAILED, reason=reason)

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return self.model_dump(mode="json")

    def to_row(self) -> dict[str, str | int | float | bool | None]:
        """One row of `segments.csv`. Column names are a promise to scripts: they are added to, never renamed."""
        left, top, right, bottom = self.box or (None,) * 4
        return {
            "image_id": self.image_id,
            "path": self.path,
            "status": str(self.status),
            "reason": self.reason,
            "width": self.width,
            "height": self.height,
            "prompt": self.prompt,
            "confidence": self.confidence,
            "area_fraction": self.area_fraction,
            "left": left,
            "top": top,
            "right": right,
            "bottom": bottom,
            "mask": f"masks/{self.image_id}.png" if self.box else None,
            "p_skin": self.p_skin,
            "is_skin": self.is_skin,
            "bundle": self.bundle,
        }

    def to_coco(self, image_id: int, annotation_id: int) -> dict[str, Any] | None:
        """The mask as an annotation of a COCO file, category 1; none without a mask.

        Positions count from the corner of the image, as COCO's do, so that the middle of the first pixel is at 0.5. A
        mask too small for a polygon is given as its box.

        Args:
            image_id: Number of the image in the file.
            annotation_id: Number of the annotation in the file.
        """
        if self.box is None or self.width is None or self.height is None or self.area_fraction is None:
            return None
        left, top, right, bottom = self.box
        polygons = [
            [number + 0.5 for point in polygon for number in point] for polygon in self.outline if len(polygon) > 2
        ]
        return {
            "id": annotation_id,
            "image_id": image_id,
            "category_id": 1,
            "segmentation": polygons or [[left, top, right, top, right, bottom, left, bottom]],
            "area": round(self.area_fraction * self.width * self.height),
            "bbox": [left, top, right - left, bottom - top],
            "iscrowd": 0,
            "score": self.confidence,
        }
