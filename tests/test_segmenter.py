"""The shipped model from file to mask, on the synthetic example images."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermoscope.analyzer import load_analyzer
from dermoscope.bundle import Bundle
from dermoscope.images import ImageError
from dermoscope.model_folder import BundleError
from dermoscope.open_image import MaskOptions
from dermoscope.segment.user_prompts import PromptError
from dermoscope.segmenter import Segmenter, load_segmenter
from tests.watch import REPOSITORY

IMAGES = REPOSITORY / "examples" / "images"
ONE = IMAGES / "synthetic_pigment_network_light_skin.jpg"
NOT_SKIN = IMAGES / "synthetic_not_skin_bricks.jpg"


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load_segmenter(engine="openvino", precision="float32", threads=1, streams=2)


def test_the_mask_is_that_of_the_analysis(segmenter: Segmenter) -> None:
    analyzer = load_analyzer(engine="openvino", precision="float32", threads=1)
    for path in (ONE, IMAGES / "synthetic_round_frame_medium_skin.jpg"):
        expected, found = analyzer.analyze(path), segmenter.segment(path)
        assert expected.mask is not None
        assert found.mask is not None
        assert np.array_equal(found.mask, expected.mask)
        record = expected.analysis.mask
        assert record
        assert (found.prompt, found.confidence, found.box) == (record.prompt, record.confidence, record.box)
        assert (found.outline, found.area_fraction) == (record.outline, record.area_fraction)
        assert expected.analysis.gate
        assert found.p_skin == expected.analysis.gate.p_skin
        assert found.bundle == Bundle.default().fingerprint


def test_a_box_is_followed(segmenter: Segmenter) -> None:
    automatic = segmenter.segment(ONE)
    assert automatic.box
    assert automatic.mask is not None
    found = segmenter.segment(ONE, box=automatic.box)
    assert found.prompt == "box"
    assert found.mask is not None
    overlap = 2 * (found.mask & automatic.mask).sum() / (found.mask.sum() + automatic.mask.sum())
    assert overlap > 0.8
    assert found.confidence is not None
    assert 0 < found.confidence < 1
    both = segmenter.segment(ONE, points=[(automatic.width // 2, automatic.height // 2)], box=automatic.box)
    assert both.prompt == "box and clicks"


@pytest.mark.parametrize("pixels", [(1, 1), (3, 300), (40, 30)])
def test_tiny_images_are_survived(pixels: tuple[int, int], segmenter: Segmenter) -> None:
    image = segmenter.open(np.full((*pixels, 3), (210, 160, 140), np.uint8))
    for found in (image.segment(), image.refine([(0, 0)]), image.refine(box=(0, 0, 1, 1))):
        assert (found.height, found.width) == pixels
        assert found.mask is None or found.mask.shape == pixels


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "1", "P", "I;16"])
def test_other_kinds_of_pixels(mode: str, segmenter: Segmenter, tmp_path: Path) -> None:
    with Image.open(ONE) as image:
        size = image.size
        changed = image.convert("L").convert("I;16") if mode == "I;16" else image.convert(mode)
        changed.save(tmp_path / "image.tif")
    found = segmenter.segment(tmp_path / "image.tif")
    assert (found.width, found.height) == size


def test_what_cannot_be_segmented(segmenter: Segmenter, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"hello")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        segmenter.segment(tmp_path / "broken.jpg")
    with pytest.raises(ImageError, match=r"not \[H, W, 3\] of uint8"):
        segmenter.segment(np.zeros((10, 10), np.uint8))
    with pytest.raises(PromptError, match="lies outside the image"):
        segmenter.segment(ONE, points=[(100_000, 3)])
    with pytest.raises(PromptError, match="labels without points"):
        segmenter.segment(ONE, labels=[1])
    with pytest.raises(BundleError, match="nowhere is not a bundle folder"):
        load_segmenter(tmp_path / "nowhere")


def test_the_options_of_one_bundle(segmenter: Segmenter) -> None:
    plain = segmenter.segment(ONE).mask
    assert plain is not None
    options = MaskOptions(gate=True, pieces="several", edges=True, flips=True)
    other = load_segmenter(engine="openvino", precision="float32", threads=1, options=options, max_pixels=10**6)
    found = other.segment(ONE).mask
    assert found is not None
    assert not np.array_equal(found, plain)
    assert 2 * (found & plain).sum() / (found.sum() + plain.sum()) > 0.9
    assert other.segment(NOT_SKIN).mask is None
    assert not segmenter.segment(NOT_SKIN).is_skin
    stream = io.BytesIO()
    Image.fromarray(np.zeros((1001, 1000, 3), np.uint8)).save(stream, "PNG")
    with pytest.raises(ImageError, match=r"1,?000,?000"):
        other.segment(stream.getvalue())


def test_two_threads_say_what_one_says(segmenter: Segmenter) -> None:
    paths = [ONE, NOT_SKIN] * 2
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(segmenter.segment, paths))
    for one, again in zip(found[:2], found[2:], strict=True):
        assert one.box == again.box
        assert one.confidence == again.confidence
