from __future__ import annotations

import io

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dermoscope import __version__
from dermoscope.dicom.model import NOTICE
from dermoscope.dicom.segmentation import lesion_segmentation
from tests import dicom_files as made
from tests.dicom.results import MODEL, lesion_mask, source_of
from tests.images.files import picture

CLASSES = (made.SECONDARY_CAPTURE, made.PHOTOGRAPH, made.DERMOSCOPIC)


def written(segmentation: Dataset) -> io.BytesIO:
    stream = io.BytesIO()
    segmentation.save_as(stream, enforce_file_format=True)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.JPEG_BASELINE])
@pytest.mark.parametrize("sop_class", CLASSES)
def test_the_mask_comes_back_bit_by_bit(sop_class: str, syntax: str) -> None:
    source = made.dicom_data_set(picture(), syntax, sop_class)
    stream = written(lesion_segmentation(source_of(source), lesion_mask(), MODEL))
    assert stream.getvalue()[:132] == bytes(128) + b"DICM"
    plain = dcmread(stream)
    assert np.array_equal(plain.pixel_array.astype(bool), lesion_mask())
    stream.seek(0)
    read = highdicom.seg.segread(stream)
    pixels = read.get_pixels_by_source_instance([source.SOPInstanceUID])
    assert np.array_equal(pixels[0, ..., 0].astype(bool), lesion_mask())
    assert (plain.Rows, plain.Columns) == lesion_mask().shape


def test_it_says_what_it_shows_and_what_made_it() -> None:
    segmentation = lesion_segmentation(source_of(made.dicom_data_set(picture())), lesion_mask(), MODEL)
    (segment,) = segmentation.SegmentSequence
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "95324001"
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("dermoscope", __version__)
    for said in (MODEL.name, MODEL.fingerprint, NOTICE):
        assert said in algorithm.AlgorithmParameters
    assert NOTICE in segmentation.SeriesDescription
    assert segmentation.Modality == "SEG"


def test_clicks_make_it_semi_automatic() -> None:
    source = source_of(made.dicom_data_set(picture()))
    segmentation = lesion_segmentation(source, lesion_mask(), MODEL, is_prompted=True)
    assert segmentation.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"


def test_same_patient_and_study_new_series_nothing_private() -> None:
    source = made.dicom_data_set(picture())
    segmentation = lesion_segmentation(source_of(source), lesion_mask(), MODEL)
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID"):
        assert segmentation[keyword].value == source[keyword].value
    assert segmentation.SeriesInstanceUID != source.SeriesInstanceUID
    assert segmentation.SOPInstanceUID != source.SOPInstanceUID
    again = lesion_segmentation(source_of(source), lesion_mask(), MODEL)
    assert segmentation.SOPInstanceUID != again.SOPInstanceUID
    assert not [element for element in segmentation if element.tag.is_private]
    assert made.PRIVATE_SECRET.encode() not in written(segmentation).getvalue()


@pytest.mark.parametrize("is_placed", [False, True])
def test_references_and_frame_of_reference(is_placed: bool) -> None:
    source = made.dicom_data_set(picture())
    if is_placed:
        source.FrameOfReferenceUID = generate_uid()
    segmentation = lesion_segmentation(source_of(source), lesion_mask(), MODEL)
    assert segmentation.get("FrameOfReferenceUID") == source.get("FrameOfReferenceUID")
    (series,) = segmentation.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    groups = segmentation.PerFrameFunctionalGroupsSequence[0]
    for reference in (
        series.ReferencedInstanceSequence[0],
        segmentation.SourceImageSequence[0],
        groups.DerivationImageSequence[0].SourceImageSequence[0],
    ):
        assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert reference.ReferencedSOPClassUID == source.SOPClassUID
        assert "ReferencedFrameNumber" not in reference
    written(segmentation)


def test_one_of_several_frames() -> None:
    source = made.with_pixels(made.data_set(made.TRUE_COLOUR), [picture()] * 3)
    segmentation = lesion_segmentation(source_of(source, 2), lesion_mask(), MODEL)
    own = segmentation.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert (own.ReferencedFrameNumber, own.ReferencedSOPClassUID) == (2, made.TRUE_COLOUR)
    assert segmentation.SourceImageSequence[0].ReferencedFrameNumber == 2
    series = segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert series.ReferencedSOPClassUID == made.TRUE_COLOUR
    assert "ReferencedFrameNumber" not in series
    read = highdicom.seg.segread(written(segmentation))
    pixels = read.get_pixels_by_source_frame(source.SOPInstanceUID, [2])
    assert np.array_equal(pixels[0, ..., 0].astype(bool), lesion_mask())


def test_spacing_is_handed_on() -> None:
    source = made.dicom_data_set(picture())
    source.PixelSpacing = [0.02, 0.03]
    segmentation = lesion_segmentation(source_of(source), lesion_mask(), MODEL)
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert list(measures.PixelSpacing) == [0.02, 0.03]


def test_the_source_is_left_as_it_was() -> None:
    source = source_of(made.with_pixels(made.data_set(made.TRUE_COLOUR), [picture()] * 2), 2)
    before = source.attributes.to_json()
    lesion_segmentation(source, lesion_mask(), MODEL)
    assert source.attributes.to_json() == before


def test_masks_that_fit_no_image() -> None:
    source = source_of(made.dicom_data_set(picture()))
    with pytest.raises(ValueError, match=r"mask of \(160, 120\) for an image of \(120, 160\)"):
        lesion_segmentation(source, lesion_mask().T, MODEL)
    with pytest.raises(ValueError, match="an empty mask"):
        lesion_segmentation(source, np.zeros_like(lesion_mask()), MODEL)
