"""A synthetic image, its mask and what might be found in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dermoscope.analysis import Analysis, Gate, LesionMask, Malignancy
from dermoscope.dicom import ModelName, SourceImage, read_source
from dermoscope.taxonomy import GROUPS, HAM10000_CODES
from tests.dicom_files import saved
from tests.images.files import HEIGHT, WIDTH

MODEL = ModelName("test-bundle", "f" * 64)


def lesion_mask() -> NDArray[np.bool_]:
    """An ellipse with a notch, so that no flip or turn leaves it as it is."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = ((x - 70) / 40) ** 2 + ((y - 50) / 30) ** 2 < 1
    mask[30:50, 60:66] = False
    return np.asarray(mask)


def analysis(*, abstained: bool = False, mask: bool = True) -> Analysis:
    """An analysis with different numbers everywhere."""
    return Analysis(
        image_id="scan",
        path="scan.dcm",
        width=WIDTH,
        height=HEIGHT,
        gate=Gate(is_skin=not abstained, p_skin=1 / 3 if abstained else 0.9876543210123456, threshold=0.5),
        mask=LesionMask(
            prompt="network", confidence=0.87, area_fraction=0.2, box=(1, 2, 3, 4), outline=(), candidates=()
        )
        if mask
        else None,
        diagnosis={code: (number + 1) / 28 for number, code in enumerate(HAM10000_CODES)},
        group={group: (number + 1) / 15 for number, group in enumerate(GROUPS)},
        malignancy=Malignancy(
            probability=0.123456789, definition="graz", threshold=0.1042, operating_point="some", flagged=True
        ),
        p_melanoma=0.0456,
        abstained=abstained,
        abstain_reason="the image does not look like skin" if abstained else "",
        bundle=MODEL.fingerprint,
    )


def source_of(data_set: Dataset, frame: int = 1) -> SourceImage:
    """The source image of a data set."""
    source = read_source(saved(data_set), frame=frame)
    assert source is not None
    return source
