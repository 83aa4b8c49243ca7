from __future__ import annotations

import time

import pytest

from dermoscope.images.sniffing import READABLE, describe_unreadable, jpeg_scans, readable_format, webp_size
from tests.images.files import WHOLE_FORMATS, encoded, frames, jpeg_with_scans, jpeg_with_segment, picture, webp_canvas


@pytest.mark.parametrize("name", WHOLE_FORMATS)
def test_readable_formats(name: str) -> None:
    assert readable_format(encoded(name)) == name


def test_every_format_is_tried() -> None:
    assert {*WHOLE_FORMATS, "DICOM"} == set(READABLE)


@pytest.mark.parametrize(
    "content", [b"", b"BM is how this text begins, which is not a bitmap", b"II*", b"RIFFxxxxWAVE", b"\xff\xd8"]
)
def test_a_few_letters_make_no_format(content: bytes) -> None:
    assert readable_format(content) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n <html lang=en>", "a web page"),
        (b"<!-- saved --><!DOCTYPE html>", "a web page"),
        (b"<!-- drawn by hand -->\n<svg width='1'>", "an SVG drawing"),
        (b"<?xml version='1.0'?><note/>" + bytes(3), "not an image in a known format"),
        (b"\xff\xfb\x90\x44" + bytes(50), "not an image in a known format"),
        (b"\x1f\x8b\x08\0", "a compressed archive"),
        (b'{"json": true}', "text"),
    ],
)
def test_what_a_file_seems_to_be(content: bytes, said: str) -> None:
    assert describe_unreadable(content).startswith(f"is {said};")


@pytest.mark.parametrize(
    "content", [b"<" * 5000, b"<!---->" * 2000, b" " * 5000, b"< " * 5000 + b"sv", b"<!doctype" * 900]
)
def test_hostile_text_does_not_stall(content: bytes) -> None:
    start = time.perf_counter()
    describe_unreadable(content)
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"lossless": False}, {"lossless": True, "exif": b"Exif\0\0II*\0"}]
)
@pytest.mark.parametrize("size", [(160, 120), (17, 300)])
def test_webp_size(size: tuple[int, int], options: dict[str, bool | bytes]) -> None:
    assert webp_size(encoded("WEBP", picture(*size), "", **options)) == size


def test_webp_size_of_odd_headers() -> None:
    assert webp_size(webp_canvas(16_384, 3)) == (16_384, 3)
    assert webp_size(webp_canvas(9, 9)[:25]) is None
    assert webp_size(b"RIFF\0\0\0\0WEBPJUNK" + bytes(40)) is None


def test_scans_are_counted_up_to_the_end_of_the_first_image() -> None:
    progressive = jpeg_scans(encoded("JPEG", progressive=True))
    assert 6 <= progressive <= 20
    assert jpeg_scans(encoded("JPEG")) == 1
    assert jpeg_scans(jpeg_with_scans(50)) == 50
    assert jpeg_scans(encoded("JPEG") + b"\0\2" + b"\xff\xda\0\2" * 500) == 1
    assert jpeg_scans(frames("MPO")) == 1


def test_previews_in_metadata_are_not_counted() -> None:
    assert jpeg_scans(jpeg_with_segment(0xE1, encoded("JPEG")[:-2] + b"\xff\xda\0\2" * 300)) == 1


def test_hostile_segments_end() -> None:
    start = time.perf_counter()
    jpeg_scans(b"\xff\xd8" + b"\xff\xe0\0\0" * 200_000)
    assert time.perf_counter() - start < 5
