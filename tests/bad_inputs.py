"""A corpus of files that are no usable image, and one of files that look wrong but are fine.

Both are written by code, into a folder of the test's own. Each kind is one function in a table.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from tests.images.files import (
    HEIGHT,
    WIDTH,
    bmp,
    by_opencv,
    encoded,
    frames,
    grey16,
    grey_tiff,
    jpeg_with_scans,
    jpeg_with_segment,
    jpeg_with_size,
    picture,
    png_chunk,
    png_header,
    png_with,
    tiff,
    webp_canvas,
    with_alpha,
)

Maker = Callable[[Path], None]


def _bytes(content: bytes | Callable[[], bytes]) -> Maker:
    return lambda path: _write(path, content)


def _write(path: Path, content: bytes | Callable[[], bytes]) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content())


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("photo.txt", "nothing")
    return stream.getvalue()


def _wrong_checksum() -> bytes:
    data = bytearray(encoded("PNG"))
    data[29] ^= 0xFF  # in the checksum of the header chunk
    return bytes(data)


def _wrong_pixels() -> bytes:
    head = encoded("PNG")[:33]
    return head + png_chunk(b"IDAT", b"\x78\x9c" + b"\xde\xad\xbe\xef" * 50) + png_chunk(b"IEND", b"")


def _endless_directory() -> bytes:
    # A directory that claims 65,535 entries, each of which claims four thousand million values.
    return b"II*\0" + struct.pack("<IH", 8, 0xFFFF) + struct.pack("<HHII", 256, 12, 0xFFFFFFFF, 8) * 500


def _broken_tiles() -> bytes:
    # Deflate-compressed tiles whose data is noise.
    noise = np.random.default_rng(1).integers(0, 256, 500, dtype=np.uint8).tobytes()
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: 64, 323: 64, 324: 8, 325: len(noise)}
    return tiff({number: (4, 1, value) for number, value in tags.items()}, noise)


def _huge_tiles() -> bytes:
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60_000, 323: 60_000, 324: 8, 325: 16}
    return tiff({number: (4, 1, value) for number, value in tags.items()}, zlib.compress(bytes(99))[:16])


def _sparse(size: int) -> Maker:
    def make(path: Path) -> None:
        with path.open("wb") as stream:
            stream.write(encoded("JPEG"))
            stream.truncate(size)

    return make


def _link_to(target: str) -> Maker:
    return lambda path: path.symlink_to(target)


def _socket(path: Path) -> None:
    # The path of a socket may not be long, so bind it from its own folder.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(before)


def _forbidden(path: Path) -> None:
    path.write_bytes(encoded("JPEG"))
    path.chmod(0)


def _half(image_format: str, **options: Any) -> bytes:
    data = encoded(image_format, **options)
    return data[: len(data) // 2]


_LONG = "an image with a very long name " * 8
_NOISE = np.random.default_rng(3).integers(0, 256, 4000, dtype=np.uint8).tobytes()

# kind: (file name, maker)
BAD: dict[str, tuple[str, Maker]] = {
    "empty": ("empty.jpg", _bytes(b"")),
    "one byte": ("one_byte.png", _bytes(b"\xff")),
    "text": ("text.jpg", _bytes(b"This is no picture.\n" * 20)),
    "web page": ("page.jpg", _bytes(b"<!DOCTYPE html>\n<html><body>404 not found</body></html>")),
    "zeros": ("zeros.jpg", _bytes(bytes(5000))),
    "noise": ("noise.png", _bytes(_NOISE)),
    "JPEG cut short": ("cut.jpg", _bytes(lambda: _half("JPEG"))),
    "progressive JPEG cut short": ("cut_progressive.jpg", _bytes(lambda: _half("JPEG", progressive=True))),
    "JPEG header only": ("header_only.jpg", _bytes(lambda: encoded("JPEG")[:20])),
    "JPEG signature only": ("signature_only.jpg", _bytes(b"\xff\xd8\xff\xe0")),
    "PNG cut short": ("cut.png", _bytes(lambda: _half("PNG"))),
    "WebP cut short": ("cut.webp", _bytes(lambda: _half("WEBP"))),
    "TIFF cut short": ("cut.tif", _bytes(lambda: _half("TIFF"))),
    "compressed TIFF cut short": ("cut_lzw.tif", _bytes(lambda: _half("TIFF", compression="tiff_lzw"))),
    "BMP cut short": ("cut.bmp", _bytes(lambda: _half("BMP"))),
    "one pixel": ("one_pixel.png", _bytes(lambda: encoded("PNG", picture(1, 1)))),
    "thin strip": ("strip.png", _bytes(lambda: encoded("PNG", picture(300, 2)))),
    "huge PNG header": ("huge.png", _bytes(lambda: png_header(20_000, 20_000))),
    "huge BMP header": ("huge.bmp", _bytes(lambda: bmp(20_000, 20_000))),
    "huge TIFF header": ("huge.tif", _bytes(lambda: grey_tiff(20_000, 20_000, bytes(100)))),
    "huge JPEG header": ("huge.jpg", _bytes(lambda: jpeg_with_size(65_500, 65_500))),
    "huge WebP header": ("huge.webp", _bytes(lambda: webp_canvas(16_384, 16_384))),
    "endless line": ("line.png", _bytes(lambda: png_header(2_000_000, 20))),
    "zero-size BMP": ("zero.bmp", _bytes(lambda: bmp(0, 0))),
    "zero-height PNG": ("zero.png", _bytes(lambda: png_header(100, 0))),
    "negative-width BMP": ("negative.bmp", _bytes(lambda: bmp(-64, 64, bytes(64 * 64 * 3)))),
    "PNG with a wrong checksum": ("checksum.png", _bytes(_wrong_checksum)),
    "PNG with damaged pixels": ("pixels.png", _bytes(_wrong_pixels)),
    "PNG without pixels": ("no_pixels.png", _bytes(lambda: encoded("PNG")[:33] + png_chunk(b"IEND", b""))),
    "PNG text bomb": (
        "text_bomb.png",
        _bytes(lambda: png_with(png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000))))),
    ),
    "PNG profile bomb": (
        "profile_bomb.png",
        _bytes(lambda: png_with(png_chunk(b"iCCP", b"bomb\0\0" + zlib.compress(bytes(50_000_000))))),
    ),
    "TIFF with broken tiles": ("broken_tiles.tif", _bytes(_broken_tiles)),
    "TIFF with huge tiles": ("huge_tiles.tif", _bytes(_huge_tiles)),
    "TIFF with an endless directory": ("endless.tif", _bytes(_endless_directory)),
    "TIFF with pixels beyond its end": ("beyond.tif", _bytes(lambda: grey_tiff(64, 64, bytes(64 * 64), t273=10**9))),
    "TIFF of floating point": ("float.tif", _bytes(lambda: grey_tiff(32, 32, bytes(4096), t258=32, t339=3))),
    "TIFF of 32-bit integers": ("int32.tif", _bytes(lambda: grey_tiff(32, 32, bytes(4096), t258=32))),
    "JPEG with endless scans": ("scans.jpg", _bytes(lambda: jpeg_with_scans(2000))),
    "animated GIF": ("animation.gif", _bytes(lambda: frames("GIF"))),
    "GIF named jpg": ("gif.jpg", _bytes(lambda: encoded("GIF"))),
    "HEIC": ("phone.heic", _bytes(struct.pack(">I", 24) + b"ftypheic" + bytes(12) + _NOISE)),
    "video": ("clip.jpg", _bytes(struct.pack(">I", 24) + b"ftypisom" + bytes(12) + _NOISE)),
    "DICOM": ("scan.jpg", _bytes(bytes(128) + b"DICM" + _NOISE)),
    "JPEG 2000": ("wavelets.jpg", _bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + _NOISE)),
    "Photoshop document": ("layers.jpg", _bytes(b"8BPS\0\1" + _NOISE)),
    "SVG": ("drawing.svg", _bytes(b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>')),
    "PDF": ("paper.pdf", _bytes(b"%PDF-1.7\n" + _NOISE)),
    "EPS": ("figure.eps", _bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")),
    "ZIP named png": ("archive.png", _bytes(_zip)),
    "macOS companion file": ("._photo.jpg", _bytes(b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(100))),
    "file too large": ("sparse.jpg", _sparse(2**30)),
    "name in other scripts": ("病变_поражение_آفة_é.jpg", _bytes(lambda: _half("JPEG"))),
    "very long name": (_LONG + ".jpg", _bytes(b"")),
    "name with control characters": ("line\nbreak\tand\x1b[31mcolour.jpg", _bytes(b"")),
    "name with a leading dash": ("--help.jpg", _bytes(b"")),
    "folder": ("folder.jpg", Path.mkdir),
}
if sys.platform != "win32":
    BAD |= {
        "name that is no text": (os.fsdecode(b"latin1_\xe9.jpg"), _bytes(b"")),
        "dangling link": ("dangling.jpg", _link_to("nowhere.jpg")),
        "link to itself": ("loop.jpg", _link_to("loop.jpg")),
        "named pipe": ("pipe.jpg", os.mkfifo),
        "socket": ("socket.jpg", _socket),
        "device": ("device.jpg", _link_to("/dev/zero")),
    }
if sys.platform == "linux":
    # Reading the start of one's own memory fails for everybody, root included.
    BAD |= {"unreadable file": ("unreadable.jpg", _link_to("/proc/self/mem"))}
if hasattr(os, "geteuid") and os.geteuid() != 0:
    BAD |= {"forbidden file": ("forbidden.jpg", _forbidden)}


def _blue_green_red_16() -> NDArray[np.uint16]:
    return np.asarray(picture()[..., ::-1].astype(np.uint16) * 257)


def _palette_with_alpha() -> bytes:
    image = Image.fromarray(picture()).quantize(16)
    stream = io.BytesIO()
    image.save(stream, "PNG", transparency=bytes(range(0, 256, 16)))
    return stream.getvalue()


def _rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded("JPEG", np.ascontiguousarray(np.rot90(picture())), exif=exif)


def _commented() -> bytes:
    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", "x" * 500_000, zip=True)
    return encoded("PNG", pnginfo=comment)


GOOD: dict[str, tuple[str, Maker]] = {
    "progressive JPEG": ("progressive.jpg", _bytes(lambda: encoded("JPEG", progressive=True))),
    "grey JPEG": ("grey.jpg", _bytes(lambda: encoded("JPEG", mode="L"))),
    "CMYK JPEG": ("cmyk.jpg", _bytes(lambda: encoded("JPEG", mode="CMYK"))),
    "rotated JPEG": ("rotated.jpg", _bytes(_rotated)),
    "JPEG with corrupt EXIF": ("exif.jpg", _bytes(lambda: jpeg_with_segment(0xE1, b"Exif\0\0II*\0" + b"\xff" * 200))),
    "JPEG with a corrupt profile": (
        "profile.jpg",
        _bytes(lambda: jpeg_with_segment(0xE2, b"ICC_PROFILE\0\1\1" + b"\xff" * 200)),
    ),
    "JPEG with trailing garbage": ("garbage.jpg", _bytes(lambda: encoded("JPEG") + _NOISE)),
    "JPEG of several pictures": ("phone.jpg", _bytes(lambda: frames("MPO"))),
    "16-bit grey PNG": ("grey16.png", _bytes(lambda: by_opencv(".png", grey16()))),
    "16-bit colour PNG": (
        "rgb16.png",
        _bytes(lambda: by_opencv(".png", picture()[..., ::-1].astype(np.uint16) * 257)),
    ),
    "16-bit grey TIFF": ("grey16.tif", _bytes(lambda: grey_tiff(WIDTH, HEIGHT, grey16().tobytes(), t258=16))),
    "16-bit colour TIFF": ("rgb16.tif", _bytes(lambda: by_opencv(".tiff", _blue_green_red_16()))),
    "CMYK TIFF": ("cmyk.tif", _bytes(lambda: encoded("TIFF", mode="CMYK"))),
    "TIFF of several pages": ("pages.tif", _bytes(lambda: frames("TIFF"))),
    "JPEG inside a TIFF": ("jpeg.tif", _bytes(lambda: encoded("TIFF", compression="jpeg"))),
    "BigTIFF": ("big.tif", _bytes(lambda: encoded("TIFF", big_tiff=True))),
    "palette with alpha": ("palette.png", _bytes(_palette_with_alpha)),
    "PNG with alpha": ("alpha.png", _bytes(lambda: encoded("PNG", with_alpha()))),
    "grey PNG with alpha": ("grey_alpha.png", _bytes(lambda: encoded("PNG", with_alpha(), mode="LA"))),
    "1-bit PNG": ("bits.png", _bytes(lambda: encoded("PNG", mode="1"))),
    "animated PNG": ("animated.png", _bytes(lambda: frames("PNG"))),
    "PNG with a long comment": ("comment.png", _bytes(_commented)),
    "animated WebP": ("animated.webp", _bytes(lambda: frames("WEBP"))),
    "lossless WebP with alpha": ("alpha.webp", _bytes(lambda: encoded("WEBP", with_alpha(), lossless=True))),
    "palette BMP": ("palette.bmp", _bytes(lambda: encoded("BMP", mode="P"))),
    "BMP from top to bottom": (
        "upside.bmp",
        _bytes(lambda: bmp(WIDTH, -HEIGHT, np.ascontiguousarray(picture()[..., ::-1]).tobytes())),
    ),
    "PNG named jpg": ("really_a_png.jpg", _bytes(lambda: encoded("PNG"))),
    "capital extension": ("CAMERA.JPG", _bytes(lambda: encoded("JPEG"))),
    "name in other scripts": ("良性_доброкачественный_حميد_ü.png", _bytes(lambda: encoded("PNG"))),
    "very long name": (_LONG.replace("an image", "a picture")[:240] + ".jpg", _bytes(lambda: encoded("JPEG"))),
    "name with control characters": ("a\nb\x07.png", _bytes(lambda: encoded("PNG"))),
    "name with a leading dash": ("-o.jpg", _bytes(lambda: encoded("JPEG"))),
    "name full of syntax": ("a;b, \"c\" '$(d)' <e> [f]*.jpg", _bytes(lambda: encoded("JPEG"))),
}
if sys.platform != "win32":
    GOOD |= {
        "name that is no text": (os.fsdecode(b"fa\xdf.jpg"), _bytes(lambda: encoded("JPEG"))),
        "link": ("link.jpg", lambda path: _linked(path)),
    }


def _linked(path: Path) -> None:
    target = path.with_name("CAMERA.JPG")
    target.write_bytes(encoded("JPEG"))
    path.symlink_to(target.name)


def write_bad_inputs(folder: Path) -> dict[str, Path]:
    """Write every kind of bad input into an existing folder: kind to path."""
    return _write_all(BAD, folder)


def write_unusual_good_inputs(folder: Path) -> dict[str, Path]:
    """Write every kind of odd but fine input into an existing folder: kind to path.

    All of them show the synthetic lesion at 160 × 120 pixels.
    """
    return _write_all(GOOD, folder)


def _write_all(table: dict[str, tuple[str, Maker]], folder: Path) -> dict[str, Path]:
    paths = {}
    for kind, (name, make) in table.items():
        paths[kind] = folder / name
        make(paths[kind])
    return paths
