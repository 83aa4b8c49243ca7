"""Clicks add up, go to the right place, and start from the mask as it stands; shown with a decoder that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.analysis import Gate
from dermoscope.bundle import Bundle
from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.engine import Arrays
from dermoscope.images import DecodedImage, field_of_view, working_copy
from dermoscope.mask_model import Clock, EncodedImage, MaskModel, SeenImage
from dermoscope.open_image import MaskOptions, OpenImage, PromptError, UserBox, check_box
from dermoscope.segment.flips import Flip, flip_pixels
from dermoscope.segment.prompted_decoder import HAS_PREVIOUS, PREVIOUS, PromptedDecoder


def asked_with_boxes(bundle: Bundle) -> Bundle:
    """The same bundle, whose decoder finds lesions by itself from boxes around salient colour."""
    decoder = bundle.description.decoder.model_copy(update={"prompts": "saliency boxes"})
    parts = bundle.description.model_copy(update={"decoder": decoder, "mask_network": None})
    return Bundle(bundle.folder, parts, bundle.fingerprint)


WIDTH, HEIGHT = 512, 384
SIDE = 128
CONTRACT = InputContract(size=128, fit="pad", scaling="min-max", map_size=32)
BOXED = asked_with_boxes(Bundle.default())
SPARSE = ("embedding", "points", "labels")


class Discs:
    """A decoder: a disc around every click on the lesion, none where a background click lies, and the box filled."""

    def __init__(self, inputs: tuple[str, ...]) -> None:
        self.inputs = inputs
        self.given: dict[str, NDArray[Any]] = {}

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        self.given = dict(inputs)
        rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
        count = len(inputs["points"])
        masks = np.full((count, 4, SIDE, SIDE), -5, np.float32)
        for number in range(count):
            points, labels = inputs["points"][number], inputs["labels"][number]
            for (x, y), label in zip(points, labels, strict=True):
                disc = 10 - np.hypot(columns - x, rows - y)
                if label == 1:
                    masks[number] = np.maximum(masks[number], disc)
                elif label == 0:
                    masks[number] = np.minimum(masks[number], -disc)
            if 2 in labels:
                (left, top), (right, bottom) = points[list(labels).index(2)], points[list(labels).index(3)]
                inside = (columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)
                masks[number][:, inside] = 4
        return {"masks": masks, "overlaps": np.tile(np.array([0.9, 0.5, 0.5, 0.5], np.float32), (count, 1))}


class TestModel(MaskModel):
    __test__ = False

    def __init__(self, *, previous: bool = True, is_skin: bool = True) -> None:
        self.graph = Discs((*SPARSE, PREVIOUS, HAS_PREVIOUS) if previous else SPARSE)
        self.is_skin = is_skin
        self.passes = 0
        self._parts, self._network = BOXED.description, None

    def encode(self, rgb: NDArray[np.uint8]) -> EncodedImage:
        self.passes += 1
        nothing = np.zeros((1, 1), np.float32)
        return EncodedImage(prepare(rgb, CONTRACT), np.zeros((1, 256, 32, 32), np.float32), nothing, nothing)

    def judge_skin(self, encoded: EncodedImage) -> Gate:
        assert encoded
        return Gate(is_skin=self.is_skin, p_skin=0.9 if self.is_skin else 0.1, threshold=0.5)

    def decoder_on(self, encoded: EncodedImage, shape: tuple[int, int]) -> PromptedDecoder:
        return PromptedDecoder(self.graph, CONTRACT, encoded.embedding, encoded.prepared, shape)

    def confidence(self, score: float, *, automatic: bool = True) -> float:  # noqa: ARG002 - as the real one
        return score


def skin_with_lesion() -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.full((HEIGHT, WIDTH, 3), (222, 180, 160), np.uint8)
    rgb[np.hypot(columns - 250, rows - 190) < 70] = (110, 65, 45)
    return rgb


def opened(
    options: MaskOptions | None = None, *, previous: bool = True, is_skin: bool = True
) -> tuple[OpenImage, TestModel]:
    model = TestModel(previous=previous, is_skin=is_skin)
    options = options or MaskOptions()
    rgb = skin_with_lesion()
    small = working_copy(rgb)
    flips: tuple[Flip, ...] = ("original", "hflip") if options.flips else ("original",)
    clock = Clock()
    with clock("encode"):
        encoded = {flip: model.encode(flip_pixels(rgb, flip)) for flip in flips}
    image = DecodedImage(rgb, WIDTH, HEIGHT, format="")
    seen = SeenImage(image, small, field_of_view(small), encoded, model.judge_skin(encoded["original"]))
    return OpenImage(BOXED, model, seen, options, clock=clock), model


def inside(mask: NDArray[np.bool_] | None, x: int, y: int) -> bool:
    assert mask is not None
    assert mask.shape == (HEIGHT, WIDTH)
    return bool(mask[y, x])


@pytest.mark.parametrize("flips", [False, True])
def test_a_click_lands_where_it_was_made(flips: bool) -> None:
    image, model = opened(MaskOptions(flips=flips))
    for x, y in ((100, 80), (430, 80), (60, 320), (500, 375)):
        image.reset()
        found = image.refine([(x, y)])
        assert found.box is not None
        middle = ((found.box[0] + found.box[2]) / 2, (found.box[1] + found.box[3]) / 2)
        if 60 < x < 450 and 60 < y < 330:
            assert middle == pytest.approx((x, y), abs=4)
        assert inside(found.mask, x, y)
        assert (found.width, found.height, found.prompt) == (WIDTH, HEIGHT, "clicks")
        assert found.area_fraction == pytest.approx(np.asarray(found.mask).mean())
        assert found.confidence is not None
        assert 0 <= found.confidence <= 1
    assert model.passes == 1 + flips


def test_clicks_add_up_and_the_mask_before_goes_in() -> None:
    image, model = opened()
    first = image.refine([(100, 100)], [1])
    assert model.graph.given[HAS_PREVIOUS].tolist() == [0]
    second = image.refine([(110, 180)], [1])
    assert model.graph.given["labels"].tolist() == [[1, 1]]
    assert model.graph.given[HAS_PREVIOUS].tolist() == [1]
    before = model.graph.given[PREVIOUS][0, 0]
    assert before[25, 25] > 0, "the logits of the first mask"
    assert before[44, 27] < 0
    assert inside(second.mask, 100, 100)
    assert inside(second.mask, 110, 180), "a second piece stays where a click lies on it"
    third = image.refine([(110, 180)], [0])
    assert not inside(third.mask, 110, 180)
    assert inside(third.mask, 100, 100)
    assert set(first.timings_ms) == {"encode", "segment", "mask"}
    assert set(third.timings_ms) == {"segment", "mask"}


def test_a_decoder_that_takes_no_mask_gets_all_clicks() -> None:
    image, model = opened(previous=False)
    image.segment()
    image.refine([(100, 100)])
    image.refine([(200, 180)], [0])
    assert model.graph.given["labels"].tolist() == [[1, 0]]
    assert set(model.graph.given) == set(SPARSE)


def test_refinement_starts_from_the_automatic_mask() -> None:
    image, model = opened()
    automatic = image.segment()
    assert inside(automatic.mask, 250, 190)
    assert "box" in automatic.prompt
    image.refine([(300, 190)])
    assert model.graph.given[HAS_PREVIOUS].tolist() == [1]
    assert model.graph.given[PREVIOUS][0, 0, 48, 62] > 0


def test_a_mask_that_colour_made_fits_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    image, model = opened()
    monkeypatch.setattr(model.graph, "__class__", Empty)
    automatic = image.segment()
    assert automatic.prompt == "colour saliency"
    image.refine([(300, 190)])
    assert model.graph.given[PREVIOUS].shape == (1, 1, SIDE, SIDE)
    assert model.graph.given[PREVIOUS][0, 0, 48, 62] > 0


class Empty(Discs):
    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        answer = super().__call__(inputs)
        return {**answer, "masks": np.full_like(answer["masks"], -5)}


def test_a_box_stays_until_another_comes() -> None:
    image, model = opened()
    found = image.refine(box=(40, 60, 200, 260))
    assert found.prompt == "box"
    assert found.box == pytest.approx((40, 60, 200, 260), abs=5)
    both = image.refine([(300, 100)])
    assert both.prompt == "box and clicks"
    np.testing.assert_allclose(model.graph.given["points"][0, :2], [[10, 15], [50, 65]], atol=0.01)
    image.refine(box=(80, 60, 200, 260))
    np.testing.assert_allclose(model.graph.given["points"][0, 0], [20, 15], atol=0.01)


def test_a_box_that_reaches_over_the_border_is_cut() -> None:
    image, model = opened()
    image.refine(box=(-30, 300, 100, 900))
    np.testing.assert_allclose(model.graph.given["points"][0, :2], [[0, 75], [25, 96]], atol=0.01)


def test_undo_and_reset() -> None:
    image, model = opened()
    assert image.result is None
    assert image.undo() is None
    automatic = image.segment()
    image.refine([(100, 100)])
    image.refine([(200, 180)])
    back = image.undo()
    assert back is not None
    assert not inside(back.mask, 200, 180)
    assert image.undo() is automatic
    image.refine([(60, 60)])
    assert model.graph.given["labels"].tolist() == [[1, -1]], "clicks that were undone are gone"
    image.reset()
    assert image.result is None
    image.refine([(60, 60)])
    assert model.graph.given[HAS_PREVIOUS].tolist() == [0]


def test_a_hole_under_a_background_click_stays_open() -> None:
    image, _ = opened()
    image.refine(box=(100, 100, 400, 300))
    found = image.refine([(250, 200)], [0])
    assert inside(found.mask, 250, 200), "the box of this decoder covers every click"
    image, _ = opened()
    ring = image.refine([(200, 200), (240, 200), (220, 180), (220, 220), (220, 200)], [1, 1, 1, 1, 0])
    assert not inside(ring.mask, 220, 200)
    assert inside(ring.mask, 180, 200)


@pytest.mark.parametrize(
    ("gate", "is_skin", "masked"), [(False, False, True), (True, False, False), (True, True, True)]
)
def test_the_gate_holds_back_automatic_masks_only_if_asked(gate: bool, is_skin: bool, masked: bool) -> None:
    image, _ = opened(MaskOptions(gate=gate), is_skin=is_skin)
    found = image.segment()
    assert (found.mask is not None) == masked
    assert found.is_skin == is_skin
    assert found.p_skin == (0.9 if is_skin else 0.1)
    assert (found.prompt, found.confidence, found.box, found.outline) == ("", None, None, ()) or masked
    assert image.refine([(100, 100)]).mask is not None, "whoever clicks has seen it"


def test_several_pieces() -> None:
    points = [(100, 100), (300, 300)]
    for pieces, there in (("one", False), ("several", True)):
        image, _ = opened(MaskOptions(pieces=cast("Any", pieces)))
        image.refine(points)
        found = image._finish(cast("Any", image._steps[-1].logits), np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
        assert found
        assert (inside(found.mask, 100, 100) and inside(found.mask, 300, 300)) == there


def test_a_mask_may_be_empty() -> None:
    image, _ = opened()
    found = image.refine([(100, 100)], [0])
    assert (found.mask, found.prompt, found.confidence, found.box, found.outline) == (None, "", None, None, ())
    assert found.area_fraction == 0
    assert image.refine([(300, 300)]).mask is not None


@pytest.mark.parametrize(
    ("points", "labels", "box", "message"),
    [
        ((), None, None, "no clicks and no box"),
        ([(512, 10)], None, None, "the click 512,10 lies outside the image; x goes from 0 to 511, y from 0 to 383"),
        ([(10, -1)], None, None, "the click 10,-1 lies outside"),
        ([(float("nan"), 5)], None, None, "the click nan,5 lies outside"),
        ([(1, 2, 3)], None, None, "pairs of x and y"),
        ("abc", None, None, "pairs of numbers"),
        ([(1, 2)], [1, 0], None, "1 points need as many labels, got 2"),
        ([(1, 2)], [2], None, "expected 1 for lesion and 0 for background"),
        ((), None, (50, 10, 50, 40), "the box 50,10,50,40 is empty; left must be smaller than right"),
        ((), None, (50, 40, 60, 10), "is empty"),
        ((), None, (600, 10, 700, 40), "the box 600,10,700,40 lies outside the image of 512 × 384 pixels"),
        ((), None, (1, 2, 3), "expected four numbers"),
    ],
)
def test_prompts_that_cannot_be_meant(points: Any, labels: Any, box: UserBox | None, message: str) -> None:
    image, _ = opened()
    before = image.segment()
    with pytest.raises(PromptError, match=message.replace("?", r"\?")):
        image.refine(points, labels, box=box)
    assert image.result is before


def test_check_box_gives_numbers() -> None:
    assert check_box([1, 2, 3, 4]) == (1.0, 2.0, 3.0, 4.0)


def test_the_picture_shows_the_outline() -> None:
    image, _ = opened()
    alone = image.picture()
    image.segment()
    assert image.picture().shape[1] > alone.shape[1] / 2
    assert image.picture().dtype == np.uint8
    assert not np.array_equal(image.picture(), alone)
