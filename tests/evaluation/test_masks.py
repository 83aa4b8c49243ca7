from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.masks import MaskScores, mask_scores


def row(text: str) -> NDArray[np.bool_]:
    return np.array([[character == "#" for character in text]])


@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        ("##########", "##########", MaskScores(1, 1, 1, 1)),
        ("..........", "..........", MaskScores(1, 1, 1, 1)),
        ("..........", "#.........", MaskScores(0, 0, 0, 0.9)),
        ("#.........", "..........", MaskScores(0, 0, 0, 0.9)),
        ("###.......", "...###....", MaskScores(0, 0, 0, 0.4)),
        ("####......", "..####....", MaskScores(0.5, 1 / 3, 0, 0.6)),
        ("########..", "##########", MaskScores(16 / 18, 0.8, 0.8, 0.8)),
        ("######....", "##########", MaskScores(12 / 16, 0.6, 0, 0.6)),
    ],
)
def test_values_by_hand(predicted: str, truth: str, expected: MaskScores) -> None:
    scores = mask_scores(row(predicted), row(truth))
    for name in ("dice", "jaccard", "thresholded_jaccard", "pixel_accuracy"):
        assert getattr(scores, name) == pytest.approx(getattr(expected, name)), name


def test_the_threshold_itself_counts() -> None:
    truth = np.ones((10, 10), np.bool_)
    predicted = truth.copy()
    predicted.flat[65:] = False
    assert mask_scores(predicted, truth).thresholded_jaccard == pytest.approx(0.65)
    predicted.flat[64] = False
    assert mask_scores(predicted, truth).thresholded_jaccard == 0


def test_dice_and_jaccard_belong_together_and_do_not_care_about_order() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        a, b = random.random((2, 13, 17)) < random.random()
        scores = mask_scores(a, b)
        assert scores.dice == pytest.approx(2 * scores.jaccard / (1 + scores.jaccard))
        assert scores == mask_scores(b, a)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 4\) and \(4, 5\); score at the original size"):
        mask_scores(np.ones((4, 4), np.bool_), np.ones((4, 5), np.bool_))
