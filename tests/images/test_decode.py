from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from dermoscope.images import ImageError, decode
from dermoscope.images.quiet import quiet_readers
from tests.images.files import HEIGHT, WIDTH, encoded, grey_tiff, jpeg_with_scans, picture, png_header, webp_canvas

CUT = "is cut short"
DAMAGED = "is damaged"


def test_ordinary_images_need_no_note() -> None:
    assert decode(encoded("PNG")).notes == ()
    opaque = np.dstack([picture(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    assert decode(encoded("PNG", opaque)).notes == ()


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_format_comes_from_content(image_format: str, tmp_path: Path) -> None:
    path = tmp_path / "image.gif"
    path.write_bytes(encoded(image_format))
    assert decode(path).format == image_format
    assert np.array_equal(decode(path).rgb, decode(str(path)).rgb)
    assert np.array_equal(decode(path).rgb, decode(path.read_bytes()).rgb)


# How EXIF 2.32, tag 0x0112, says the stored rows and columns are to be turned for display.
UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored, 1),
}


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", [*UPRIGHT, 0, 9, 65535])
def test_orientation_is_applied(orientation: int, image_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode(encoded(image_format, exif=exif, lossless=True))
    expected = UPRIGHT.get(orientation, UPRIGHT[1])(picture())
    assert np.array_equal(image.rgb, expected)
    assert (image.height, image.width) == expected.shape[:2]


@pytest.mark.parametrize(
    ("size", "max_side", "reduction"),
    [
        ((800, 600), None, 1),
        ((800, 600), 800, 1),
        ((800, 600), 401, 1),
        ((800, 600), 400, 2),
        ((801, 601), 400, 2),
        ((800, 600), 200, 4),
        ((800, 600), 100, 8),
        ((800, 600), 20, 8),
        ((600, 800), 200, 4),
        ((1000, 17), 125, 8),
    ],
)
def test_large_jpegs_are_decoded_at_a_fraction(size: tuple[int, int], max_side: int | None, reduction: int) -> None:
    image = decode(encoded("JPEG", picture(*size), quality=95), max_side=max_side)
    assert image.reduction == reduction
    assert (image.width, image.height) == size
    assert image.rgb.shape == (-(-size[1] // reduction), -(-size[0] // reduction), 3)


def test_a_rotated_jpeg_is_reduced_and_its_size_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = decode(encoded("JPEG", picture(800, 600), exif=exif), max_side=400)
    assert (image.width, image.height) == (600, 800)
    assert image.rgb.shape == (400, 300, 3)


def test_other_formats_come_in_full() -> None:
    assert decode(encoded("PNG", picture(800, 600)), max_side=100).rgb.shape == (600, 800, 3)


def test_large_images_are_put_together_from_strips() -> None:
    tall = np.tile(picture(2048, 256), (10, 1, 1))
    assert tall.shape[0] * tall.shape[1] > 2**22
    assert np.array_equal(decode(encoded("PNG", tall, compress_level=1)).rgb, tall)


def test_limits_can_be_set() -> None:
    assert decode(encoded("PNG"), max_pixels=WIDTH * HEIGHT, min_side=HEIGHT).width == WIDTH
    with pytest.raises(ImageError, match="is too large: 160 × 120 pixels; the limit is 19,199"):
        decode(encoded("PNG"), max_pixels=WIDTH * HEIGHT - 1)
    with pytest.raises(ImageError, match="each side needs at least 121"):
        decode(encoded("PNG"), min_side=HEIGHT + 1)


@pytest.mark.parametrize("content", [png_header(9_500, 9_500), png_header(14_000, 14_000), webp_canvas(14_000, 14_000)])
def test_only_our_own_limit_decides(content: bytes) -> None:
    # These sizes make Pillow's own limit warn and fail; neither may come before ours.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="is too large"):
            decode(content)
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match=f"{CUT}|{DAMAGED}"):
        decode(content, max_pixels=10**9)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_file_may_not_be_larger_than_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG"))
    size = path.stat().st_size
    assert decode(path, max_bytes=size).format == "PNG"
    with pytest.raises(ImageError, match="the limit is"):
        decode(path, max_bytes=size - 1)


def test_bytes_are_named_as_the_caller_likes() -> None:
    with pytest.raises(ImageError, match=r"^upload 3 is empty$"):
        decode(b"", name="upload 3")
    with pytest.raises(ImageError, match=r"^image is text"):
        decode(b"only a few words")
    with pytest.raises(ImageError, match=r"^a\\nb is empty$"):
        decode(b"", name="a\nb")


def test_a_hundred_scans_are_fine_and_one_more_is_not() -> None:
    assert decode(jpeg_with_scans(100)).width == WIDTH
    with pytest.raises(ImageError, match="101 scans"):
        decode(jpeg_with_scans(101))


def test_white_may_be_zero() -> None:
    grey = picture()[..., 1].astype(np.uint16) * 257
    inverted = grey_tiff(WIDTH, HEIGHT, (65535 - grey).tobytes(), t258=16, t262=0)
    assert np.array_equal(decode(inverted).rgb[..., 0], picture()[..., 1])


def test_twelve_bits_become_eight() -> None:
    values = (picture()[..., 1].astype(np.uint16) << 4).reshape(-1, 2)
    packed = np.stack([values[:, 0] >> 4, (values[:, 0] & 15) << 4 | values[:, 1] >> 8, values[:, 1] & 255], axis=1)
    twelve = grey_tiff(WIDTH, HEIGHT, packed.astype(np.uint8).tobytes(), t258=12)
    assert np.array_equal(decode(twelve).rgb[..., 0], picture()[..., 1])


def test_threads_take_turns_with_the_warning_filters() -> None:
    before = list(warnings.filters)
    entered = threading.Event()

    def enter() -> None:
        with quiet_readers():
            entered.set()

    other = threading.Thread(target=enter)
    with quiet_readers():
        other.start()
        assert not entered.wait(0.1)
    other.join()
    assert entered.is_set()
    assert warnings.filters == before


@given(st.binary(max_size=2000))
def test_random_bytes_are_only_ever_an_image_error(content: bytes) -> None:
    with pytest.raises(ImageError):
        decode(content)


SIGNATURES = [
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\xff\0\0\0WEBPVP8 ",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
]


@given(st.sampled_from(SIGNATURES), st.binary(max_size=2000))
def test_random_bytes_behind_a_signature_are_only_ever_an_image_error(signature: bytes, content: bytes) -> None:
    with pytest.raises(ImageError):
        decode(signature + content)


WHOLE = {
    "JPEG": encoded("JPEG"),
    "progressive JPEG": encoded("JPEG", progressive=True),
    "PNG": encoded("PNG"),
    "WebP": encoded("WEBP"),
    "TIFF": encoded("TIFF"),
    "compressed TIFF": encoded("TIFF", compression="tiff_lzw"),
    "BMP": encoded("BMP"),
}


@settings(deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1, exclude_max=True))
def test_a_truncated_image_is_whole_or_an_image_error(kind: str, share: float) -> None:
    content = WHOLE[kind][: int(share * len(WHOLE[kind]))]
    try:
        image = decode(content)
    except ImageError:
        return
    # A few bytes behind the pixels may be missing; pixels may not.
    assert np.array_equal(image.rgb, decode(WHOLE[kind]).rgb)


@settings(deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_a_flipped_byte_is_a_picture_or_an_image_error(kind: str, data: st.DataObject) -> None:
    content = bytearray(WHOLE[kind])
    content[data.draw(st.integers(0, min(700, len(content) - 1)))] = data.draw(st.integers(0, 255))
    try:
        image = decode(bytes(content))
    except ImageError:
        return
    assert image.rgb.shape == (image.height, image.width, 3)
