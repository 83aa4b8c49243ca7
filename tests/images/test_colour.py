from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from dermoscope.images import decode
from dermoscope.images.colour import BACKGROUND
from tests.images.files import encoded, picture, png_chunk, png_with

# The sRGB primaries, adapted to D50 as profiles want them.
RED, GREEN, BLUE = (0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
WHITE = (0.9642, 1.0, 0.8249)


def _xyz(value: tuple[float, float, float]) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(part * 65536) for part in value))


def _gamma(value: float) -> bytes:
    return struct.pack(">4sIIH2x", b"curv", 0, 1, round(value * 256))


def _description(text: bytes) -> bytes:
    return struct.pack(">4sII", b"desc", 0, len(text) + 1) + text + bytes(1 + 78 + 3)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal ICC profile, version 2.1 (ICC.1:1998-09)."""
    start = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(content), len(value))
        content += value + bytes(-len(value) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s", start + len(content), 0x02100000, b"mntr", space, b"XYZ ", b"acsp")
    return header + bytes(28) + _xyz(WHITE)[8:] + bytes(48) + table + content


def _rgb_profile(red: tuple[float, float, float], green: tuple[float, float, float], description: bytes) -> bytes:
    primaries = {b"rXYZ": _xyz(red), b"gXYZ": _xyz(green), b"bXYZ": _xyz(BLUE)}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(2.2))
    return _profile(b"RGB ", {b"desc": _description(description), b"wtpt": _xyz(WHITE), **primaries, **curves})


SWAPPED = _rgb_profile(GREEN, RED, b"red and green swapped")
LINEAR_GREY = _profile(b"GRAY", {b"desc": _description(b"linear"), b"wtpt": _xyz(WHITE), b"kTRC": _gamma(1.0)})


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_embedded_profile_is_converted_to_srgb(image_format: str) -> None:
    plain = decode(encoded(image_format)).rgb.astype(int)
    profiled = decode(encoded(image_format, icc_profile=SWAPPED)).rgb.astype(int)
    assert np.abs(profiled - plain[..., [1, 0, 2]]).mean() < 2
    assert np.abs(profiled - plain).mean() > 20


def test_palettes_and_transparency_go_through_the_profile_too() -> None:
    swapped = decode(encoded("PNG", mode="P")).rgb[..., [1, 0, 2]].astype(int)
    found = decode(encoded("PNG", mode="P", icc_profile=SWAPPED)).rgb
    assert np.abs(found - swapped).mean() < 4
    swapped = picture()[..., [1, 0, 2]].astype(int)
    half = np.dstack([picture(), np.full(picture().shape[:2], 128, np.uint8)])
    found = decode(encoded("PNG", half, icc_profile=SWAPPED)).rgb
    assert np.abs(found - (swapped + BACKGROUND) / 2).mean() < 2


def test_a_grey_profile_is_for_grey_pixels() -> None:
    grey = np.full((32, 32), 55, np.uint8)
    # Linear light of 55/255 = 0.216 is sRGB 128 (IEC 61966-2-1).
    assert np.abs(decode(encoded("PNG", grey, icc_profile=LINEAR_GREY)).rgb.astype(int) - 128).max() <= 2
    assert np.array_equal(decode(encoded("PNG", icc_profile=LINEAR_GREY)).rgb, picture())


def test_a_colour_profile_in_a_grey_image_counts() -> None:
    grey = np.full((32, 32), 100, np.uint8)
    assert np.abs(decode(encoded("PNG", grey, icc_profile=SWAPPED)).rgb.astype(int) - 100).max() <= 3


def test_a_profile_for_other_pixels_is_ignored() -> None:
    plain = decode(encoded("TIFF", mode="CMYK")).rgb
    assert np.array_equal(decode(encoded("TIFF", mode="CMYK", icc_profile=SWAPPED)).rgb, plain)


def test_srgb_itself_changes_nothing() -> None:
    named = _rgb_profile(RED, GREEN, b"sRGB IEC61966-2.1")
    assert np.array_equal(decode(encoded("PNG", icc_profile=named)).rgb, picture())


@pytest.mark.parametrize("profile", [b"\0", b"\xff" * 500, SWAPPED[:200], SWAPPED.replace(b"acsp", b"none")])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    assert np.array_equal(decode(encoded("PNG", icc_profile=profile)).rgb, picture())


def test_a_profile_that_is_not_even_compressed_is_ignored() -> None:
    assert np.array_equal(decode(png_with(png_chunk(b"iCCP", b"name\0\0no zlib stream"))).rgb, picture())


@pytest.mark.parametrize(("alpha", "share"), [(0, 0.0), (255, 1.0), (51, 0.2)])
def test_transparent_pixels_lie_on_mid_grey(alpha: int, share: float) -> None:
    pixels = np.dstack([picture(), np.full(picture().shape[:2], alpha, np.uint8)])
    expected = share * picture() + (1 - share) * BACKGROUND
    assert np.abs(decode(encoded("PNG", pixels)).rgb - expected).max() <= 1


def test_one_colour_may_be_transparent() -> None:
    pixels = picture()
    pixels[:30] = (1, 2, 3)
    found = decode(encoded("PNG", pixels, transparency=(1, 2, 3)))
    assert (found.rgb[:30] == BACKGROUND).all()
    assert np.array_equal(found.rgb[30:], pixels[30:])
    assert found.notes


def test_adobe_cmyk_is_not_inverted() -> None:
    white = decode(encoded("JPEG", np.full((32, 32, 3), 250, np.uint8), mode="CMYK")).rgb
    assert white.min() > 240


def test_cielab_is_refused() -> None:
    with pytest.raises(ValueError, match="CIELAB"):
        decode(encoded("TIFF", np.asarray(Image.new("RGB", (32, 32))), mode="LAB"))
