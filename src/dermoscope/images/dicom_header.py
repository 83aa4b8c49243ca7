"""What a DICOM file says about its pixels: an allow-list of attributes, read and checked before any pixel is.

Nothing that identifies a person is on the list, so nothing of the kind is kept, shown or passed on from here. The
preamble, which may make the file look like one of another format at the same time, is never looked at.

Needs pydicom: `pip install "dermoscope[dicom]"`.

References:
    DICOM PS3.3, C.7.6.3 (image pixels) and C.8.12 (visible light); PS3.5, 8 and A.4 (pixel data); PS3.10, 7 (files).
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dermoscope.images.limits import Limits, RefusedError
from dermoscope.images.quiet import quiet_readers

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

SOP_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture",
        "1.2.840.10008.5.1.4.1.1.7.2": "Multi-frame Grayscale Byte Secondary Capture",
        "1.2.840.10008.5.1.4.1.1.7.3": "Multi-frame Grayscale Word Secondary Capture",
        "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture",
        "1.2.840.10008.5.1.4.1.1.77.1.4": "VL Photographic Image",
        "1.2.840.10008.5.1.4.1.1.77.1.7": "Dermoscopic Photography Image",
    }
)
"""The kinds of object that are read, by SOP class UID: whatever holds photographs of skin."""

NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", *JPEG_LOSSLESS)
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
RLE = ("1.2.840.10008.1.2.5",)
TRANSFER_SYNTAXES = (*NATIVE, *JPEG, *JPEG_LS, *JPEG_2000, *RLE)
"""How pixels may be stored: implicit and explicit little endian, JPEG, JPEG-LS, JPEG 2000 and RLE.

Deflated files, whose header is compressed as well and so cannot be checked first, big endian and videos are not read.
"""

PHOTOMETRIC: Mapping[str, int] = MappingProxyType(
    {
        "RGB": 3,
        "YBR_FULL": 3,
        "YBR_FULL_422": 3,
        "YBR_ICT": 3,
        "YBR_RCT": 3,
        "MONOCHROME1": 1,
        "MONOCHROME2": 1,
        "PALETTE COLOR": 1,
    }
)
"""The colour models that are read, and how many samples a pixel has in each."""

MOST_FRAMES = 10_000
"""Refuse files with more frames; a whole body in pictures has some hundred."""

_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_PREAMBLE = 132
_UNDEFINED_LENGTH = 0xFFFFFFFF
_PIXEL_DATA = 0x7FE00010
_FIRST_PIXEL_TAG = 0x7FE00008  # floating-point pixels; the tables of offsets have lower tags
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_KEPT = (
    *("SOPClassUID", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows"),
    *("Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ICCProfile", *_SPACINGS),
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Data", "Descriptor")
    ),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)


@dataclass(frozen=True, eq=False)
class DicomHeader:
    """The checked header of a DICOM file.

    Attributes:
        attributes: The attributes on the allow-list that the file has.
        transfer_syntax: UID of one of `TRANSFER_SYNTAXES`.
        rows: Height in pixels.
        columns: Width in pixels.
        frames: Number of frames, at least 1.
        samples: Samples a pixel, 1 or 3.
        bits_allocated: 8 or 16.
        bits_stored: How many of these bits count, 1 to `bits_allocated`.
        photometric: One of `PHOTOMETRIC`.
        planar: 1 if native colours come as three planes, else 0.
        spacing_mm: Distance between rows and between columns in millimetres, or none where the file does not say.
        start: Position of the pixel data's first byte in the file.
        length: Bytes of the pixel data; none if they are encapsulated.
    """

    attributes: Dataset
    transfer_syntax: str
    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    photometric: str
    planar: int
    spacing_mm: tuple[float, float] | None
    start: int
    length: int | None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame, uncompressed."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.bits_allocated // 8

    def profile(self) -> bytes | None:
        """The embedded ICC profile."""
        content = self.attributes.get("ICCProfile")
        return content if isinstance(content, bytes) else None


def read_header(data: bytes, limits: Limits) -> DicomHeader:
    """Read and check the header; pixel data are found but neither decoded nor copied.

    Args:
        data: Content of a file with a preamble.
        limits: On the size of a frame.

    Raises:
        RefusedError: If the file is none of those that are read; the message has nothing of the file's text.
        ImportError: If pydicom is missing.
        Exception: Whatever pydicom raises on damaged data.
    """
    with quiet_readers():
        return _read_header(io.BytesIO(data), len(data), limits)


def _read_header(stream: io.BytesIO, size: int, limits: Limits) -> DicomHeader:
    from pydicom.filereader import read_dataset
    from pydicom.tag import Tag

    stream.seek(_PREAMBLE)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag.group != 2)
    syntax = _checked_kind(meta)
    found: list[tuple[int, int, int]] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:  # noqa: ARG001
        if tag < _FIRST_PIXEL_TAG:
            return False
        found.append((tag, length, stream.tell()))
        return True

    tags: list[BaseTag | int] = [Tag(keyword) for keyword in _KEPT]
    attributes = read_dataset(stream, syntax == NATIVE[0], True, stop_when=at_pixels, specific_tags=tags)
    list(attributes)  # reads every value now, while warnings are silent
    _check_class(_text(attributes, "SOPClassUID"))
    if not found or found[0][0] != _PIXEL_DATA:
        raise RefusedError("holds no pixels, or none that make a picture" if found else "holds no pixels")
    return _checked_header(attributes, syntax, found[0][1:], size, limits)


def _checked_kind(meta: Dataset) -> str:
    if _text(meta, "MediaStorageSOPClassUID") == _MEDIA_DIRECTORY:
        raise RefusedError("is a DICOMDIR, a list of other files; name the image files instead")
    syntax = _text(meta, "TransferSyntaxUID")
    if syntax not in TRANSFER_SYNTAXES:
        raise RefusedError(f"stores its pixels in a way that is not read (transfer syntax {_uid(syntax)})")
    return syntax


def _check_class(sop_class: str) -> None:
    if sop_class == _MEDIA_DIRECTORY:
        raise RefusedError("is a DICOMDIR, a list of other files; name the image files instead")
    if sop_class not in SOP_CLASSES:
        names = ", ".join(SOP_CLASSES.values())
        raise RefusedError(f"is a DICOM file of another kind ({_uid(sop_class)}); read are {names}")


def _checked_header(attributes: Dataset, syntax: str, pixels: Sequence[int], size: int, limits: Limits) -> DicomHeader:
    rows, columns = _number(attributes, "Rows"), _number(attributes, "Columns")
    limits.check(columns, rows)
    frames = _number(attributes, "NumberOfFrames", 1)
    if not 1 <= frames <= MOST_FRAMES:
        raise RefusedError(f"claims {frames:,} frames; the limit is {MOST_FRAMES:,}")
    photometric = _text(attributes, "PhotometricInterpretation")
    samples = _number(attributes, "SamplesPerPixel")
    if PHOTOMETRIC.get(photometric) != samples:
        raise RefusedError(f"has a colour model that is not read; read are {', '.join(PHOTOMETRIC)}")
    allocated, stored = _number(attributes, "BitsAllocated"), _number(attributes, "BitsStored")
    if allocated not in (8, 16) or not 1 <= stored <= allocated:
        raise RefusedError(f"stores {stored:,} bits in {allocated:,} for each sample; 8 and 16 bits are read")
    if _number(attributes, "PixelRepresentation", 0) or _number(attributes, "HighBit", stored - 1) != stored - 1:
        raise RefusedError("stores signed or shifted numbers, whose black and white are not known")
    start, length = pixels[1], pixels[0]
    header = DicomHeader(
        attributes=attributes,
        transfer_syntax=syntax,
        rows=rows,
        columns=columns,
        frames=frames,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        photometric=photometric,
        planar=_number(attributes, "PlanarConfiguration", 0),
        spacing_mm=_spacing(attributes),
        start=start,
        length=None if length == _UNDEFINED_LENGTH else length,
    )
    if (header.length is None) == (syntax in NATIVE):
        raise RefusedError("is damaged: its pixel data do not fit its transfer syntax")
    if header.length is not None and min(header.length, size - start) < frames * header.frame_bytes:
        raise RefusedError("is cut short: the DICOM data ends too early")
    return header


def _text(attributes: Dataset, keyword: str) -> str:
    value = attributes.get(keyword)
    return str(value).strip() if isinstance(value, str) else ""


def _number(attributes: Dataset, keyword: str, missing: int | None = None) -> int:
    value: Any = attributes.get(keyword)
    if value is None or value == "":
        if missing is None:
            raise RefusedError(f"is damaged: it has no {keyword}")
        return missing
    if not isinstance(value, int):
        raise RefusedError(f"is damaged: its {keyword} is no number")
    return int(value)


def _spacing(attributes: Dataset) -> tuple[float, float] | None:
    """The calibrated spacing first, then that at the sensor, then that of a scanned film (PS3.3, 10.7.1)."""
    for keyword in _SPACINGS:
        value: Any = attributes.get(keyword)
        try:
            rows, columns = (float(distance) for distance in value)
        except (TypeError, ValueError):
            continue
        if rows > 0 and columns > 0 and math.isfinite(rows) and math.isfinite(columns):
            return rows, columns
    return None


def _uid(text: str) -> str:
    """A UID for a message: digits and dots only, so that no other text of the file gets there."""
    return text[:64] if text and set(text) <= set("0123456789.") else "none"
