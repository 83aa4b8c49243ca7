from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.isic import SEGMENTATION_TASKS, MaskPair, score_masks


def row(lesion: int, shift: int = 0, size: int = 20) -> NDArray[np.uint8]:
    mask = np.zeros((1, size), np.uint8)
    mask[0, shift : shift + lesion] = 255
    return mask


# Jaccard 0.65 exactly, 8/12, 0.6, and two empty masks.
PAIRS = [
    MaskPair("ISIC_0000001", row(13), row(20)),
    MaskPair("ISIC_0000002", row(10), row(10, shift=2)),
    MaskPair("ISIC_0000003", row(6), row(10)),
    MaskPair("ISIC_0000004", row(0), row(0)),
]
JACCARDS = [0.65, 8 / 12, 0.6, 1]


@pytest.mark.parametrize("year", [2016, 2017])
def test_2016_and_2017_are_the_mean_jaccard(year: int) -> None:
    score = score_masks(SEGMENTATION_TASKS[f"isic{year}-task1"], PAIRS)
    assert score.overall == pytest.approx(sum(JACCARDS) / 4, abs=1e-9)
    assert [scores.jaccard for scores in score.images.values()] == pytest.approx(JACCARDS, abs=1e-9)


def test_2018_counts_less_than_the_threshold_as_nothing() -> None:
    score = score_masks(SEGMENTATION_TASKS["isic2018-task1"], PAIRS)
    assert score.overall == pytest.approx((0.65 + 8 / 12 + 0 + 1) / 4, abs=1e-9)
    assert score.macro_average.jaccard == pytest.approx(sum(JACCARDS) / 4, abs=1e-9)


def test_all_numbers_by_hand() -> None:
    score = score_masks(SEGMENTATION_TASKS["isic2018-task1"], PAIRS)
    expected = {
        "ISIC_0000001": (13 / 20, 13 / 20, 1, 0.65, 0.65, 26 / 33),
        "ISIC_0000002": (16 / 20, 8 / 10, 8 / 10, 8 / 12, 8 / 12, 16 / 20),
        "ISIC_0000003": (16 / 20, 6 / 10, 1, 0.6, 0, 12 / 16),
        "ISIC_0000004": (1, 1, 1, 1, 1, 1),
    }
    for image_id, numbers in expected.items():
        assert astuple(score.images[image_id]) == pytest.approx(numbers, abs=1e-9), image_id
    means = np.mean(list(expected.values()), axis=0)
    assert astuple(score.macro_average) == pytest.approx(tuple(means), abs=1e-9)


def test_a_pixel_belongs_to_the_lesion_above_128() -> None:
    grey = np.array([[127, 128, 129, 255]], np.uint8)
    score = score_masks(SEGMENTATION_TASKS["isic2017-task1"], [MaskPair("ISIC_0000001", grey, row(4, size=4))])
    assert score.overall == pytest.approx(2 / 4, abs=1e-9)


def test_an_empty_prediction_of_a_lesion_scores_nothing() -> None:
    score = score_masks(SEGMENTATION_TASKS["isic2017-task1"], [MaskPair("ISIC_0000001", row(0), row(5))])
    assert astuple(score.macro_average) == (0.75, 0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "isic2018-task1: no masks to score"),
        ([PAIRS[0], PAIRS[0]], "ISIC_0000001 comes twice"),
        ([MaskPair("ISIC_0000001", row(3), row(3, size=21))], "ISIC_0000001: masks differ in shape"),
    ],
)
def test_masks_that_cannot_be_scored(pairs: list[MaskPair], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score_masks(SEGMENTATION_TASKS["isic2018-task1"], pairs)
