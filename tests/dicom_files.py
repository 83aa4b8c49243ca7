"""DICOM files of a patient who does not exist, written by code: each kind of object, colour model and compression."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid

from tests.images.files import picture

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
TRUE_COLOUR = "1.2.840.10008.5.1.4.1.1.7.4"
PHOTOGRAPH = "1.2.840.10008.5.1.4.1.1.77.1.4"
DERMOSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.7"

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
RLE = "1.2.840.10008.1.2.5"

SECRETS: Mapping[str, str] = MappingProxyType(
    {
        "PatientName": "Zwetschkenbaum^Xaverine",
        "PatientID": "PID-7741903",
        "PatientBirthDate": "19370311",
        "OtherPatientIDs": "OTHER-5528",
        "PatientAddress": "Quittengasse 77",
        "InstitutionName": "Spital Oberwiesenfeld",
        "ReferringPhysicianName": "Kraxenhuber^Alois",
        "AccessionNumber": "ACC903311",
        "StudyID": "ST4471",
        "DeviceSerialNumber": "SN-55-1290",
        "ImageComments": "Muttermal der Schwester",
    }
)
"""What identifies the patient, and is found nowhere else by chance."""

PRIVATE_SECRET = "privatgeheimnis-8812"


def data_set(sop_class: str = DERMOSCOPIC, syntax: str = EXPLICIT) -> Dataset:
    """A data set with everything but pixels."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.SOPClassUID = UID(sop_class)
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = generate_uid()
    ds.SeriesInstanceUID = generate_uid()
    ds.Modality = {SECONDARY_CAPTURE: "OT", TRUE_COLOUR: "OT", DERMOSCOPIC: "DMS"}.get(sop_class, "XC")
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.StudyDate, ds.StudyTime = "20240229", "101112"
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    ds.PatientSex = "F"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    for keyword, value in SECRETS.items():
        setattr(ds, keyword, value)
    block = ds.private_block(0x0011, "SECRET MAKER 1.0", create=True)
    block.add_new(0x01, "LO", PRIVATE_SECRET)
    return ds


def with_pixels(
    ds: Dataset, frames: Sequence[NDArray[Any]], photometric: str = "RGB", *, bits_stored: int = 0, planar: int = 0
) -> Dataset:
    """The data set with native pixels: frames `[rows, columns]` or `[rows, columns, 3]`, 8 or 16 bits."""
    array = np.stack(frames)
    depth = 8 * array.dtype.itemsize
    ds.Rows, ds.Columns = array.shape[1:3]
    ds.SamplesPerPixel = 1 if array.ndim == 3 else array.shape[3]
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated, ds.BitsStored = depth, bits_stored or depth
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    if len(frames) > 1 or ds.SOPClassUID == TRUE_COLOUR:
        ds.NumberOfFrames = len(frames)
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = planar
        array = array.transpose(0, 3, 1, 2) if planar else array
    content = array.tobytes()
    ds.PixelData = content + b"\0" * (len(content) % 2)
    ds["PixelData"].VR = "OW" if depth == 16 else "OB"
    return ds


def with_codestreams(ds: Dataset, streams: Sequence[bytes], photometric: str, shape: tuple[int, ...]) -> Dataset:
    """The data set with compressed frames of 8 bits: `shape` is rows and columns, then 3 for colours."""
    ds.Rows, ds.Columns = shape[:2]
    ds.SamplesPerPixel = 3 if len(shape) == 3 else 1
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = 0
    if len(streams) > 1:
        ds.NumberOfFrames = len(streams)
    ds.PixelData = encapsulate(list(streams))
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds


def saved(ds: Dataset, *, is_valid: bool = True) -> bytes:
    """The file of a data set; one that is not valid is written as it is."""
    stream = io.BytesIO()
    ds.preamble = bytes(128)
    ds.save_as(stream, enforce_file_format=is_valid)
    return stream.getvalue()


def dicom(pixels: NDArray[np.uint8] | None = None, syntax: str = EXPLICIT, sop_class: str = DERMOSCOPIC) -> bytes:
    """The synthetic lesion, or other RGB or grey pixels, in one transfer syntax."""
    return saved(dicom_data_set(picture() if pixels is None else pixels, syntax, sop_class))


def dicom_data_set(pixels: NDArray[np.uint8], syntax: str = EXPLICIT, sop_class: str = DERMOSCOPIC) -> Dataset:
    """As `dicom`, not saved yet."""
    ds = data_set(sop_class, syntax)
    grey = "MONOCHROME2" if pixels.ndim == 2 else ""
    match syntax:
        case "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51":
            return with_codestreams(ds, [jpeg(pixels)], grey or "YBR_FULL_422", pixels.shape)
        case "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70":
            return with_codestreams(ds, [lossless_jpeg(pixels)], grey or "RGB", pixels.shape)
        case "1.2.840.10008.1.2.4.90":
            return with_codestreams(ds, [jpeg_2000(pixels)], grey or "YBR_RCT", pixels.shape)
        case "1.2.840.10008.1.2.4.91":
            return with_codestreams(ds, [jpeg_2000(pixels, lossy=True)], grey or "YBR_ICT", pixels.shape)
        case "1.2.840.10008.1.2" | "1.2.840.10008.1.2.1":
            return with_pixels(ds, [pixels], grey or "RGB")
        case _:
            ds.file_meta.TransferSyntaxUID = UID(EXPLICIT)
            with_pixels(ds, [pixels], grey or "RGB")
            if syntax == JPEG_LS_NEAR:
                ds.compress(UID(syntax), generate_instance_uid=False, jls_error=1)
            else:
                ds.compress(UID(syntax), generate_instance_uid=False)
            return ds


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def jpeg_2000(pixels: NDArray[Any], *, lossy: bool = False, multiple_components: bool = True) -> bytes:
    stream = io.BytesIO()
    options = {"irreversible": True, "quality_mode": "dB", "quality_layers": [45]} if lossy else {}
    image = Image.fromarray(pixels)
    image.save(stream, "JPEG2000", no_jp2=True, mct=int(multiple_components and pixels.ndim == 3), **options)
    return stream.getvalue()


def lossless_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """Process 14, selection value 1 (ITU-T T.81, annex H), with one table in which every category has 5 bits."""
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    rows, columns, samples = planes.shape
    values = planes.astype(int)
    predicted = np.zeros_like(values)
    predicted[:, 1:] = values[:, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 128
    bits = []
    for difference in (values - predicted).ravel():
        category = int(abs(difference)).bit_length()
        bits.append(f"{category:05b}")
        if category:
            bits.append(f"{difference if difference > 0 else difference + (1 << category) - 1:0{category}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    coded = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11]) + bytes(range(17))
    frame = struct.pack(">BHHB", 8, rows, columns, samples) + b"".join(bytes([c + 1, 17, 0]) for c in range(samples))
    scan = bytes([samples]) + b"".join(bytes([c + 1, 0]) for c in range(samples)) + bytes([1, 0, 0])
    segments = ((0xC3, frame), (0xC4, table), (0xDA, scan))
    body = b"".join(bytes([255, kind]) + struct.pack(">H", len(content) + 2) + content for kind, content in segments)
    return b"\xff\xd8" + body + coded + b"\xff\xd9"
