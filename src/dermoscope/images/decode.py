"""One safe way from an image file, however odd, to 8-bit sRGB pixels.

The file's content decides its format. Size is checked in the header before anything is decoded, orientation is applied,
and all metadata stays behind. Whatever is wrong with a file comes out as an `ImageError` that says so in one sentence.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from dermoscope.images import sniffing
from dermoscope.images.colour import ColourConversion
from dermoscope.images.dicom_frames import MOST_JPEG_SCANS, frame_picture
from dermoscope.images.dicom_header import read_header
from dermoscope.images.limits import Limits, RefusedError
from dermoscope.images.quiet import quiet_readers
from dermoscope.images.reading import MAX_FILE_BYTES, ImageError, printable, read_image_file

MAX_PIXELS = 64_000_000
"""Default limit on width times height; the largest phone and camera sensors in use lie below it or can be set so."""

MIN_SIDE = 16
"""Default limit below which an image is a pixel, an icon or a mistake, but no picture of skin."""

# Opening through these classes instead of Image.open is the allow-list: no other parser is ever reached, and Pillow's
# process-wide limit on pixels, which is not ours to change, does not come before our own.
_READERS: Mapping[str, type[ImageFile.ImageFile]] = MappingProxyType(
    {"JPEG": JpegImageFile, "PNG": PngImageFile, "WEBP": WebPImageFile, "TIFF": TiffImageFile, "BMP": BmpImageFile}
)
# TIFF tiles are decoded whole, however small the image that they are a part of.
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_ORIENTATION = 274
_STRIP_PIXELS = 2**22
# What Pillow says where it has no words of its own.
_PLAIN = {
    "": "no reason given",
    "not identified by this driver": "it holds no picture, or one without width or height",
    "cannot load this image": "it holds no pixels",
    "could not create decoder object": "it is damaged or cut short",
    "Missing dimensions": "it gives no width or height",
    "image has no pixels": "it holds no pixels",
}


@dataclass(frozen=True)
class DecodedImage:
    """Pixels of one image, and what the file said about them.

    Attributes:
        rgb: 8-bit sRGB, shape (height, width, 3) divided by `reduction` and rounded up.
        width: Pixels of the original, after its orientation was applied; masks are made at this size.
        height: As `width`.
        format: `JPEG`, `PNG`, `WEBP`, `TIFF`, `BMP` or `DICOM`, by content.
        reduction: 1, or 2, 4 or 8 if a JPEG was decoded at that fraction of its size.
        notes: Sentences about what was left out or made up, such as further frames of an animation.
        spacing_mm: Distance between rows and between columns in millimetres, where a DICOM file gives it.
    """

    rgb: NDArray[np.uint8]
    width: int
    height: int
    format: str
    reduction: int = 1
    notes: tuple[str, ...] = ()
    spacing_mm: tuple[float, float] | None = None


def decode(
    source: Path | str | bytes,
    *,
    name: str = "",
    frame: int = 1,
    max_pixels: int = MAX_PIXELS,
    max_side: int | None = None,
    min_side: int = MIN_SIDE,
    max_bytes: int = MAX_FILE_BYTES,
) -> DecodedImage:
    """Decode a JPEG, PNG, WebP, TIFF, BMP or DICOM image into 8-bit sRGB.

    Orientation is applied, an embedded colour profile is converted to sRGB, transparency is laid on mid-grey, 16 bits
    become 8, and of an animation or a file of several pages the first is taken. Metadata is dropped. DICOM needs the
    extra `dicom`, see `dermoscope.images.dicom_header` for what is read.

    Example:
        >>> image = decode("lesion.jpg")  # doctest: +SKIP
        >>> image.rgb.shape  # doctest: +SKIP
        (450, 600, 3)

    Args:
        source: A path, or the content of a file.
        name: What messages call the image; the path if left out.
        frame: Which frame of a DICOM file, from 1; other files have one.
        max_pixels: Refuse larger images, by their header.
        max_side: Decode a JPEG at 1/2, 1/4 or 1/8 of its size as long as its long side keeps at least this many pixels.
            Other formats come in full. For uses that shrink the image further anyway: it saves time and memory.
        min_side: Refuse images with a shorter side.
        max_bytes: Refuse larger files.

    Raises:
        ImageError: If there is no image, or none that is safe to decode. The message names the file and the reason.
    """
    if isinstance(source, bytes):
        data, name = source, printable(name or "image")
        if not data:
            raise ImageError(name, "is empty")
    else:
        data, name = read_image_file(source, max_bytes=max_bytes), printable(name or source)
    image_format = sniffing.readable_format(data)
    if image_format is None:
        raise ImageError(name, sniffing.describe_unreadable(data))
    limits = Limits(max_pixels, min_side)
    if image_format == "DICOM":
        return _decode_dicom(data, name, limits, frame)
    try:
        if frame != 1:
            raise RefusedError(f"has 1 frame; there is no frame {frame:,}")
        with quiet_readers():
            image = _open(data, image_format, limits)
        return _decode(image, image_format, max_side)
    except Exception as error:
        # Parsers of damaged data raise nearly everything: struct.error, SyntaxError, KeyError, zlib.error, ...
        raise ImageError(name, _reason(error, image_format)) from error


def _open(data: bytes, image_format: str, limits: Limits) -> ImageFile.ImageFile:
    if image_format == "WEBP" and (size := sniffing.webp_size(data)):
        limits.check(*size)  # its reader allocates the canvas as soon as it opens
    if image_format == "JPEG" and (scans := sniffing.jpeg_scans(data)) > MOST_JPEG_SCANS:
        raise RefusedError(f"has {scans:,} scans, as only files made to stall a decoder do")
    image = _READERS[image_format](io.BytesIO(data))
    limits.check(*image.size)
    if isinstance(image, TiffImageFile):
        tile = (image.tag_v2.get(_TILE_WIDTH, 0), image.tag_v2.get(_TILE_LENGTH, 0))
        if tile[0] * tile[1] > limits.max_pixels:
            raise RefusedError(f"has tiles of {tile[0]:,} × {tile[1]:,} pixels, more than the image may have")
    return image


def _decode_dicom(data: bytes, name: str, limits: Limits, frame: int) -> DecodedImage:
    try:
        if Path(name).stem.upper() == "DICOMDIR":
            raise RefusedError("is a DICOMDIR, a list of other files; name the image files instead")
        header = read_header(data, limits)
        picture = frame_picture(data, header, frame)
        rgb = _to_oriented_rgb(picture, ColourConversion(picture), orientation=1)
    except (RefusedError, MemoryError) as error:
        raise ImageError(name, _reason(error, "DICOM")) from None
    except ImportError as error:
        raise ImageError(name, f'is a DICOM file; pip install "dermoscope[dicom]" to read it ({error.name})') from None
    except Exception:
        # What a library says of such a file may quote it, and with it a patient; so nothing of it goes on from here.
        raise ImageError(name, "is damaged: the DICOM data cannot be decoded") from None
    notes = (f"frame {frame:,} of {header.frames:,} was used",) if header.frames > 1 else ()
    return DecodedImage(rgb, header.columns, header.rows, "DICOM", notes=notes, spacing_mm=header.spacing_mm)


def _decode(image: ImageFile.ImageFile, image_format: str, max_side: int | None) -> DecodedImage:
    try:
        conversion = ColourConversion(image)
    except ValueError as error:
        raise RefusedError(str(error)) from error
    notes = ["only the first of several frames was used"] if getattr(image, "is_animated", False) else []
    stored = image.size
    reduction = _reduce(image, max_side) if max_side is not None and isinstance(image, JpegImageFile) else 1
    if image_format == "TIFF":
        with quiet_readers():  # it reads its metadata once more while it loads
            image.load()
    else:
        image.load()
    orientation = _orientation(image)
    rgb = _to_oriented_rgb(image, conversion, orientation)
    if conversion.found_transparency:
        notes.append("transparent pixels are shown on mid-grey")
    width, height = stored if orientation < 5 else stored[::-1]
    return DecodedImage(rgb, width, height, image_format, reduction, tuple(notes))


def _reduce(image: JpegImageFile, max_side: int) -> int:
    """Have a JPEG decoded at a fraction of its size, by scaling in the cosine transform; the factor is returned."""
    width, height = image.size
    reduction = next((factor for factor in (8, 4, 2) if max(width, height) // factor >= max_side), 1)
    if reduction > 1 and image.draft(image.mode, (max(1, width // reduction), max(1, height // reduction))) is None:
        return 1
    return reduction


def _orientation(image: ImageFile.ImageFile) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is none, or none that makes sense."""
    try:
        with quiet_readers():
            orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:
        return 1  # damaged metadata is no reason to refuse good pixels; parsers of it raise nearly everything
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _to_oriented_rgb(image: Image.Image, conversion: ColourConversion, orientation: int) -> NDArray[np.uint8]:
    # Strip by strip into the array that is returned, so that a large image lies in memory twice and not five times.
    width, height = image.size
    rgb = np.empty((height, width, 3) if orientation < 5 else (width, height, 3), dtype=np.uint8)
    as_stored = _as_stored(rgb, orientation)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        as_stored[top:bottom] = conversion.to_rgb(image.crop((0, top, width, bottom)))
    return rgb


def _as_stored(oriented: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A view of an upright image in which its pixels lie as the file stores them (EXIF 2.32, tag 0x0112)."""
    match orientation:
        case 2:
            return oriented[:, ::-1]
        case 3:
            return oriented[::-1, ::-1]
        case 4:
            return oriented[::-1]
        case 5:
            return oriented.swapaxes(0, 1)
        case 6:
            return np.rot90(oriented, 1)
        case 7:
            return oriented.swapaxes(0, 1)[::-1, ::-1]
        case 8:
            return np.rot90(oriented, -1)
        case _:
            return oriented


def _reason(error: Exception, image_format: str) -> str:
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    said = " ".join(printable(str(error)).split())
    if "truncated" in said.lower() or isinstance(error, EOFError):
        return f"is cut short: the {image_format} data ends too early"
    if "too large" in said.lower() or "too much memory" in said.lower():
        return f"carries more metadata than a picture needs ({said})"
    return f"is damaged: the {image_format} data cannot be decoded ({_PLAIN.get(said, said)[:120]})"
