"""One safe way from an image file, however odd, to 8-bit sRGB pixels.

The file's content decides its format. Size is checked in the header before anything is decoded, orientation is applied,
and all metadata stays behind. Whatever is wrong with a file comes out as an `ImageError` that says so in one sentence.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
_LARGEST_SIDE = 65_535
# Every progressive scan walks over all pixels again, and a scan can be a few bytes long: without a limit, a file of
# 10 MB keeps a decoder busy for hours. Encoders write about 10.
_MOST_JPEG_SCANS = 100
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

_warnings_lock = threading.Lock()


@dataclass(frozen=True)
class DecodedImage:
    """Pixels of one image, and what the file said about them.

    Attributes:
        rgb: 8-bit sRGB, shape (height, width, 3) divided by `reduction` and rounded up.
        width: Pixels of the original, after its orientation was applied; masks are made at this size.
        height: As `width`.
        format: `JPEG`, `PNG`, `WEBP`, `TIFF` or `BMP`, by content.
        reduction: 1, or 2, 4 or 8 if a JPEG was decoded at that fraction of its size.
        notes: Sentences about what was left out or made up, such as further frames of an animation.
    """

    rgb: NDArray[np.uint8]
    width: int
    height: int
    format: str
    reduction: int = 1
    notes: tuple[str, ...] = ()


def decode(
    source: Path | str | bytes,
    *,
    name: str = "",
    max_pixels: int = MAX_PIXELS,
    max_side: int | None = None,
    min_side: int = MIN_SIDE,
    max_bytes: int = MAX_FILE_BYTES,
) -> DecodedImage:
    """Decode a JPEG, PNG, WebP, TIFF or BMP image into 8-bit sRGB.

    Orientation is applied, an embedded colour profile is converted to sRGB, transparency is laid on mid-grey, 16 bits
    become 8, and of an animation or a file of several pages the first is taken. Metadata is dropped.

    Example:
        >>> image = decode("lesion.jpg")  # doctest: +SKIP
        >>> image.rgb.shape  # doctest: +SKIP
        (450, 600, 3)

    Args:
        source: A path, or the content of a file.
        name: What messages call the image; the path if left out.
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
    limits = _Limits(max_pixels, min_side)
    try:
        with _quiet_pillow():
            image = _open(data, image_format, limits)
        return _decode(image, image_format, max_side)
    except Exception as error:
        # Parsers of damaged data raise nearly everything: struct.error, SyntaxError, KeyError, zlib.error, ...
        raise ImageError(name, _reason(error, image_format)) from error


class _RefusedError(ValueError):
    """The image is whole but not acceptable; the message is the reason."""


@dataclass(frozen=True)
class _Limits:
    max_pixels: int
    min_side: int

    def check(self, width: int, height: int) -> None:
        if width <= 0 or height <= 0:
            raise _RefusedError("has no pixels")
        if min(width, height) < self.min_side:
            raise _RefusedError(
                f"is too small: {width:,} × {height:,} pixels; each side needs at least {self.min_side}"
            )
        if width * height > self.max_pixels or max(width, height) > _LARGEST_SIDE:
            raise _RefusedError(
                f"is too large: {width:,} × {height:,} pixels; the limit is {self.max_pixels:,} in all "
                f"and {_LARGEST_SIDE:,} a side"
            )


def _open(data: bytes, image_format: str, limits: _Limits) -> ImageFile.ImageFile:
    if image_format == "WEBP" and (size := sniffing.webp_size(data)):
        limits.check(*size)  # its reader allocates the canvas as soon as it opens
    if image_format == "JPEG" and (scans := sniffing.jpeg_scans(data)) > _MOST_JPEG_SCANS:
        raise _RefusedError(f"has {scans:,} scans, as only files made to stall a decoder do")
    image = _READERS[image_format](io.BytesIO(data))
    limits.check(*image.size)
    if isinstance(image, TiffImageFile):
        tile = (image.tag_v2.get(_TILE_WIDTH, 0), image.tag_v2.get(_TILE_LENGTH, 0))
        if tile[0] * tile[1] > limits.max_pixels:
            raise _RefusedError(f"has tiles of {tile[0]:,} × {tile[1]:,} pixels, more than the image may have")
    return image


def _decode(image: ImageFile.ImageFile, image_format: str, max_side: int | None) -> DecodedImage:
    try:
        conversion = ColourConversion(image)
    except ValueError as error:
        raise _RefusedError(str(error)) from error
    notes = ["only the first of several frames was used"] if getattr(image, "is_animated", False) else []
    stored = image.size
    reduction = _reduce(image, max_side) if max_side is not None and isinstance(image, JpegImageFile) else 1
    if image_format == "TIFF":
        with _quiet_pillow():  # it reads its metadata once more while it loads
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
        with _quiet_pillow():
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


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Keep Pillow's warnings about odd metadata from users, and from turning into errors where warnings are errors.

    Warning filters belong to the whole process, so threads take turns, and only what Pillow says is silenced.
    """
    with _warnings_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _reason(error: Exception, image_format: str) -> str:
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    said = " ".join(printable(str(error)).split())
    if "truncated" in said.lower() or isinstance(error, EOFError):
        return f"is cut short: the {image_format} data ends too early"
    if "too large" in said.lower() or "too much memory" in said.lower():
        return f"carries more metadata than a picture needs ({said})"
    return f"is damaged: the {image_format} data cannot be decoded ({_PLAIN.get(said, said)[:120]})"
