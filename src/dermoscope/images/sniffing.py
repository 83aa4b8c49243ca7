"""What a file is, by its first bytes alone; its name and extension are never asked."""

from __future__ import annotations

import re
import struct

READABLE = ("DICOM", "JPEG", "PNG", "WEBP", "TIFF", "BMP")
"""The formats that are decoded. A photograph needs no other, and every further parser is one more to attack."""

_SIGNATURES = (
    # First: the 128 bytes before the mark are free, and a file may be made to look like another format there.
    ("DICOM", re.compile(rb".{128}DICM", re.DOTALL)),
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("WEBP", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("TIFF", re.compile(rb"II\*\0|MM\0\*|II\+\0\x08\0\0\0|MM\0\+\0\x08\0\0")),
    # Two letters alone would claim any text that starts with BM, so the size of the header behind them counts too.
    ("BMP", re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)),
)
# What people hand over by mistake, under the name they know it by.
_REFUSED = (
    ("a GIF", re.compile(rb"GIF8[79]a")),
    ("a HEIC image", re.compile(rb".{4}ftyp(?:heic|heix|heim|heis|hevc|hevx|mif1|msf1)", re.DOTALL)),
    ("an AVIF image", re.compile(rb".{4}ftypavi[fs]", re.DOTALL)),
    ("a video", re.compile(rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI ", re.DOTALL)),
    # Its first element is one of the file meta group or of group 8, with a VR or with a length below 64 kB.
    (
        "a DICOM data set without the preamble of a file",
        re.compile(rb"[\x02\x08]\0[\0-\x20]\0(?:[A-Z]{2}|..\0\0)", re.DOTALL),
    ),
    ("a JPEG 2000 image", re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51")),
    ("a JPEG XL image", re.compile(rb"\xff\x0a|\0\0\0\x0cJXL ")),
    ("a Photoshop document", re.compile(rb"8BPS")),
    ("a PDF document", re.compile(rb"%PDF-")),
    ("a PostScript document", re.compile(rb"%!PS|\xc5\xd0\xd3\xc6")),
    ("a web page", re.compile(rb"\s*<[^\0]{0,512}?(?:!doctype\s+html|\bhtml\b)", re.IGNORECASE)),
    ("an SVG drawing", re.compile(rb"\s*<[^\0]*?\bsvg\b")),
    ("a ZIP archive", re.compile(rb"PK(?:\x03\x04|\x05\x06)")),
    ("a compressed archive", re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ\0|7z\xbc\xaf|\x28\xb5\x2f\xfd|Rar!")),
    ("an icon", re.compile(rb"\0\0[\x01\x02]\0")),
    ("text", re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\r\x20-\x7e]{8,}\Z")),
)
_HEAD = 1024

# Fill bytes, stuffed zeros and restart markers are part of the coded data, not segments.
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_JPEG_LS_FRAME = 0xF7


def readable_format(data: bytes) -> str | None:
    """The name of the readable format that the data claims to be in, or none."""
    head = data[:_HEAD]
    return next((name for name, signature in _SIGNATURES if signature.match(head)), None)


def describe_unreadable(data: bytes) -> str:
    """Why data that is in no readable format is refused, naming what it seems to be."""
    head = data[:_HEAD]
    found = next((name for name, signature in _REFUSED if signature.match(head)), "not an image in a known format")
    return f"is {found}; JPEG, PNG, WebP, TIFF, BMP and DICOM are read"


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Canvas width and height from a WebP header, or none if it is malformed.

    Reference: RFC 9649, WebP Image Format, sections 2.5 to 2.7.
    """
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return None


def jpeg_scans(data: bytes) -> int:
    """How many scans the first image of a JPEG file has: 1 if sequential, about 10 if progressive.

    Previews inside metadata segments and images behind the first are not counted.
    """
    scans = 0
    position = 2
    while marker := _JPEG_MARKER.search(data, position):
        kind = marker[1][0]
        if kind == _END_OF_IMAGE:
            break
        scans += kind == _START_OF_SCAN
        position = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2], "big"))
    return scans


def jpeg_ls_shape(data: bytes) -> tuple[int, int, int] | None:
    """Height, width and components from a JPEG-LS header, or none if it has none before its first scan.

    Reference: ITU-T T.87, C.2.2.
    """
    position = 2
    while marker := _JPEG_MARKER.match(data, position):
        kind, position = marker[1][0], marker.end()
        if kind == _JPEG_LS_FRAME and len(data) >= position + 8:
            height, width = struct.unpack_from(">HH", data, position + 3)
            return height, width, data[position + 7]
        if kind in (_START_OF_SCAN, _END_OF_IMAGE):
            break
        position += max(2, int.from_bytes(data[position : position + 2], "big"))
    return None
