"""Findings as a structured report: a Measurement Report (PS3.16, TID 1500) in a Comprehensive SR document.

One group of measurements speaks of the whole image: every probability, under its name, and what *malignant* means. A
second one speaks of the lesion, which it shows by its segmentation: its area and how sure the mask is. The area is in
square millimetres where the image has a scale, or one was given with it; the report then says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dermoscope import __version__, taxonomy
from dermoscope.analysis import Analysis
from dermoscope.dicom.model import MANUFACTURER, NOTICE, ModelName
from dermoscope.dicom.references import references
from dermoscope.dicom.segmentation import LESION_LABEL, SEGMENT_NUMBER
from dermoscope.dicom.source import SourceImage
from dermoscope.dicom.uids import new_uid

if TYPE_CHECKING:
    from highdicom.sr import (
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        PlanarROIMeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
    )

CODING_SCHEME = "99DERMOSCOPE"
"""Private coding scheme of what no public one has a code for; code values are the columns of `results.csv`."""

_SERIES_NUMBER = 902
_PIXELS = Code("{pixels}", "UCUM", "pixels")
_LONGEST = 64  # characters of a code meaning (LO), PS3.5, 6.2


def findings_report(
    source: SourceImage, analysis: Analysis, model: ModelName, segmentation: Dataset | None = None
) -> Dataset:
    """An analysis as a structured report in the study of its image, as a new series.

    The report is marked as neither complete nor verified: no person has looked at it.

    Args:
        source: The image.
        analysis: What was found in it.
        model: What found it.
        segmentation: Its lesion, made by `lesion_segmentation`, or none.
    """
    from highdicom.sr import (
        ComprehensiveSR,
        DeviceObserverIdentifyingAttributes,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
    )

    device = DeviceObserverIdentifyingAttributes(
        new_uid(), name=MANUFACTURER, manufacturer_name=MANUFACTURER, model_name=model.label, serial_number=model.serial
    )
    context = ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, device))
    groups: list[MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations] = [
        _about_image(source, analysis, model)
    ]
    if segmentation is not None:
        groups.append(_about_lesion(source, analysis, model, segmentation))
    report = MeasurementReport(
        context,
        procedure_reported=codes.SCT.DermoscopicPhotography,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,  # without an image library: highdicom knows no dermoscopic images
    )
    document = ComprehensiveSR(
        [source.attributes, *([segmentation] if segmentation is not None else [])],
        report[0],
        series_instance_uid=new_uid(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=model.label,
        software_versions=__version__,
        device_serial_number=model.serial,
        series_description=f"Findings. {NOTICE}",
    )
    document.CodingSchemeIdentificationSequence = [_coding_scheme()]
    if segmentation is not None:
        for _, reference in references(document, segmentation.SOPInstanceUID):
            if "ReferencedSegmentNumber" in reference and "ReferencedFrameNumber" in reference:
                del reference.ReferencedFrameNumber  # highdicom names both, DICOM wants one of them (PS3.3, 10.3)
    return document


def concept(value: str, meaning: str) -> Code:
    """A concept of `CODING_SCHEME`; its meaning is cut where DICOM's room for it ends."""
    return Code(value, CODING_SCHEME, meaning[:_LONGEST])


def _coding_scheme() -> Dataset:
    scheme = Dataset()
    scheme.CodingSchemeDesignator = CODING_SCHEME
    scheme.CodingSchemeName = "Concepts of dermoscope"
    scheme.CodingSchemeResponsibleOrganization = MANUFACTURER
    return scheme


def _about_image(source: SourceImage, analysis: Analysis, model: ModelName) -> MeasurementsAndQualitativeEvaluations:
    from highdicom.sr import MeasurementsAndQualitativeEvaluations, SourceImageForMeasurementGroup, TrackingIdentifier

    attributes = source.attributes
    image = SourceImageForMeasurementGroup(attributes.SOPClassUID, attributes.SOPInstanceUID, source.frame_numbers)
    return MeasurementsAndQualitativeEvaluations(
        TrackingIdentifier(new_uid(), "image"),
        source_images=[image],
        algorithm_id=model.for_report(),
        measurements=list(_probabilities(analysis)),
        qualitative_evaluations=list(_answers(analysis)),
    )


def _about_lesion(
    source: SourceImage, analysis: Analysis, model: ModelName, segmentation: Dataset
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    from highdicom.sr import (
        FindingSite,
        Measurement,
        PlanarROIMeasurementsAndQualitativeEvaluations,
        ReferencedSegmentationFrame,
        SourceImageForSegmentation,
        TrackingIdentifier,
    )

    attributes = source.attributes
    image = SourceImageForSegmentation(attributes.SOPClassUID, attributes.SOPInstanceUID, source.frame_numbers)
    segment = segmentation.SegmentSequence[0]
    pixels = int(segmentation.pixel_array.sum())
    spacing = source.spacing_mm or analysis.spacing_mm
    rows, columns = spacing or (1.0, 1.0)
    area = Measurement(codes.SCT.Area, pixels * rows * columns, codes.UCUM.SquareMillimeter if spacing else _PIXELS)
    confidence = []
    if analysis.mask is not None:
        name = concept("mask_confidence", "Expected overlap (Dice) with the true lesion")
        confidence.append(Measurement(name, analysis.mask.confidence, codes.UCUM.NoUnits))
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        TrackingIdentifier(segment.TrackingUID, LESION_LABEL),
        referenced_segment=ReferencedSegmentationFrame(
            segmentation.SOPClassUID, segmentation.SOPInstanceUID, 1, SEGMENT_NUMBER, image
        ),
        finding_type=codes.SCT.SkinLesion,
        finding_sites=[FindingSite(codes.SCT.Skin)],
        algorithm_id=model.for_report(),
        measurements=[area, *confidence],
        qualitative_evaluations=[_given_scale()] if spacing and not source.spacing_mm else None,
    )


def _given_scale() -> QualitativeEvaluation:
    from highdicom.sr import QualitativeEvaluation

    given = concept("given", "As given for the program; the image does not say it")
    return QualitativeEvaluation(concept("scale", "Size of a pixel"), given)


def _probabilities(analysis: Analysis) -> Iterator[Measurement]:
    from highdicom.sr import Measurement

    for name, value in _named_probabilities(analysis):
        yield Measurement(name, value, codes.UCUM.NoUnits)


def _named_probabilities(analysis: Analysis) -> Iterator[tuple[Code, float]]:
    if analysis.gate is not None:
        yield concept("p_skin", "Probability of an image of skin"), analysis.gate.p_skin
    if analysis.malignancy is not None:
        definition = analysis.malignancy.definition
        yield concept("p_malignant", f"Malignancy risk ({definition})"), analysis.malignancy.probability
        yield concept("malignancy_threshold", f"Operating point ({definition})"), analysis.malignancy.threshold
    if analysis.p_melanoma is not None:
        yield concept("p_melanoma", "Risk of melanoma"), analysis.p_melanoma
    for group, value in analysis.group.items():
        column = f"p_{taxonomy.GROUP_COLUMNS[group]}"
        yield concept(column, f"Group probability: {group}"), value
    for code, value in analysis.diagnosis.items():
        yield concept(f"p_{code}", f"Probability of {taxonomy.CODE_NAMES[code]}"), value


def _answers(analysis: Analysis) -> Iterator[QualitativeEvaluation]:
    from highdicom.sr import QualitativeEvaluation

    yield QualitativeEvaluation(concept("notice", "Intended use"), concept("research", NOTICE))
    balanced = concept("balanced", "As if all groups, and all diagnoses, were equally frequent")
    yield QualitativeEvaluation(concept("frequencies", "Probabilities of groups and diagnoses"), balanced)
    if analysis.abstained:
        withheld = concept("withheld", f"Withheld: {analysis.abstain_reason}")
        yield QualitativeEvaluation(concept("answer", "Answer of the program"), withheld)
    if analysis.malignancy is not None:
        name = analysis.malignancy.definition
        members = ", ".join(sorted(taxonomy.malignancy_definition(name).malignant))
        meaning = concept(name, f"{name}: {members}")
        yield QualitativeEvaluation(concept("malignancy_definition", "Malignant means"), meaning)
        if not analysis.abstained or analysis.flagged_without_answer:
            flagged = codes.SCT.Yes if analysis.malignancy.flagged else codes.SCT.No
            yield QualitativeEvaluation(concept("flagged", "At or above the operating point"), flagged)
    if analysis.abstained:
        return
    if analysis.evidence is not None and analysis.evidence.warning:
        beside = concept("beside", "Evidence mostly outside the lesion: look at it; the flag stands")
        yield QualitativeEvaluation(concept("evidence_warning", "Warning"), beside)
    remain = analysis.prediction_set.codes if analysis.prediction_set is not None else ()
    for code in remain if len(remain) > 1 else ():
        yield QualitativeEvaluation(
            concept("prediction_set", "Remains possible"), concept(code, taxonomy.CODE_NAMES[code])
        )
    if analysis.top_diagnosis and analysis.top_group:
        group, diagnosis = analysis.top_group, analysis.top_diagnosis
        title = "Group of the diagnosis" if analysis.mode else "Most probable lesion group"
        yield QualitativeEvaluation(concept("group", title), concept(taxonomy.GROUP_COLUMNS[group], group))
        yield QualitativeEvaluation(
            concept("diagnosis", "Most probable diagnosis"), concept(diagnosis, taxonomy.CODE_NAMES[diagnosis])
        )
