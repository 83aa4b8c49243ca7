"""One image of a batch, from its file to everything that is written about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.batch.files import replace_file, writing_to
from dermoscope.batch.inputs import PICTURE_FOLDERS, BatchInput
from dermoscope.batch.ledger import Claim
from dermoscope.batch.protocols import ImageRecord
from dermoscope.batch.results import ResultKind, encode_line, encode_mask, encode_picture
from dermoscope.images import ImageError

DICOM_ENDINGS = ("seg.dcm", "sr.dcm")
"""What may lie in the folder `dicom` for each image: a segmentation and a structured report."""

_LONGEST_REASON = 500


@dataclass(frozen=True)
class Failure:
    """An input that could not be done."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class Answer:
    """What there is to write about one image.

    Attributes:
        record: Its line.
        mask: `[H, W]` at the original size, or none.
        picture: `[h, w, 3]` RGB, or none.
        dicom: Contents of DICOM files by their endings, from `DICOM_ENDINGS`.
    """

    record: ImageRecord
    mask: NDArray[np.bool_] | None
    picture: NDArray[np.uint8] | None
    dicom: Mapping[str, bytes] = field(default_factory=dict)


Work = Callable[[BatchInput, str], Answer]
"""Does one image with a given image id; is called from several threads. What it raises is the reason in its row."""


@dataclass(frozen=True, slots=True)
class Result:
    """The line of one image, and why it failed if it did."""

    line: bytes
    failure: Failure | None


class Worker:
    """A worker thread's side: one image from its file to its mask, its picture and its line.

    Args:
        kind: What the lines are.
        work: Does one image.
        out: The results folder.
        pictures: Whether pictures are written.
        masks: Whether masks are written.
        dicom: Whether DICOM objects are written.
    """

    def __init__(self, kind: ResultKind, work: Work, out: Path, *, pictures: bool, masks: bool, dicom: bool) -> None:
        self._kind = kind
        self._work = work
        self._masks = masks
        self._mask_folder, self._picture_folder, self._dicom_folder = (out / name for name in PICTURE_FOLDERS)
        with writing_to(out):
            for folder, wanted in zip(PICTURE_FOLDERS, (masks, pictures, dicom), strict=True):
                if wanted:
                    (out / folder).mkdir(exist_ok=True)

    def __call__(self, claim: Claim) -> Result:
        """Do one image and write its files; whatever goes wrong with it is the reason in its line."""
        image_id, name = claim.image_id, claim.input.name
        mask, picture, failure = None, None, None
        dicom: Mapping[str, bytes] = {}
        try:
            if claim.input.problem:
                raise ImageError(name, claim.input.problem)
            answer = self._work(claim.input, image_id)
            line = encode_line(answer.record)
            mask = None if answer.mask is None or not self._masks else encode_mask(answer.mask)
            picture = None if answer.picture is None else encode_picture(answer.picture)
            dicom = answer.dicom
        except Exception as error:  # whatever a stranger's file sets off, it stops at this image
            failure = Failure(name, _reason(error))
            line = encode_line(self._kind.failed(image_id, name, failure.reason))
        self._store(self._mask_folder / f"{image_id}.png", mask)
        self._store(self._picture_folder / f"{image_id}.png", picture)
        for ending in DICOM_ENDINGS:
            self._store(self._dicom_folder / f"{image_id}.{ending}", dicom.get(ending))
        return Result(line, failure)

    @staticmethod
    def _store(path: Path, data: bytes | None) -> None:
        """Write the file, or remove what an earlier result of the same image left there."""
        if data is not None:
            replace_file(path, data)
        else:
            with writing_to(path.parent):
                path.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """One line that says why, with the error's type where its message was not written for users."""
    text = error.reason if isinstance(error, ImageError) else f"{type(error).__name__}: {error}"
    line = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text.encode("utf-8", "backslashreplace").decode()).strip(" :")
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"
