"""One frame of a DICOM file as a Pillow image: RGB, YCbCr or grey, 8 bits, nothing of it but its colours.

What is compressed is decoded only if its own header agrees with that of the file, which was checked before: a small
image cannot unfold into a large one.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile

from dermoscope.images import sniffing
from dermoscope.images.dicom_header import JPEG, JPEG_2000, JPEG_LOSSLESS, JPEG_LS, NATIVE, RLE, DicomHeader
from dermoscope.images.limits import RefusedError
from dermoscope.images.quiet import quiet_readers

MOST_JPEG_SCANS = 100
"""Every progressive scan walks over all pixels again, and a scan can be a few bytes long: without a limit, a file of
10 MB keeps a decoder busy for hours. Encoders write about 10."""

_OTHER_SIZE = "is damaged: its compressed pixels do not have the size that its header claims"
_END_OF_IMAGE = b"\xff\xd9"
_RLE_HEADER = struct.Struct("<16L")
_MODES = {1: ("L", "I;16"), 3: ("RGB",)}


def frame_picture(data: bytes, header: DicomHeader, number: int) -> Image.Image:
    """One frame, decoded, with the file's colour profile.

    Args:
        data: Content of the file.
        header: Its header.
        number: Which frame, from 1.

    Returns:
        An image of mode `RGB`, `YCbCr` or `L`.

    Raises:
        RefusedError: If there is no such frame, or it does not agree with the header.
        Exception: Whatever the decoders raise on damaged data.
    """
    if not 1 <= number <= header.frames:
        has = "1 frame" if header.frames == 1 else f"{header.frames:,} frames"
        raise RefusedError(f"has {has}; there is no frame {number:,}")
    with quiet_readers():
        stored = _stored_frame(data, header, number - 1)
    if header.transfer_syntax in (*JPEG, *JPEG_2000):
        picture = _from_pillow(bytes(stored), header)
    elif header.transfer_syntax in RLE:
        picture = _from_samples(_from_rle(stored, header), header)
    elif header.transfer_syntax in JPEG_LS:
        picture = _from_samples(_from_jpeg_ls(bytes(stored), header), header)
    else:
        picture = _from_samples(_from_native(stored, header), header)
    picture.info = {"icc_profile": header.profile()}
    return picture


def _stored_frame(data: bytes, header: DicomHeader, index: int) -> bytes | memoryview:
    if header.transfer_syntax in NATIVE:
        first = header.start + index * header.frame_bytes
        return memoryview(data)[first : first + header.frame_bytes]
    from pydicom.encaps import get_frame

    stream = io.BytesIO(data)
    stream.seek(header.start)
    tables = tuple(header.attributes.get(f"ExtendedOffsetTable{part}") for part in ("", "Lengths"))
    offsets = (tables[0], tables[1]) if all(isinstance(table, bytes) and table for table in tables) else None
    return get_frame(stream, index, extended_offsets=offsets, number_of_frames=header.frames)


def _from_native(stored: bytes | memoryview, header: DicomHeader) -> NDArray[Any]:
    shape = (header.rows, header.columns)
    samples = np.frombuffer(stored, f"<u{header.bits_allocated // 8}")
    if header.photometric == "YBR_FULL_422":
        # Two of brightness, then the blue and the red of both (PS3.3, C.7.6.3.1.2).
        pairs = samples.reshape(-1, 4)
        colours = np.repeat(pairs[:, None, 2:], 2, axis=1)
        return np.concatenate([pairs[:, :2, None], colours], axis=2).reshape(*shape, 3)
    if header.samples == 1:
        return samples.reshape(shape)
    return samples.reshape(3, *shape).transpose(1, 2, 0) if header.planar else samples.reshape(*shape, 3)


def _from_jpeg_ls(stored: bytes, header: DicomHeader) -> NDArray[Any]:
    import jpeg_ls  # type: ignore[import-untyped]

    shape = (header.rows, header.columns, header.samples)
    if sniffing.jpeg_ls_shape(stored) != shape:
        raise RefusedError(_OTHER_SIZE)
    if not stored.rstrip(b"\0").endswith(_END_OF_IMAGE):
        raise RefusedError("is cut short: the DICOM data ends too early")  # the decoder would look for the end for long
    content, found = jpeg_ls.decode_pixel_data(stored)
    samples = np.frombuffer(content, "<u2" if found["bits_per_sample"] > 8 else "u1")
    if found["interleave_mode"] == 0:  # plane by plane
        samples = samples.reshape(shape[2], *shape[:2]).transpose(1, 2, 0)
    return samples.reshape(shape)[..., 0] if header.samples == 1 else samples.reshape(shape)


def _from_rle(stored: bytes | memoryview, header: DicomHeader) -> NDArray[Any]:
    """Byte planes, most significant first, each packed by itself (PS3.5, annex G)."""
    depth = header.bits_allocated // 8
    count, *starts = _RLE_HEADER.unpack_from(stored)
    if count != header.samples * depth:
        raise RefusedError(_OTHER_SIZE)
    ends = [*starts[1:count], len(stored)]
    # As one long row, because some encoders let a run go on into the next row.
    size = (header.rows * header.columns, 1)
    planes = [
        np.asarray(Image.frombytes("L", size, bytes(stored[start:end]), "packbits", "L"))
        for start, end in zip(starts[:count], ends, strict=True)
    ]
    dtype = np.dtype(f"u{depth}")
    samples = np.zeros((header.rows, header.columns, header.samples), dtype)
    for number, plane in enumerate(planes):
        channel, byte = divmod(number, depth)
        samples[..., channel] |= plane.reshape(header.rows, header.columns).astype(dtype) << 8 * (depth - 1 - byte)
    return samples[..., 0] if header.samples == 1 else samples


def _from_samples(samples: NDArray[Any], header: DicomHeader) -> Image.Image:
    if header.photometric == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        colours = apply_color_lut(samples, header.attributes)
        return Image.fromarray(_to_8_bit(colours, 8 * colours.dtype.itemsize))
    eight = _to_8_bit(samples, header.bits_stored)
    if header.photometric.startswith("MONOCHROME"):
        return Image.fromarray(255 - eight if header.photometric == "MONOCHROME1" else eight)
    return Image.fromarray(eight, "YCbCr" if header.photometric.startswith("YBR_FULL") else "RGB")


def _to_8_bit(samples: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """The 8 most significant bits, or fewer bits spread over the range of 8."""
    highest = (1 << bits) - 1
    if bits < 8:
        return np.asarray(np.minimum(samples, highest).astype(np.uint16) * 255 // highest, np.uint8)
    return np.ascontiguousarray((samples & highest) >> bits - 8 if bits > 8 else samples, np.uint8)


def _from_pillow(stored: bytes, header: DicomHeader) -> Image.Image:
    is_jpeg = header.transfer_syntax in JPEG
    if is_jpeg and (scans := sniffing.jpeg_scans(stored)) > MOST_JPEG_SCANS:
        raise RefusedError(f"has {scans:,} scans, as only files made to stall a decoder do")
    image: ImageFile.ImageFile = (JpegImageFile if is_jpeg else Jpeg2KImageFile)(io.BytesIO(stored))
    if image.size != (header.columns, header.rows) or image.mode not in _MODES[header.samples]:
        raise RefusedError(_OTHER_SIZE)
    untouched = not is_jpeg or header.transfer_syntax in JPEG_LOSSLESS
    if isinstance(image, JpegImageFile) and not untouched and header.photometric == "RGB" and _says_nothing(image):
        # Pillow takes a JPEG that says nothing for YCbCr; asked for YCbCr, it hands on what it finds.
        image.draft("YCbCr", image.size)
        untouched = True
    image.load()
    if header.samples == 1:
        # JPEG 2000 comes spread over 8 or 16 bits.
        spread = (16 if image.mode == "I;16" else 8) - header.bits_stored
        if spread < 0 or (is_jpeg and spread):
            raise RefusedError("is damaged: its compressed pixels do not have the depth that its header claims")
        return _from_samples(np.asarray(image) >> spread, header)
    mode = "YCbCr" if untouched and header.photometric.startswith("YBR_FULL") else "RGB"
    return image if mode == image.mode else Image.frombytes(mode, image.size, image.tobytes())


def _says_nothing(image: JpegImageFile) -> bool:
    """Whether a JPEG of three components has no mark of its colour model, neither a segment nor the letters R, G, B."""
    return not {"jfif", "adobe"} & image.info.keys() and [layer[0] for layer in image.layer] != list(b"RGB")
