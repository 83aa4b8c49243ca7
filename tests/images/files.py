"""Image files, whole and broken, made by code."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 160, 120


def picture(width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """A synthetic lesion: a brown ellipse on pink ground with some texture, shape (height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    inside = ((x - 0.5 * width) / (0.28 * width)) ** 2 + ((y - 0.45 * height) / (0.3 * height)) ** 2 < 1
    texture = np.random.default_rng(7).normal(0, 6, (height, width, 1))
    colours = np.where(inside[..., None], (112, 70, 52), (222, 170, 150)) + texture
    return colours.clip(0, 255).astype(np.uint8)


def encoded(image_format: str, pixels: NDArray[np.uint8] | None = None, mode: str = "", **options: Any) -> bytes:
    """The synthetic lesion, or other pixels, as a file."""
    image = Image.fromarray(picture() if pixels is None else pixels)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, image_format, **options)
    return stream.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with(chunk: bytes) -> bytes:
    """A whole PNG with one more chunk right behind its header."""
    data = encoded("PNG")
    return data[:33] + chunk + data[33:]


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds hardly any pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")


def bmp(width: int, height: int, content: bytes = b"") -> bytes:
    """A 24-bit BMP with the given header."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(content), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(content), 0, 0, 54) + header + content


def tiff(tags: Mapping[int, tuple[int, int, int]], content: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory; tags are number: (type, count, value), and content starts at 8."""
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", number, kind, count, value) for number, (kind, count, value) in sorted(tags.items())
    )
    return b"II*\0" + struct.pack("<I", 8 + len(content)) + content + directory + struct.pack("<I", 0)


def grey_tiff(width: int, height: int, content: bytes, **changes: int) -> bytes:
    """An uncompressed grey TIFF in one strip; `t258=16` sets tag 258 to 16."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: len(content)}
    tags |= {int(name[1:]): value for name, value in changes.items()}
    return tiff({number: (4, 1, value) for number, value in tags.items()}, content)


def webp_canvas(width: int, height: int) -> bytes:
    """An extended WebP that claims a canvas and holds nothing."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_with_size(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size than its data has."""
    data = bytearray(encoded("JPEG"))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_with_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated until there are `count`."""
    data = encoded("JPEG", progressive=True)
    starts = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    last = data[starts[-1] : -2]
    return data[:-2] + last * (count - len(starts)) + data[-2:]


def jpeg_with_segment(marker: int, content: bytes) -> bytes:
    """A whole JPEG with one more metadata segment at its start."""
    data = encoded("JPEG")
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + data[2:]


def frames(image_format: str, **options: Any) -> bytes:
    """The synthetic lesion and its mirror image as two frames of one file."""
    first, second = Image.fromarray(picture()), Image.fromarray(picture()[::-1])
    stream = io.BytesIO()
    first.save(stream, image_format, save_all=True, append_images=[second], **options)
    return stream.getvalue()


def by_opencv(extension: str, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Pixels as a file that OpenCV writes, which knows 16 bits a channel; colours in blue, green, red order."""
    written, data = cv2.imencode(extension, pixels)
    assert written
    return data.tobytes()


def grey16() -> NDArray[np.uint16]:
    """The green channel of the synthetic lesion in 16 bits."""
    grey: NDArray[np.uint16] = picture()[..., 1].astype(np.uint16) * 257
    return grey


def with_alpha() -> NDArray[np.uint8]:
    """The synthetic lesion, transparent at its left side and opaque at its right, shape (height, width, 4)."""
    ramp = np.broadcast_to(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, WIDTH))
    return np.dstack([picture(), ramp])


WHOLE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
