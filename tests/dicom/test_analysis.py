"""The analysis of a DICOM file is that of the same pixels in another format."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dermoscope.analyzer import load_analyzer
from dermoscope.images import decode
from dermoscope.segmenter import load_segmenter
from tests import dicom_files as made
from tests.watch import REPOSITORY

PHANTOM = REPOSITORY / "examples" / "images" / "synthetic_several_colours_medium_skin.jpg"


@pytest.mark.slow
def test_analysis_and_mask_are_those_of_the_png() -> None:
    pixels = decode(PHANTOM).rgb
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    several = made.with_pixels(made.data_set(made.TRUE_COLOUR), [pixels[::-1], pixels])
    scans = [(made.dicom(pixels, syntax), 1) for syntax in (made.EXPLICIT, made.JPEG_LS, made.JPEG_2000_LOSSLESS)]
    analyzer = load_analyzer(precision="float32")
    for content, frame in [*scans, (made.saved(several), 2)]:
        # The scale is what a DICOM file has and a PNG lacks.
        expected = analyzer.analyze(stream.getvalue(), spacing_mm=decode(content, frame=frame).spacing_mm)
        found = analyzer.analyze(content, frame=frame)
        assert found.mask is not None and expected.mask is not None and np.array_equal(found.mask, expected.mask)
        assert found.analysis.model_copy(update={"timings_ms": {}}) == expected.analysis.model_copy(
            update={"timings_ms": {}}
        )
    segmenter = load_segmenter(precision="float32")
    drawn, wanted = segmenter.segment(made.saved(several), frame=2).mask, segmenter.segment(stream.getvalue()).mask
    assert drawn is not None and wanted is not None and np.array_equal(drawn, wanted)
