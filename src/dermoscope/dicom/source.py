"""The image that an object refers to: its attributes without its pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dermoscope.images import ImageError, printable, read_image_file
from dermoscope.images.dicom_header import read_header
from dermoscope.images.limits import Limits, RefusedError
from dermoscope.images.quiet import quiet_readers
from dermoscope.images.sniffing import readable_format

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# The pixels were decoded under the caller's limits before; here they stay where they are.
_ANY_SIZE = Limits(max_pixels=2**32, min_side=1)
_REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# Every DICOM object has these; their values may be empty (type 2), and are where the image's make no sense.
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "Modality"),
)
# highdicom makes segmentations over one frame of images without a place in space, which photographs are; what would
# tell it otherwise is left out, and said afterwards.
_LEFT_OUT = (
    *("NumberOfFrames", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("FrameOfReferenceUID", "PositionReferenceIndicator"),
)


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One frame of a DICOM image. It holds the patient's name: nothing of it may go anywhere but into DICOM objects.

    Attributes:
        attributes: Every attribute but the pixels, as those of an image of one frame.
        name: What messages call the image.
        rows: Height in pixels.
        columns: Width in pixels.
        frame: Number of the frame, from 1.
        frames: How many frames the file has.
        spacing_mm: Distance between rows and between columns in millimetres, or none.
        frame_of_reference: Its UID, or none.
    """

    attributes: Dataset
    name: str
    rows: int
    columns: int
    frame: int
    frames: int
    spacing_mm: tuple[float, float] | None
    frame_of_reference: str | None

    @property
    def frame_numbers(self) -> list[int] | None:
        """The frame, as references name it; none where the file has a single one."""
        return [self.frame] if self.frames > 1 else None


def read_source(source: Path | str | bytes, *, frame: int = 1, name: str = "") -> SourceImage | None:
    """The attributes of a DICOM image, or none if the file is in another format.

    Args:
        source: A path, or the content of a file.
        frame: Number of the frame, from 1.
        name: What messages call the image; the path if left out.

    Raises:
        ImageError: If there is no image, or one that nothing can refer to. The message has nothing of the file's text.
    """
    if isinstance(source, bytes):
        data, name = source, printable(name or "image")
    else:
        data, name = read_image_file(source), printable(name or source)
    if readable_format(data) != "DICOM":
        return None
    try:
        header = read_header(data, _ANY_SIZE)
        with quiet_readers():
            attributes, frame_of_reference = _attributes(data)
    except RefusedError as error:
        raise ImageError(name, str(error)) from None
    except ImportError:
        raise ImageError(name, 'is a DICOM file; pip install "dermoscope[dicom]" to read it') from None
    except Exception:
        raise ImageError(name, "is damaged: the DICOM data cannot be decoded") from None
    if not 1 <= frame <= header.frames:
        raise ImageError(name, f"has no frame {frame:,}")
    return SourceImage(
        attributes=attributes,
        name=name,
        rows=header.rows,
        columns=header.columns,
        frame=frame,
        frames=header.frames,
        spacing_mm=header.spacing_mm,
        frame_of_reference=frame_of_reference,
    )


def _attributes(data: bytes) -> tuple[Dataset, str | None]:
    from pydicom import dcmread
    from pydicom.datadict import dictionary_VR

    attributes = dcmread(io.BytesIO(data), stop_before_pixels=True)
    for keyword in _REQUIRED:
        if not attributes.get(keyword):
            raise RefusedError(f"has no {keyword}, so that no DICOM object can refer to it")
    frame_of_reference = attributes.get("FrameOfReferenceUID") or None
    for keyword in _MAY_BE_EMPTY:
        if not _is_valid(attributes, keyword):
            attributes.add_new(keyword, dictionary_VR(keyword), "")
    for keyword in _LEFT_OUT:
        if keyword in attributes:
            delattr(attributes, keyword)
    attributes.remove_private_tags()
    return attributes, frame_of_reference


def _is_valid(attributes: Dataset, keyword: str) -> bool:
    """Whether an attribute is there and can be taken over: many a birth date is a mere year followed by zeros."""
    from pydicom.valuerep import DA, TM

    try:
        value = attributes[keyword].value
        if keyword.endswith("Date"):
            DA(value)
        elif keyword.endswith("Time"):
            TM(value)
    except (KeyError, ValueError):
        return False
    return keyword != "PatientSex" or value in ("M", "F", "O", "", None)
