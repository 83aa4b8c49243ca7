"""Every kind of file in the corpora, good and bad."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.images import ImageError, decode
from tests.bad_inputs import BAD, GOOD, write_bad_inputs, write_unusual_good_inputs
from tests.images.files import HEIGHT, WIDTH, picture

CUT = "is cut short"
DAMAGED = "is damaged"
UNREADABLE = "JPEG, PNG, WebP, TIFF, BMP and DICOM are read"
REASONS = {
    "empty": "is empty",
    "one byte": UNREADABLE,
    "text": "is text",
    "web page": "is a web page",
    "zeros": "not an image in a known format",
    "noise": "not an image in a known format",
    "JPEG cut short": CUT,
    "progressive JPEG cut short": CUT,
    "JPEG header only": "holds no picture",
    "JPEG signature only": DAMAGED,
    "PNG cut short": CUT,
    "WebP cut short": "cut short",
    "TIFF cut short": CUT,
    "compressed TIFF cut short": DAMAGED,
    "BMP cut short": CUT,
    "one pixel": "is too small: 1 × 1 pixels",
    "thin strip": "is too small: 300 × 2 pixels",
    "huge PNG header": "is too large: 20,000 × 20,000 pixels",
    "huge BMP header": "is too large: 20,000 × 20,000 pixels",
    "huge TIFF header": "is too large: 20,000 × 20,000 pixels",
    "huge JPEG header": "is too large: 65,500 × 65,500 pixels",
    "huge WebP header": "is too large: 16,384 × 16,384 pixels",
    "endless line": "is too large: 2,000,000 × 20 pixels",
    "zero-size BMP": "without width or height",
    "zero-height PNG": "without width or height",
    "negative-width BMP": "is too large",
    "PNG with a wrong checksum": "checksum",
    "PNG with damaged pixels": DAMAGED,
    "PNG without pixels": "holds no pixels",
    "PNG text bomb": "more metadata than a picture needs",
    "PNG profile bomb": "more metadata than a picture needs",
    "TIFF with broken tiles": DAMAGED,
    "TIFF with huge tiles": "tiles of 60,000 × 60,000",
    "TIFF with an endless directory": DAMAGED,
    "TIFF with pixels beyond its end": CUT,
    "TIFF of floating point": "floating-point",
    "TIFF of 32-bit integers": "32-bit integers",
    "JPEG with endless scans": "2,000 scans",
    "animated GIF": "is a GIF",
    "GIF named jpg": "is a GIF",
    "HEIC": "is a HEIC image",
    "video": "is a video",
    "DICOM": "stores its pixels in a way that is not read (transfer syntax none)",
    "JPEG 2000": "is a JPEG 2000 image",
    "Photoshop document": "is a Photoshop document",
    "SVG": "is an SVG drawing",
    "PDF": "is a PDF document",
    "EPS": "is a PostScript document",
    "ZIP named png": "is a ZIP archive",
    "macOS companion file": UNREADABLE,
    "file too large": "is 1,074 MB; the limit is 537 MB",
    "name in other scripts": CUT,
    "very long name": "is empty",
    "name with control characters": "is empty",
    "name with a leading dash": "is empty",
    "folder": "is a folder, not a file",
    "name that is no text": "is empty",
    "dangling link": "is a link to a file that does not exist",
    "link to itself": "is a link that leads back to itself",
    "named pipe": "is a named pipe",
    "socket": "is a socket",
    "device": "is a device",
    "unreadable file": "cannot be read",
    "forbidden file": "cannot be read: permission denied",
}
# How far apart a lossy or narrower file may be from the picture it was made of, in mean grey levels.
CLOSE = 6.0


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_bad_inputs(tmp_path_factory.mktemp("bad"))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_unusual_good_inputs(tmp_path_factory.mktemp("good"))


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_input_is_an_error_of_one_line_with_its_reason(kind: str, bad: dict[str, Path]) -> None:
    with pytest.raises(ImageError, match=re.escape(REASONS[kind])) as caught:
        decode(bad[kind])
    message = str(caught.value)
    assert message == f"{caught.value.name} {caught.value.reason}"
    assert message.isprintable()
    assert message.encode("utf-8")
    assert bad[kind].parent.name in caught.value.name


def test_there_are_enough_kinds() -> None:
    assert len(BAD) >= 30
    assert set(BAD) <= set(REASONS)


@pytest.mark.parametrize("kind", GOOD)
def test_an_unusual_input_decodes(kind: str, good: dict[str, Path]) -> None:
    image = decode(good[kind])
    assert image.rgb.shape == (HEIGHT, WIDTH, 3)
    assert image.rgb.dtype == np.uint8
    assert image.rgb.flags.c_contiguous
    assert (image.width, image.height, image.reduction) == (WIDTH, HEIGHT, 1)


@pytest.mark.parametrize(
    "kind",
    [
        "progressive JPEG",
        "CMYK JPEG",
        "rotated JPEG",
        "JPEG with corrupt EXIF",
        "JPEG with a corrupt profile",
        "JPEG with trailing garbage",
        "JPEG of several pictures",
        "16-bit colour PNG",
        "16-bit colour TIFF",
        "CMYK TIFF",
        "TIFF of several pages",
        "JPEG inside a TIFF",
        "BigTIFF",
        "animated PNG",
        "animated WebP",
        "BMP from top to bottom",
        "PNG named jpg",
    ],
)
def test_colours_and_position_are_kept(kind: str, good: dict[str, Path]) -> None:
    assert _distance(decode(good[kind]).rgb, picture()) < CLOSE


@pytest.mark.parametrize("kind", ["16-bit grey PNG", "16-bit grey TIFF"])
def test_deep_grey_keeps_its_upper_bits(kind: str, good: dict[str, Path]) -> None:
    assert np.array_equal(decode(good[kind]).rgb, np.repeat(picture()[..., 1:2], 3, axis=2))


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("animated PNG", "first of several frames"),
        ("animated WebP", "first of several frames"),
        ("TIFF of several pages", "first of several frames"),
        ("PNG with alpha", "mid-grey"),
        ("palette with alpha", "mid-grey"),
    ],
)
def test_what_was_left_out_is_noted(kind: str, note: str, good: dict[str, Path]) -> None:
    (found,) = decode(good[kind]).notes
    assert note in found


@pytest.mark.parametrize("kind", ["JPEG with corrupt EXIF", "TIFF of several pages", "JPEG with a corrupt profile"])
def test_odd_metadata_does_not_warn(kind: str, good: dict[str, Path]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(good[kind])


def _distance(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.abs(first.astype(np.int16) - second).mean())
