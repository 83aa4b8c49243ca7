"""Every rule drops the mask it is meant for and says so; the score prefers the better mask."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.segment.selection import (
    EMPTY,
    WON,
    Selection,
    SelectionRules,
    border_share,
    centrality,
    colour_contrast,
    count_pieces,
    pairwise_iou,
    select_mask,
    stability_score,
)

SIDE = 112
RULES = SelectionRules()
EVERYTHING = np.ones((SIDE, SIDE), np.bool_)


def disc(x: float, y: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[:SIDE, :SIDE]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)


def logits_of(*masks: NDArray[np.bool_], strength: float = 5.0) -> NDArray[np.float32]:
    """Each mask as the single mask of one prompt; the multimask outputs are empty."""
    logits = np.full((len(masks), 4, SIDE, SIDE), -strength, np.float32)
    for index, mask in enumerate(masks):
        logits[index, 0][mask] = strength
    return logits


def image_of(lesion: NDArray[np.bool_]) -> NDArray[np.uint8]:
    rgb = np.full((SIDE, SIDE, 3), (225, 185, 165), np.uint8)
    rgb[lesion] = (110, 70, 50)
    return rgb


def select(
    *masks: NDArray[np.bool_],
    predicted: float | list[float] = 0.9,
    rules: SelectionRules = RULES,
    view: NDArray[np.bool_] = EVERYTHING,
    logits: NDArray[np.float32] | None = None,
) -> Selection:
    logits = logits_of(*masks) if logits is None else logits
    overlaps = np.zeros((len(logits), 4), np.float32)
    overlaps[:, 0] = predicted
    names = [f"prompt {index}" for index in range(len(logits))]
    return select_mask(logits, overlaps, names, image_of(disc(56, 56, 25)), view, rules)


def test_one_good_mask_wins() -> None:
    selection = select(disc(56, 56, 25))
    assert selection.chosen == 0
    candidate = selection.candidates[0]
    assert candidate.kept
    assert candidate.reason == WON
    assert candidate.area_fraction == pytest.approx(np.pi * 25**2 / SIDE**2, rel=0.02)
    assert 0 < candidate.score <= 1


@pytest.mark.parametrize(
    ("mask", "predicted", "reason"),
    [
        (np.zeros((SIDE, SIDE), np.bool_), 0.9, EMPTY),
        (disc(56, 56, 75), 0.9, "of the view, more than 80%"),
        (disc(56, 56, 1), 0.9, "of the view, less than 0.20%"),
        (disc(30, 30, 8) | disc(80, 30, 8) | disc(30, 80, 8) | disc(80, 80, 8), 0.9, "4 pieces, more than 3"),
        (~disc(56, 56, 45), 0.9, "of the border, more than 75%"),
        (disc(56, 56, 25), 0.3, "predicted IoU 0.30, less than 0.40"),
    ],
    ids=["empty", "too large", "too small", "pieces", "border", "predicted IoU"],
)
def test_each_rule_drops_its_mask_and_says_why(mask: NDArray[np.bool_], predicted: float, reason: str) -> None:
    selection = select(mask, predicted=predicted)
    assert selection.chosen is None
    assert not selection.candidates[0].kept
    assert reason in selection.candidates[0].reason


def test_an_unstable_mask_is_dropped() -> None:
    logits = np.full((1, 4, SIDE, SIDE), -0.5, np.float32)
    logits[0, 0][disc(56, 56, 20)] = 2.0
    selection = select(logits=logits)
    assert selection.chosen is None
    assert selection.candidates[0].reason.startswith("stability 0.1")


def test_the_largest_share_is_that_of_the_view_and_not_of_the_image() -> None:
    lesion = disc(56, 56, 40)
    assert select(lesion).chosen == 0
    dropped = select(lesion, view=disc(56, 56, 42)).candidates[0]
    assert "of the view, more than" in dropped.reason
    assert dropped.view_fraction > dropped.area_fraction


def test_a_near_duplicate_yields_to_the_better_one() -> None:
    selection = select(disc(56, 56, 25), disc(56, 56, 25.3), disc(56, 56, 30), predicted=[0.8, 0.9, 0.85])
    assert selection.chosen == 1
    assert selection.candidates[0].reason.startswith("same as the mask of prompt 1 (IoU 0.9")
    assert selection.candidates[2].kept
    assert selection.candidates[2].reason == ""


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param(disc(56, 56, 25), disc(20, 90, 15), id="off the lesion"),
        pytest.param(disc(56, 56, 25), disc(56, 56, 40), id="too wide"),
    ],
)
def test_the_mask_on_the_lesion_wins(better: NDArray[np.bool_], worse: NDArray[np.bool_]) -> None:
    assert select(worse, better).chosen == 1
    assert select(better, worse).chosen == 0


def expected_score(selection: Selection, index: int) -> float:
    one = selection.candidates[index]
    return float(one.predicted_iou**2 * one.stability * np.sqrt(one.consensus) * one.contrast * one.centrality)


def test_the_score_is_the_product_that_the_module_promises() -> None:
    selection = select(disc(50, 56, 20), disc(50, 56, 24), disc(70, 40, 15), predicted=[0.7, 0.8, 0.9])
    for index, candidate in enumerate(selection.candidates):
        assert 0 < candidate.consensus < 1
        assert 0 < candidate.centrality < 1
        assert candidate.score == pytest.approx(expected_score(selection, index))


def test_consensus_is_the_mean_overlap_with_all_and_itself() -> None:
    selection = select(disc(50, 56, 20), disc(50, 56, 22), disc(90, 90, 8))
    assert selection.candidates[0].consensus == pytest.approx((1 + 400 / 484) / 3, abs=0.02)
    assert selection.candidates[2].consensus == pytest.approx(1 / 3)
    assert select(disc(50, 56, 20)).candidates[0].consensus == 1


def test_the_decoders_estimate_counts() -> None:
    assert select(disc(52, 56, 20), disc(60, 56, 20), predicted=[0.6, 0.95]).chosen == 1
    assert select(disc(52, 56, 20), disc(60, 56, 20), predicted=[0.95, 0.6]).chosen == 0


def test_all_masks_of_the_decoder_can_be_candidates() -> None:
    logits = logits_of(np.zeros((SIDE, SIDE), np.bool_), disc(56, 56, 75))
    logits[1, 2][disc(56, 56, 25)] = 5.0
    overlaps = np.full((2, 4), 0.9, np.float32)
    rules = replace(RULES, mask_tokens=(0, 1, 2, 3))
    selection = select_mask(logits, overlaps, ["a", "b"], image_of(disc(56, 56, 25)), EVERYTHING, rules)
    assert len(selection.candidates) == 8
    assert selection.chosen is not None
    winner = selection.candidates[selection.chosen]
    assert (winner.prompt, winner.token) == ("b", 2)


def test_estimates_out_of_range_are_clipped() -> None:
    assert select(disc(56, 56, 25), predicted=1.2).candidates[0].predicted_iou == 1


def test_the_image_may_have_another_size_than_the_logits() -> None:
    rgb = np.asarray(cv2.resize(image_of(disc(56, 56, 25)), (256, 192)), np.uint8)
    overlaps = np.full((1, 4), 0.9, np.float32)
    view = np.ones((192, 256), np.bool_)
    assert select_mask(logits_of(disc(56, 56, 25)), overlaps, ["a"], rgb, view, RULES).chosen == 0


def test_stability_is_the_overlap_of_two_thresholds() -> None:
    logits = np.array([[3.0, 0.5, -0.5, -3.0]], np.float32)
    assert stability_score(logits, 1.0) == pytest.approx(1 / 3)
    assert stability_score(logits, 0.1) == pytest.approx(1.0)
    assert stability_score(np.full((2, 2), -9, np.float32), 1.0) == 0.0


def test_pairwise_iou() -> None:
    masks = np.zeros((3, 1, 4), np.bool_)
    masks[0, 0, :2] = True
    masks[1, 0, 1:3] = True
    assert pairwise_iou(masks) == pytest.approx(np.array([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]]))


@pytest.mark.parametrize(("share", "pieces"), [(0.05, 2), (0.0, 3), (0.45, 1)])
def test_pieces_count_from_their_share_on(share: float, pieces: int) -> None:
    mask = disc(30, 30, 20) | disc(80, 80, 15)
    mask[0, -1] = True
    assert count_pieces(mask, share) == pieces


def test_border_share() -> None:
    mask = np.zeros((10, 20), np.bool_)
    mask[0] = True
    assert border_share(mask) == pytest.approx(20 / 56)
    assert border_share(np.ones((10, 20), np.bool_)) == 1


def test_centrality_falls_with_distance() -> None:
    values = [centrality(disc(x, 55.5, 5), 0.25) for x in (55.5, 70, 100)]
    assert values[0] == pytest.approx(1, abs=1e-4)
    assert values[0] > values[1] > values[2]
    assert centrality(np.zeros((5, 5), np.bool_), 0.25) == 0


def test_contrast_is_the_distance_in_lab() -> None:
    lesion = disc(56, 56, 20)
    lab = np.zeros((SIDE, SIDE, 3), np.float32)
    lab[lesion] = (30.0, 40.0, 0.0)
    assert colour_contrast(lesion, lab, EVERYTHING) == pytest.approx(50, rel=1e-3)
    assert colour_contrast(EVERYTHING, lab, EVERYTHING) == 0
    assert colour_contrast(~EVERYTHING, lab, EVERYTHING) == 0
    assert colour_contrast(lesion, lab, lesion) == 0
