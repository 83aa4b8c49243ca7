"""Clicks add up, go to the right place, and start from the mask as it stands; shown with a decoder that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.engine import Arrays
from dermoscope.images import field_of_view, working_copy
from dermoscope.open_image import MaskOptions
from dermoscope.segment.postprocess import finish_mask
from dermoscope.segment.prompted_decoder import HAS_PREVIOUS, PREVIOUS
from dermoscope.segment.user_prompts import PromptError, UserBox, check_box
from tests.disc_model import HEIGHT, SIDE, SPARSE, WIDTH, Discs, opened


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


def test_it_goes_on_from_a_mask_that_was_found_elsewhere() -> None:
    image, model = opened()
    small = working_copy(image.rgb)
    found = model.find_lesion(image.rgb, small, field_of_view(small), model.decoder_on(image.encoded, small.shape[:2]))
    assert found.logits is not None
    taken = image.start_from(found, finish_mask(found.logits, WIDTH, HEIGHT))
    again = opened()[0].segment()
    assert (taken.prompt, taken.outline, taken.confidence) == (again.prompt, again.outline, again.confidence)
    assert (image.steps, image.is_corrected) == (1, False)
    image.refine([(100, 100)])
    assert model.graph.given[HAS_PREVIOUS].tolist() == [1]
    assert (image.steps, image.is_corrected) == (2, True)
    assert model.passes == 1


def test_a_drawn_mask_is_taken_as_it_is() -> None:
    image, model = opened()
    image.segment()
    drawn = np.zeros((HEIGHT, WIDTH), np.bool_)
    drawn[50:100, 60:160] = drawn[200:210, 300:320] = True
    drawn[70:80, 80:100] = False
    found = image.draw(drawn)
    assert found.mask is not None
    assert np.array_equal(found.mask, drawn)
    assert (found.prompt, found.confidence, found.box) == ("drawn by hand", None, (60, 50, 320, 210))
    assert found.area_fraction == pytest.approx(drawn.mean())
    assert len(found.outline) == 2
    assert image.is_corrected
    image.refine([(100, 60)])
    previous = model.graph.given[PREVIOUS][0, 0]
    assert previous[:96][drawn[::4, ::4]].mean() > 3
    assert previous[:96][~drawn[::4, ::4]].mean() < -3
    assert [len(part) for part in image.given[:2]] == [1, 1]


@pytest.mark.parametrize("by_person", [True, False])
def test_a_kept_mask_is_the_first_one(by_person: bool) -> None:
    image, _ = opened()
    image.refine([(100, 100)])
    kept = np.zeros((HEIGHT, WIDTH), np.bool_)
    kept[50:100, 60:160] = True
    found = image.start_from_kept(kept, "saliency box", 0.8, by_person=by_person)
    assert found.mask is not None
    assert np.array_equal(found.mask, kept)
    assert (found.prompt, found.confidence) == ("saliency box", 0.8)
    assert (image.steps, image.is_corrected, image.result) == (1, by_person, found)


def test_an_empty_drawn_mask_says_that_there_is_no_lesion() -> None:
    image, _ = opened()
    found = image.draw(np.zeros((HEIGHT, WIDTH), np.bool_))
    assert (found.mask, found.box, found.outline, found.prompt) == (None, None, (), "")
    assert image.is_corrected


def test_a_drawn_mask_of_another_size_is_refused() -> None:
    image, _ = opened()
    with pytest.raises(PromptError, match="the mask has 384 × 512 pixels, the image 512 × 384"):
        image.draw(np.zeros((WIDTH, HEIGHT), np.bool_))
    assert image.steps == 0


def test_it_tells_what_was_given() -> None:
    image, _ = opened()
    assert [len(part) for part in image.given[:2]] == [0, 0]
    image.refine([(100, 80)], box=(40, 30, 300, 200))
    image.refine([(120, 90)], [0])
    points, labels, box = image.given
    assert (points.tolist(), labels.tolist(), box) == ([[100, 80], [120, 90]], [1, 0], (40, 30, 300, 200))
    image.undo()
    assert image.given[1].tolist() == [1]
