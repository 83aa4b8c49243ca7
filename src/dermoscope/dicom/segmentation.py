"""A lesion mask as a DICOM Segmentation (PS3.3, A.51): one binary segment over one frame of the image."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import SecondaryCaptureImageStorage

from dermoscope import __version__
from dermoscope.dicom.model import MANUFACTURER, NOTICE, ModelName
from dermoscope.dicom.references import references
from dermoscope.dicom.source import SourceImage
from dermoscope.dicom.uids import new_uid

_SERIES_NUMBER = 901
SEGMENT_NUMBER = 1
LESION_LABEL = "lesion"


def lesion_segmentation(
    source: SourceImage, mask: NDArray[np.bool_], model: ModelName, *, is_prompted: bool = False
) -> Dataset:
    """A mask as a segmentation in the study of its image, as a new series.

    Patient and study attributes are those of the image, as DICOM demands; private ones are not taken over. A mask lies
    on the very pixels of its image, so it has its frame of reference if the image has one, and no place beyond that.
    Its scale is that of the image, too: one that somebody gave would not be that of the image beneath it.

    Args:
        source: The image.
        mask: `[rows, columns]` of the image.
        model: What made the mask.
        is_prompted: Whether a person's clicks or box had a part in it.

    Raises:
        ValueError: If the mask is of another size, or empty.
    """
    from highdicom.seg import Segmentation, SegmentDescription

    if mask.shape != (source.rows, source.columns):
        raise ValueError(f"mask of {mask.shape} for an image of {(source.rows, source.columns)}")
    if not mask.any():
        raise ValueError("an empty mask makes no segmentation")
    description = SegmentDescription(
        SEGMENT_NUMBER,
        LESION_LABEL,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.SkinLesion,
        algorithm_type="SEMIAUTOMATIC" if is_prompted else "AUTOMATIC",
        algorithm_identification=model.for_segment(),
        anatomic_regions=[codes.SCT.Skin],
        tracking_id=LESION_LABEL,
        tracking_uid=new_uid(),
    )
    segmentation = Segmentation(
        [_single_frame(source.attributes)],
        mask.astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[description],
        series_instance_uid=new_uid(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=model.label,
        software_versions=__version__,
        device_serial_number=model.serial,
        content_label="LESION_MASK",
        content_description=NOTICE,
        series_description=f"Lesion mask. {NOTICE}",
    )
    if source.frame_of_reference:
        segmentation.FrameOfReferenceUID = source.frame_of_reference
        segmentation.PositionReferenceIndicator = ""
    if source.spacing_mm:
        measures = Dataset()
        measures.PixelSpacing = list(source.spacing_mm)
        segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = [measures]
    segmentation.PatientOrientation = ""
    if source.frame_numbers:
        segmentation.SourceImageSequence = deepcopy(segmentation.SourceImageSequence)  # else shared with the series
    for sequence, reference in references(segmentation, source.attributes.SOPInstanceUID):
        reference.ReferencedSOPClassUID = source.attributes.SOPClassUID
        if source.frame_numbers and sequence == "SourceImageSequence":
            reference.ReferencedFrameNumber = source.frame
    return segmentation


def _single_frame(attributes: Dataset) -> Dataset:
    """The image as one of a single frame: highdicom asks several frames for a place in space, which these have not."""
    stand_in = Dataset()
    stand_in.update(attributes)
    stand_in.add_new("SOPClassUID", "UI", SecondaryCaptureImageStorage)  # not by name, which would change both
    return stand_in
