"""From a result to the bytes of its DICOM files."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Analysis
from dermoscope.dicom.model import ModelName
from dermoscope.dicom.source import read_source
from dermoscope.images import ImageError
from dermoscope.images.quiet import quiet_readers

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class DicomExtraError(ImportError):
    """The extra `dicom` is not installed; the message says how to."""


def require_highdicom() -> None:
    """Make sure that DICOM objects can be written.

    Raises:
        DicomExtraError: If highdicom is missing.
    """
    if find_spec("highdicom") is None:
        raise DicomExtraError('DICOM objects need highdicom: pip install "dermoscope[dicom]"')


def dicom_results(
    path: str | Path,
    model: ModelName,
    *,
    mask: NDArray[np.bool_] | None,
    analysis: Analysis | None = None,
    frame: int = 1,
    is_prompted: bool = False,
) -> dict[str, bytes]:
    """The DICOM files about one image.

    Args:
        path: The image.
        model: What made the result.
        mask: `[rows, columns]`, or none.
        analysis: What was found, if a report is wanted.
        frame: Number of the frame, from 1.
        is_prompted: Whether a person's clicks or box had a part in the mask.

    Returns:
        Contents of files by their endings: `seg.dcm` where there is a mask, `sr.dcm` where there is an analysis.
        Nothing for an image that is not DICOM.

    Raises:
        ImageError: If the image lacks what DICOM demands of an object that refers to it.
    """
    from dermoscope.dicom.report import findings_report
    from dermoscope.dicom.segmentation import lesion_segmentation

    source = read_source(path, frame=frame)
    if source is None:
        return {}
    files = {}
    try:
        with quiet_readers():
            segmentation = None if mask is None else lesion_segmentation(source, mask, model, is_prompted=is_prompted)
            if segmentation is not None:
                files["seg.dcm"] = _content(segmentation)
            if analysis is not None:
                files["sr.dcm"] = _content(findings_report(source, analysis, model, segmentation))
    except Exception:
        # The libraries' words may quote what they choke on, and with it a patient.
        raise ImageError(source.name, "has attributes that no DICOM object can take over") from None
    return files


def _content(data_set: Dataset) -> bytes:
    stream = io.BytesIO()
    data_set.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
