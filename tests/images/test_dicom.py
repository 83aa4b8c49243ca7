"""DICOM files come in: every kind and compression that is on the list, and nothing else."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, get_frame
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID

from dermoscope.images import ImageError, decode
from dermoscope.images.dicom_header import MOST_FRAMES
from tests import dicom_files as made
from tests.dicom_files import data_set, dicom, dicom_data_set, saved, with_codestreams, with_pixels
from tests.images.files import HEIGHT, WIDTH, encoded, jpeg_with_scans, picture
from tests.images.test_colour import SWAPPED

LOSSLESS = (
    made.IMPLICIT,
    made.EXPLICIT,
    made.JPEG_LOSSLESS,
    made.JPEG_LOSSLESS_SV1,
    made.JPEG_LS,
    made.JPEG_2000_LOSSLESS,
    made.RLE,
)
CLASSES = (made.SECONDARY_CAPTURE, made.TRUE_COLOUR, made.PHOTOGRAPH, made.DERMOSCOPIC)


def grey() -> NDArray[np.uint8]:
    return np.ascontiguousarray(picture()[..., 1])


def as_rgb(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(values[..., None], 3, axis=2)


def refused(content: bytes, said: str, **options: int) -> None:
    with pytest.raises(ImageError) as caught:
        decode(content, name="scan.dcm", **options)
    assert said in caught.value.reason
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("sop_class", CLASSES)
def test_lossless_files_give_the_very_pixels(sop_class: str, syntax: str) -> None:
    image = decode(dicom(syntax=syntax, sop_class=sop_class))
    assert np.array_equal(image.rgb, decode(encoded("PNG")).rgb)
    assert (image.width, image.height, image.format, image.reduction) == (WIDTH, HEIGHT, "DICOM", 1)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_grey_files(syntax: str) -> None:
    assert np.array_equal(decode(dicom(grey(), syntax)).rgb, as_rgb(grey()))


@pytest.mark.parametrize("syntax", [made.JPEG_BASELINE, made.JPEG_EXTENDED])
def test_jpeg_inside_is_what_the_jpeg_is(syntax: str) -> None:
    assert np.array_equal(decode(dicom(syntax=syntax)).rgb, decode(made.jpeg(picture())).rgb)


@pytest.mark.parametrize(("syntax", "most"), [(made.JPEG_LS_NEAR, 1), (made.JPEG_2000, 12)])
def test_lossy_files_are_close(syntax: str, most: int) -> None:
    assert np.abs(decode(dicom(syntax=syntax)).rgb.astype(int) - picture()).max() <= most


def test_planes_one_after_the_other() -> None:
    assert np.array_equal(decode(saved(with_pixels(data_set(), [picture()], planar=1))).rgb, picture())


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.JPEG_2000_LOSSLESS])
def test_ybr_full(syntax: str) -> None:
    ybr = np.asarray(Image.fromarray(picture()).convert("YCbCr"))
    ds = data_set(syntax=syntax)
    if syntax == made.EXPLICIT:
        with_pixels(ds, [ybr], "YBR_FULL")
    else:
        with_codestreams(ds, [made.jpeg_2000(ybr, multiple_components=False)], "YBR_FULL", ybr.shape)
    assert np.abs(decode(saved(ds)).rgb.astype(int) - picture()).max() <= 3


def test_ybr_full_422() -> None:
    flat = np.repeat(picture()[:, ::2], 2, axis=1)
    ybr = np.asarray(Image.fromarray(flat).convert("YCbCr"))
    pairs = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], axis=-1)
    ds = with_pixels(data_set(), [ybr], "YBR_FULL_422")
    ds.PixelData = pairs.tobytes()
    assert np.abs(decode(saved(ds)).rgb.astype(int) - flat).max() <= 3


def test_monochrome1_is_inverted() -> None:
    assert np.array_equal(decode(saved(with_pixels(data_set(), [255 - grey()], "MONOCHROME1"))).rgb, as_rgb(grey()))


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.RLE, made.JPEG_LS, made.JPEG_2000_LOSSLESS])
@pytest.mark.parametrize("bits", [12, 16])
def test_deep_grey_keeps_its_highest_bits(bits: int, syntax: str) -> None:
    deep = grey().astype(np.uint16) << bits - 8
    ds = with_pixels(data_set(), [deep], "MONOCHROME2", bits_stored=bits)
    if syntax == made.JPEG_2000_LOSSLESS:
        if bits == 12:
            pytest.skip("Pillow writes 16 bits only")
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        ds.PixelData = encapsulate([made.jpeg_2000(deep)])
    elif syntax != made.EXPLICIT:
        ds.compress(UID(syntax), generate_instance_uid=False)
    assert np.array_equal(decode(saved(ds)).rgb, as_rgb(grey()))


@pytest.mark.parametrize(("syntax", "planar"), [(made.EXPLICIT, 0), (made.EXPLICIT, 1), (made.RLE, 0)])
def test_deep_colours(planar: int, syntax: str) -> None:
    ds = with_pixels(data_set(), [picture().astype(np.uint16) << 8], planar=planar)
    if syntax == made.RLE:
        ds.compress(UID(syntax), generate_instance_uid=False)
    assert np.array_equal(decode(saved(ds)).rgb, picture())


def test_few_bits_are_spread() -> None:
    ds = with_pixels(data_set(), [grey() >> 4], "MONOCHROME2", bits_stored=4)
    assert np.array_equal(decode(saved(ds)).rgb[..., 0], (grey() >> 4) * 17)


@pytest.mark.parametrize("depth", [8, 16])
def test_palettes(depth: int) -> None:
    indexed = Image.fromarray(picture()).quantize(64)
    palette = np.asarray(indexed.getpalette()).reshape(-1, 3)
    ds = with_pixels(data_set(), [np.asarray(indexed)], "PALETTE COLOR")
    for name, channel in zip(("Red", "Green", "Blue"), palette.T, strict=True):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [len(channel), 0, depth])
        values = channel.astype(np.uint8) if depth == 8 else channel.astype(np.uint16) << 8
        setattr(ds, f"{name}PaletteColorLookupTableData", values.tobytes())
    assert np.array_equal(decode(saved(ds)).rgb, np.asarray(indexed.convert("RGB")))
    del ds.BluePaletteColorLookupTableData
    refused(saved(ds), "is damaged")


def test_a_profile_changes_the_colours_as_in_a_png() -> None:
    ds = dicom_data_set(picture())
    ds.ICCProfile = SWAPPED
    assert np.array_equal(decode(saved(ds)).rgb, decode(encoded("PNG", icc_profile=SWAPPED)).rgb)
    assert not np.array_equal(decode(saved(ds)).rgb, picture())


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.JPEG_LS, made.RLE, made.JPEG_2000_LOSSLESS])
@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_the_frame_that_was_asked_for(syntax: str, table: str) -> None:
    frames = [np.roll(picture(), shift, axis=1) for shift in (0, 30, 60)]
    ds = with_pixels(data_set(made.TRUE_COLOUR), frames)
    if syntax != made.EXPLICIT:
        streams = [_codestream(frame, syntax) for frame in frames]
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        ds.PhotometricInterpretation = "YBR_RCT" if syntax == made.JPEG_2000_LOSSLESS else "RGB"
        ds.PixelData = encapsulate(streams, has_bot=table == "basic")
        if table == "extended":
            ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(streams)
    content = saved(ds)
    for number, frame in enumerate(frames, 1):
        image = decode(content, frame=number)
        assert np.array_equal(image.rgb, frame)
        assert image.notes == (f"frame {number} of 3 was used",)
    assert np.array_equal(decode(content).rgb, frames[0])
    for number in (-1, 0, 4):
        refused(content, f"has 3 frames; there is no frame {number}", frame=number)


def _codestream(frame: NDArray[np.uint8], syntax: str) -> bytes:
    return get_frame(dicom_data_set(frame, syntax).PixelData, 0, number_of_frames=1)


def test_other_files_have_one_frame() -> None:
    with pytest.raises(ImageError, match="has 1 frame; there is no frame 2"):
        decode(encoded("PNG"), frame=2)
    refused(dicom(), "has 1 frame; there is no frame 2", frame=2)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"PixelSpacing": [0.02, 0.03]}, (0.02, 0.03)),
        ({"ImagerPixelSpacing": [0.5, 0.25]}, (0.5, 0.25)),
        ({"NominalScannedPixelSpacing": [0.1, 0.1]}, (0.1, 0.1)),
        ({"ImagerPixelSpacing": [0.5, 0.25], "PixelSpacing": [0.02, 0.03]}, (0.02, 0.03)),
        ({"PixelSpacing": [0, 0.03], "ImagerPixelSpacing": [0.5, 0.25]}, (0.5, 0.25)),
        ({"PixelSpacing": [-1, 1]}, None),
        ({"PixelSpacing": [0.1]}, None),
        ({"PixelSpacing": None}, None),
        ({}, None),
    ],
)
def test_spacing_in_millimetres(attributes: dict[str, object], expected: tuple[float, float] | None) -> None:
    ds = dicom_data_set(picture())
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    assert decode(saved(ds)).spacing_mm == expected


def test_rgb_jpeg_without_a_mark_is_taken_at_the_header_s_word() -> None:
    stream = io.BytesIO()
    Image.fromarray(picture()).save(stream, "JPEG", quality=98, keep_rgb=True, subsampling=0)
    letters = stream.getvalue()
    numbers = bytearray(letters)
    frame, scan = letters.index(b"\xff\xc0") + 10, letters.index(b"\xff\xda") + 5
    for component in range(3):
        numbers[frame + 3 * component] = numbers[scan + 2 * component] = component + 1
    for codestream in (letters, bytes(numbers)):
        ds = with_codestreams(data_set(syntax=made.JPEG_BASELINE), [codestream], "RGB", picture().shape)
        assert np.abs(decode(saved(ds)).rgb.astype(int) - picture()).max() <= 8


def test_a_mark_inside_the_jpeg_wins_over_a_wrong_header() -> None:
    ds = with_codestreams(data_set(syntax=made.JPEG_BASELINE), [made.jpeg(picture())], "RGB", picture().shape)
    assert np.array_equal(decode(saved(ds)).rgb, decode(made.jpeg(picture())).rgb)


def test_metadata_of_the_jpeg_inside_do_not_turn_the_picture() -> None:
    exif = Image.Exif()
    exif[274] = 6
    stream = encoded("JPEG", exif=exif.tobytes())
    ds = with_codestreams(data_set(syntax=made.JPEG_BASELINE), [stream], "YBR_FULL_422", picture().shape)
    assert decode(saved(ds)).rgb.shape == picture().shape


@pytest.mark.parametrize("front", [b"II*\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"MZ", b"%PDF-1.7"])
def test_what_stands_before_the_mark_is_ignored(front: bytes) -> None:
    content = front + dicom()[len(front) :]
    assert np.array_equal(decode(content).rgb, picture())


def test_without_a_preamble_it_is_refused_with_a_reason() -> None:
    content = dicom()
    refused(content[132:], "is a DICOM data set without the preamble of a file; ")
    without_meta = content[content.index(b"\x08\0\x05\0CS") :]
    refused(without_meta, "is a DICOM data set without the preamble of a file; ")


@pytest.mark.parametrize("name", ["DICOMDIR", "dicomdir", "DICOMDIR.dcm"])
def test_a_dicomdir_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(dicom())
    with pytest.raises(ImageError, match="is a DICOMDIR, a list of other files; name the image files instead"):
        decode(path)


def test_a_dicomdir_is_refused_by_its_content() -> None:
    ds = data_set("1.2.840.10008.1.3.10")
    record = Dataset()
    record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", ["IMAGES", "SECRET"]
    ds.DirectoryRecordSequence = Sequence([record])
    content = saved(ds)
    refused(content, "is a DICOMDIR, a list of other files")
    refused(content.replace(b"1.2.840.10008.1.3.10", made.SECONDARY_CAPTURE.encode()[:20], 1), "is a DICOM")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "is a DICOM file of another kind (1.2.840.10008.5.1.4.1.1.2)"),
        ({"SOPClassUID": ""}, "is a DICOM file of another kind (none)"),
        ({"Rows": 0}, "has no pixels"),
        ({"Rows": 65535, "Columns": 65535}, "is too large: 65,535 × 65,535 pixels"),
        ({"Rows": 8}, "is too small"),
        ({"Rows": 60_000}, "is cut short"),
        ({"Rows": None}, "is damaged: it has no Rows"),
        ({"Rows": [120, 160]}, "is damaged: its Rows is no number"),
        ({"NumberOfFrames": 2}, "is cut short"),
        ({"NumberOfFrames": MOST_FRAMES}, "is cut short"),
        ({"NumberOfFrames": 2**31 - 1}, "claims 2,147,483,647 frames; the limit is 10,000"),
        ({"NumberOfFrames": -1}, "claims -1 frames"),
        ({"PhotometricInterpretation": "CMYK"}, "has a colour model that is not read"),
        ({"PhotometricInterpretation": "MONOCHROME2"}, "has a colour model that is not read"),
        ({"SamplesPerPixel": 4}, "has a colour model that is not read"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "stores 32 bits in 32 for each sample"),
        ({"BitsAllocated": 1, "BitsStored": 1}, "stores 1 bits in 1 for each sample"),
        ({"BitsStored": 9}, "stores 9 bits in 8 for each sample"),
        ({"HighBit": 3}, "signed or shifted"),
        ({"PixelRepresentation": 1}, "signed or shifted"),
    ],
)
def test_headers_that_are_refused(change: dict[str, object], said: str) -> None:
    ds = dicom_data_set(picture())
    for keyword, value in change.items():
        setattr(ds, keyword, value)
    refused(saved(ds, is_valid=False), said)


@pytest.mark.parametrize(
    ("syntax", "shown"),
    [
        ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.2"),  # big endian
        ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.1.99"),  # deflated
        ("1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.102"),  # MPEG-4
        ("Zwetschkenbaum", "none"),
    ],
)
def test_transfer_syntaxes_that_are_refused(syntax: str, shown: str) -> None:
    refused(_with_syntax(dicom(), syntax), f"(transfer syntax {shown})")


def _with_syntax(content: bytes, syntax: str) -> bytes:
    """The file with another transfer syntax in its header, and the same bytes behind."""
    old = b"\x02\0\x10\0UI" + struct.pack("<H", 20) + b"1.2.840.10008.1.2.1\0"
    assert old in content
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    return content.replace(old, b"\x02\0\x10\0UI" + struct.pack("<H", len(value)) + value, 1)


def test_a_deflated_bomb_is_never_unfolded() -> None:
    head, _, _ = _with_syntax(dicom(), "1.2.840.10008.1.2.1.99").partition(b"\x08\0\x05\0")
    packer = zlib.compressobj(wbits=-15)
    bomb = packer.compress(bytes(2**25)) + packer.flush()
    refused(head + bomb, "stores its pixels in a way that is not read")


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_truncated_files(syntax: str) -> None:
    content = dicom(syntax=syntax)
    for keep in (0.3, 0.6, 0.95):
        with pytest.raises(ImageError):
            decode(content[: int(keep * len(content))])
    for keep in (0, 4, 100, 131, 132, 140, 200, 400):
        with pytest.raises(ImageError):
            decode(content[:keep])


@pytest.mark.parametrize(
    "syntax", [made.JPEG_BASELINE, made.JPEG_LOSSLESS, made.JPEG_LS, made.JPEG_2000_LOSSLESS, made.RLE]
)
def test_compressed_pixels_of_another_size_are_not_decoded(syntax: str) -> None:
    ds = dicom_data_set(np.zeros((2000, 2000, 3), np.uint8) if syntax != made.JPEG_LOSSLESS else picture(), syntax)
    ds.Rows, ds.Columns = 100, 100
    if syntax == made.RLE:  # has no size of its own: what is too much is left out
        assert decode(saved(ds)).rgb.shape == (100, 100, 3)
    else:
        refused(saved(ds), "its compressed pixels do not have the size that its header claims")


def test_a_jpeg_with_endless_scans() -> None:
    stream = jpeg_with_scans(2000)
    shape = np.asarray(Image.open(io.BytesIO(stream)).size[::-1])
    ds = with_codestreams(data_set(syntax=made.JPEG_BASELINE), [stream], "MONOCHROME2", (int(shape[0]), int(shape[1])))
    refused(saved(ds), "2,000 scans")


@pytest.mark.parametrize("is_defined", [True, False])
def test_endless_nesting(is_defined: bool) -> None:
    item = b"\xfe\xff\0\xe0"
    body = b""
    for _ in range(20_000 if not is_defined else 2_000):
        length = struct.pack("<L", len(body) + 8) if is_defined else b"\xff\xff\xff\xff"
        inner = struct.pack("<L", len(body)) if is_defined else b"\xff\xff\xff\xff"
        if not is_defined:
            body += b"\x08\0\x40\x11SQ\0\0" + length + item + inner
            continue
        body = b"\x08\0\x40\x11SQ\0\0" + length + item + inner + body
    content = dicom()
    at = content.index(b"\x08\0\x60\0CS")
    with_nest = content[:at] + body + content[at:]
    limit = sys.getrecursionlimit()
    if is_defined:
        assert np.array_equal(decode(with_nest).rgb, picture())  # skipped, not followed
    else:
        refused(with_nest, "is damaged")
    assert sys.getrecursionlimit() == limit


def test_lengths_that_lead_nowhere() -> None:
    content = dicom()
    at = content.index(b"\x08\0\x60\0CS") + 6
    for length in (0xFFFF, 0xFFFE, 1):
        with pytest.raises(ImageError):
            decode(content[:at] + struct.pack("<H", length) + content[at + 2 :])
    at = content.index(b"\xe0\x7f\x10\0OB\0\0") + 8
    for length in (0, 10, 0xFFFFFFFF):
        with pytest.raises(ImageError):
            decode(content[:at] + struct.pack("<L", length) + content[at + 4 :])


def test_no_pixels() -> None:
    ds = dicom_data_set(picture())
    del ds.PixelData
    refused(saved(ds), "holds no pixels")


def test_floating_point_pixels() -> None:
    ds = dicom_data_set(picture())
    del ds.PixelData
    ds.add_new(Tag("FloatPixelData"), "OF", bytes(4 * WIDTH * HEIGHT))
    refused(saved(ds), "none that make a picture")


def test_without_pydicom_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    content = dicom()
    for name in [name for name in sys.modules if name.split(".")[0] == "pydicom"]:
        monkeypatch.setitem(sys.modules, name, None)
    refused(content, 'pip install "dermoscope[dicom]"')


@pytest.mark.parametrize("make", [lambda: dicom(syntax=made.JPEG_LS), lambda: dicom(), lambda: dicom(syntax=made.RLE)])
def test_nothing_is_said_aloud(
    make: Callable[[], bytes], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    content = make().replace(b"ISO_IR 192", b"ISO_XX 999").replace(b"DMS ", b"\xe4\xf6\xfc*")
    decode(content)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


SEEDS = {syntax: dicom(picture(32, 24), syntax) for syntax in (*LOSSLESS, made.JPEG_BASELINE, made.JPEG_2000)}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(SEEDS)), st.data())
def test_flipped_bytes_are_only_ever_an_image_error(syntax: str, data: st.DataObject) -> None:
    content = bytearray(SEEDS[syntax])
    places = data.draw(st.lists(st.integers(132, len(content) - 1), min_size=1, max_size=6))
    for place in places:
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 3))
    kept = bytes(content[: len(content) - (data.draw(st.integers(0, len(content) - 1)) if not cut else 0)])
    try:
        decode(kept, max_pixels=1_000_000)
    except ImageError as error:
        assert not any(secret in str(error) for secret in made.SECRETS.values())
