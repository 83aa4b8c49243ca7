from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.dicom import read_source
from dermoscope.dicom.segmentation import lesion_segmentation
from dermoscope.images import ImageError
from tests import dicom_files as made
from tests.dicom.results import MODEL, lesion_mask, source_of
from tests.images.files import encoded, picture


def test_attributes_without_pixels_and_private_ones() -> None:
    source = source_of(made.dicom_data_set(picture()))
    assert source.attributes.PatientID == made.SECRETS["PatientID"]
    assert "PixelData" not in source.attributes
    assert not [element for element in source.attributes if element.tag.is_private]
    assert (source.rows, source.columns, source.frame_numbers) == (120, 160, None)


def test_other_formats_have_no_source(tmp_path: Path) -> None:
    path = tmp_path / "photo.dcm"
    path.write_bytes(encoded("PNG"))
    assert read_source(path) is None


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_images_that_nothing_can_refer_to(keyword: str) -> None:
    ds = made.dicom_data_set(picture())
    delattr(ds, keyword)
    with pytest.raises(ImageError) as caught:
        read_source(made.saved(ds, is_valid=False))
    assert caught.value.reason == f"has no {keyword}, so that no DICOM object can refer to it"


def test_attributes_that_may_be_empty_are_there() -> None:
    ds = made.dicom_data_set(picture())
    for keyword in ("PatientName", "PatientBirthDate", "StudyDate", "AccessionNumber"):
        delattr(ds, keyword)
    source = source_of(ds)
    assert source.attributes.PatientName == ""
    assert source.attributes.StudyDate == ""


@pytest.mark.parametrize(
    ("keyword", "valid", "invalid"),
    [
        ("PatientBirthDate", b"19370311", b"19370000"),
        ("StudyDate", b"20240229", b"Februar "),
        ("StudyTime", b"101112", b"10:1:1"),
        ("PatientSex", b"CS\x02\0F ", b"CS\x02\0??"),
    ],
)
def test_attributes_that_make_no_sense_are_empty(keyword: str, valid: bytes, invalid: bytes) -> None:
    content = made.dicom()
    assert content.count(valid) == 1
    source = read_source(content.replace(valid, invalid))
    assert source is not None and not source.attributes[keyword].value
    assert lesion_segmentation(source, lesion_mask(), MODEL).PatientID == made.SECRETS["PatientID"]


def test_no_such_frame() -> None:
    with pytest.raises(ImageError, match="has no frame 2"):
        read_source(made.dicom(), frame=2)


def test_damaged_files_say_nothing_of_their_text() -> None:
    content = made.dicom()
    with pytest.raises(ImageError) as caught:
        read_source(content[:400])
    assert not any(secret in str(caught.value) for secret in made.SECRETS.values())
