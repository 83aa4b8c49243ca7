from __future__ import annotations

import io
from typing import Any

import highdicom
import pytest
from pydicom.dataset import Dataset

from dermoscope.analysis import Analysis, Evidence, PredictionSet
from dermoscope.dicom.model import NOTICE
from dermoscope.dicom.report import CODING_SCHEME, findings_report
from dermoscope.dicom.segmentation import lesion_segmentation
from dermoscope.taxonomy import GROUP_COLUMNS
from tests import dicom_files as made
from tests.dicom.results import MODEL, analysis, lesion_mask, source_of
from tests.images.files import picture


def read_back(report: Dataset) -> Any:
    stream = io.BytesIO()
    report.save_as(stream, enforce_file_format=True)
    stream.seek(0)
    return highdicom.sr.srread(stream)


def report_on(found: Analysis, source: Dataset | None = None, frame: int = 1, *, mask: bool = True) -> Any:
    image = source_of(made.dicom_data_set(picture()) if source is None else source, frame)
    segmentation = lesion_segmentation(image, lesion_mask(), MODEL) if mask else None
    return read_back(findings_report(image, found, MODEL, segmentation))


def numbers(group: Any) -> dict[str, float]:
    return {measured.name.value: measured.value for measured in group.get_measurements()}


def answers(group: Any) -> dict[str, tuple[str, str]]:
    return {said.name.value: (said.value.value, said.value.meaning) for said in group.get_qualitative_evaluations()}


def test_every_number_of_the_analysis_reads_back_exactly() -> None:
    found = analysis()
    (group,) = report_on(found).content.get_image_measurement_groups()
    assert found.gate is not None and found.malignancy is not None
    assert numbers(group) == {
        "p_skin": found.gate.p_skin,
        "p_malignant": found.malignancy.probability,
        "malignancy_threshold": found.malignancy.threshold,
        "p_melanoma": found.p_melanoma,
        **{f"p_{GROUP_COLUMNS[name]}": value for name, value in found.group.items()},
        **{f"p_{code}": value for code, value in found.diagnosis.items()},
    }
    row = found.to_row()
    assert set(numbers(group)) <= set(row)


def test_malignant_never_stands_without_its_definition() -> None:
    report = report_on(analysis())
    (group,) = report.content.get_image_measurement_groups()
    (risk,) = [measured for measured in group.get_measurements() if measured.name.value == "p_malignant"]
    assert risk.name.meaning == "Malignancy risk (graz)"
    assert risk.name.scheme_designator == CODING_SCHEME
    assert answers(group)["malignancy_definition"] == ("graz", "graz: AK, AKIEC, BCC, MEL, SCC")
    assert answers(group)["notice"] == ("research", NOTICE)
    assert answers(group)["flagged"][1] == "Yes"
    assert answers(group)["diagnosis"] == ("VASC", "vascular lesion")
    assert answers(group)["group"] == ("vascular", "vascular")


def test_a_withheld_answer_is_not_given() -> None:
    (group,) = report_on(analysis(abstained=True, mask=False), mask=False).content.get_image_measurement_groups()
    assert answers(group)["answer"] == ("withheld", "Withheld: the image does not look like skin")
    assert not {"flagged", "diagnosis", "group"} & answers(group).keys()
    assert numbers(group)["p_malignant"] == 0.123456789


def doubtful(**changes: Any) -> Any:
    """What is said of an image of skin with two diagnoses in its set, and with its evidence beside the lesion."""
    evidence = Evidence(share_inside=0.1, peak_inside=False, grid=((0.0,),), warning="90% lies outside")
    doubts = {"prediction_set": PredictionSet(codes=("NV", "MEL"), coverage=0.9), "evidence": evidence}
    found = analysis().model_copy(update=doubts | changes)
    (group,) = report_on(found, mask=False).content.get_image_measurement_groups()
    return group


def test_a_doubtful_answer_comes_with_its_doubts() -> None:
    group = doubtful()
    warning = answers(group)["evidence_warning"][1]
    assert warning == "Evidence mostly outside the lesion: look at it; the flag stands"
    remain = [one.value.meaning for one in group.get_qualitative_evaluations() if one.name.value == "prediction_set"]
    assert remain == ["melanocytic nevus", "melanoma"]
    alone = doubtful(prediction_set=PredictionSet(codes=("NV",), coverage=0.9), evidence=None)
    assert not {"prediction_set", "evidence_warning"} & answers(alone).keys()


def test_no_answer_above_the_operating_point_is_flagged_and_no_diagnosis_is_told() -> None:
    said = answers(doubtful(abstained=True, abstain_reason="no diagnosis is probable enough"))
    assert said["answer"] == ("withheld", "Withheld: no diagnosis is probable enough")
    assert said["flagged"][1] == "Yes"
    assert not {"diagnosis", "group", "prediction_set", "evidence_warning"} & said.keys()
    low = analysis().malignancy
    assert low
    below = doubtful(abstained=True, abstain_reason="x", malignancy=low.model_copy(update={"flagged": False}))
    assert "flagged" not in answers(below)


@pytest.mark.parametrize(("spacing", "factor", "unit"), [(None, 1.0, "{pixels}"), ([0.02, 0.03], 0.0006, "mm2")])
def test_the_lesion_and_its_area(spacing: list[float] | None, factor: float, unit: str) -> None:
    source = made.dicom_data_set(picture())
    if spacing:
        source.PixelSpacing = spacing
    (group,) = report_on(analysis(), source).content.get_planar_roi_measurement_groups()
    area, confidence = group.get_measurements()
    assert area.value == pytest.approx(lesion_mask().sum() * factor)
    assert (area.name.meaning, area.unit.value) == ("Area", unit)
    assert (confidence.name.value, confidence.value) == ("mask_confidence", 0.87)
    assert group.finding_type.value == "95324001"


def test_a_given_scale_counts_where_the_image_has_none_and_says_so() -> None:
    given = analysis().model_copy(update={"spacing_mm": (0.02, 0.02)})
    source = made.dicom_data_set(picture())
    (group,) = report_on(given, source).content.get_planar_roi_measurement_groups()
    area, _ = group.get_measurements()
    assert (area.value, area.unit.value) == (pytest.approx(lesion_mask().sum() * 0.0004), "mm2")
    assert answers(group)["scale"][0] == "given"
    source.PixelSpacing = [0.03, 0.03]
    (group,) = report_on(given, source).content.get_planar_roi_measurement_groups()
    area, _ = group.get_measurements()
    assert area.value == pytest.approx(lesion_mask().sum() * 0.0009)
    assert "scale" not in answers(group)


@pytest.mark.parametrize(
    ("mode", "title", "group"),
    [("best", "Group of the diagnosis", "vascular"), ("", "Most probable lesion group", "keratosis")],
)
def test_the_group_is_named_for_what_it_is(mode: str, title: str, group: str) -> None:
    found = analysis().model_copy(
        update={"mode": mode, "group": dict.fromkeys(GROUP_COLUMNS, 0.1) | {"keratosis": 0.6}}
    )
    (said,) = report_on(found, mask=False).content.get_image_measurement_groups()
    (told,) = [one for one in said.get_qualitative_evaluations() if one.name.value == "group"]
    assert (told.name.meaning, told.value.meaning) == (title, group)


@pytest.mark.parametrize("frame", [None, 3])
def test_it_refers_to_image_and_segmentation(frame: int | None) -> None:
    source = made.dicom_data_set(picture())
    if frame:
        source = made.with_pixels(made.data_set(made.TRUE_COLOUR), [picture()] * 3)
    image = source_of(source, frame or 1)
    segmentation = lesion_segmentation(image, lesion_mask(), MODEL)
    report = read_back(findings_report(image, analysis(), MODEL, segmentation))
    assert report.StudyInstanceUID == source.StudyInstanceUID
    assert report.SeriesInstanceUID not in (source.SeriesInstanceUID, segmentation.SeriesInstanceUID)
    assert (report.Modality, report.VerificationFlag, report.CompletionFlag) == ("SR", "UNVERIFIED", "PARTIAL")
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert evidence == {source.SOPInstanceUID, segmentation.SOPInstanceUID}
    (lesion,) = report.content.get_planar_roi_measurement_groups()
    segment, shown = lesion.referenced_segmentation_frame
    (reference,) = segment.ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
    assert reference.ReferencedSegmentNumber == 1
    assert "ReferencedFrameNumber" not in reference
    (pixels,) = shown.ReferencedSOPSequence
    assert (pixels.ReferencedSOPInstanceUID, pixels.ReferencedSOPClassUID) == (
        source.SOPInstanceUID,
        source.SOPClassUID,
    )
    assert pixels.get("ReferencedFrameNumber") == frame


def test_same_patient_nothing_private() -> None:
    source = made.dicom_data_set(picture())
    report = report_on(analysis(), source)
    assert (report.PatientName, report.PatientID) == (source.PatientName, source.PatientID)
    assert not [element for element in report if element.tag.is_private]


def test_the_longest_meanings_fit() -> None:
    report = report_on(analysis())
    for _, item in _items(report):
        if "CodeMeaning" in item:
            assert 0 < len(item.CodeMeaning) < 64  # at 64 it would have been cut


def _items(data_set: Dataset) -> list[tuple[str, Dataset]]:
    found = []
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value:
                found += [(element.keyword, item), *_items(item)]
    return found
