"""Results as DICOM objects beside their image: masks as segmentations, findings as structured reports.

Needs highdicom: `pip install "dermoscope[dicom]"`. Reading is the business of `dermoscope.images`.
"""

from dermoscope.dicom.model import ModelName
from dermoscope.dicom.source import SourceImage, read_source
from dermoscope.dicom.writing import DicomExtraError, dicom_results, require_highdicom

__all__ = ["DicomExtraError", "ModelName", "SourceImage", "dicom_results", "read_source", "require_highdicom"]
