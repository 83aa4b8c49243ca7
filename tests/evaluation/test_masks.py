from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.masks import (
    MASK_METRICS,
    POOLED_METRICS,
    MaskScores,
    MaskSummary,
    PixelCounts,
    hausdorff95,
    mask_scores,
    pixel_counts,
    summarise,
)


def row(text: str) -> NDArray[np.bool_]:
    return np.array([[character == "#" for character in text]])


@pytest.mark.parametrize(
    ("predicted", "truth", "dice", "jaccard", "thresholded", "accuracy"),
    [
        ("##########", "##########", 1, 1, 1, 1),
        ("..........", "..........", 1, 1, 1, 1),
        ("..........", "#.........", 0, 0, 0, 0.9),
        ("#.........", "..........", 0, 0, 0, 0.9),
        ("###.......", "...###....", 0, 0, 0, 0.4),
        ("####......", "..####....", 0.5, 1 / 3, 0, 0.6),
        ("########..", "##########", 16 / 18, 0.8, 0.8, 0.8),
        ("######....", "##########", 12 / 16, 0.6, 0, 0.6),
    ],
)
def test_values_by_hand(
    predicted: str, truth: str, dice: float, jaccard: float, thresholded: float, accuracy: float
) -> None:
    scores = mask_scores(row(predicted), row(truth))
    found = (scores.dice, scores.jaccard, scores.thresholded_jaccard, scores.pixel_accuracy)
    assert found == pytest.approx((dice, jaccard, thresholded, accuracy), abs=1e-9)


def test_pixels_by_hand() -> None:
    assert pixel_counts(row("####......"), row("..#####...")) == PixelCounts(2, 2, 3, 3)
    assert mask_scores(row("####......"), row("..#####...")).pixels == PixelCounts(2, 2, 3, 3)


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
        turned = mask_scores(b, a)
        assert [getattr(scores, name) for name in MASK_METRICS] == [getattr(turned, name) for name in MASK_METRICS]


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 4\) and \(4, 5\); score at the original size"):
        mask_scores(np.ones((4, 4), np.bool_), np.ones((4, 5), np.bool_))


def test_masks_without_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"masks without pixels: \(0, 5\)"):
        mask_scores(np.ones((0, 5), np.bool_), np.ones((0, 5), np.bool_))


def square(top: int, left: int, side: int, shape: tuple[int, int] = (120, 160)) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


def band(left: int) -> NDArray[np.bool_]:
    mask = np.zeros((120, 160), np.bool_)
    mask[:, left : left + 40] = True
    return mask


@pytest.mark.parametrize(
    ("predicted", "truth", "pixels"),
    [
        (square(20, 20, 40), square(20, 20, 40), 0),
        (square(20, 20, 1), square(50, 60, 1), 50),
        (square(0, 0, 1), square(119, 159, 1), np.hypot(119, 159)),
        (square(20, 20, 40), square(25, 25, 30), np.hypot(5, 4)),
        (square(0, 0, 120, (120, 120)), square(10, 10, 100, (120, 120)), np.hypot(10, 7)),
        (band(20), band(25), 5),
        (row("##########"), row("#........."), 0.95 * 9),
    ],
)
def test_boundary_distance_by_hand(predicted: NDArray[np.bool_], truth: NDArray[np.bool_], pixels: float) -> None:
    """Of the 156 pixels of a ring of side 40, 120 lie 5 from a ring of side 30, then 8 each √26, √29, √34, √41."""
    expected = 100 * pixels / np.hypot(*truth.shape)
    assert hausdorff95(predicted, truth) == pytest.approx(expected, abs=1e-5)
    assert hausdorff95(truth, predicted) == pytest.approx(expected, abs=1e-5)
    assert mask_scores(predicted, truth).hausdorff95 == pytest.approx(expected, abs=1e-5)


def test_a_hole_has_a_boundary_too() -> None:
    truth = square(20, 20, 60)
    holed = truth & ~square(40, 40, 20)
    assert hausdorff95(holed, truth) > 100 * 15 / 200


def test_the_worst_twentieth_of_the_boundary_is_left_aside() -> None:
    truth = square(30, 30, 50)
    whisker = truth.copy()
    whisker[40, 80:84] = True
    assert hausdorff95(whisker, truth) == 0
    assert mask_scores(whisker, truth).dice < 1


@pytest.mark.parametrize("seed", range(5))
def test_boundary_distance_is_its_definition(seed: int) -> None:
    """Against all pairs of outline pixels written out, in a picture cropped from nothing."""
    random = np.random.default_rng(seed)
    masks = []
    for _ in range(2):
        y, x = np.mgrid[:40, :56]
        angle = np.arctan2(y - 20, x - 28)
        radius = 8 + 6 * random.random() + 3 * np.sin(3 * angle + random.random() * 6)
        masks.append(np.hypot(y - 20 - random.integers(-9, 9), x - 28 - random.integers(-9, 9)) < radius)
    outlines = []
    for mask in masks:
        padded = np.pad(mask, 1)
        inside = np.all([padded[1 + a : 41 + a, 1 + b : 57 + b] for a in (-1, 0, 1) for b in (-1, 0, 1)], axis=0)
        outlines.append(np.argwhere(mask & ~inside))
    apart = np.hypot(*(np.subtract.outer(outlines[0][:, k], outlines[1][:, k]) for k in (0, 1)))
    expected = max(np.quantile(apart.min(axis=1), 0.95), np.quantile(apart.min(axis=0), 0.95))
    assert hausdorff95(*masks) == pytest.approx(100 * expected / np.hypot(40, 56), abs=1e-5)


def test_boundary_distance_of_empty_masks() -> None:
    empty, filled = square(0, 0, 0), square(50, 50, 10)
    assert hausdorff95(empty, empty) == 0
    assert hausdorff95(empty, filled) == hausdorff95(filled, empty) == 100


def test_boundary_distance_does_not_depend_on_the_resolution() -> None:
    small = hausdorff95(square(20, 20, 40), square(30, 30, 40))
    large = hausdorff95(square(80, 80, 160, (480, 640)), square(120, 120, 160, (480, 640)))
    assert large == pytest.approx(small, rel=0.03)


# Three images of two types: a good large nevus, a poor small nevus of the same lesion, a fair melanoma.
PAIRS = [(64, 80, 100), (1, 9, 100), (20, 30, 100)]
TYPES = ["NV", "NV", "MEL"]
LESIONS = ["n", "n", "m"]


def scored() -> list[MaskScores]:
    return [mask_scores(np.arange(size)[None] < found, np.arange(size)[None] < wanted) for found, wanted, size in PAIRS]


def named(rows: tuple[MaskSummary, ...]) -> dict[tuple[str, str | None, str], float]:
    return {(row.averaging, row.lesion_type, row.metric): row.estimate.value for row in rows}


def test_averages_differ_and_are_named_apart() -> None:
    values = named(summarise(scored(), LESIONS, TYPES, resamples=10))
    nevi, melanoma = [64 / 80, 1 / 9], 20 / 30
    assert values["per image", None, "jaccard"] == pytest.approx((sum(nevi) + melanoma) / 3, abs=1e-9)
    assert values["per lesion type", "NV", "jaccard"] == pytest.approx(sum(nevi) / 2, abs=1e-9)
    assert values["per lesion type", "MEL", "jaccard"] == pytest.approx(melanoma, abs=1e-9)
    assert values["mean over types", None, "jaccard"] == pytest.approx((sum(nevi) / 2 + melanoma) / 2, abs=1e-9)
    assert values["pooled pixels", None, "jaccard"] == pytest.approx(85 / 119, abs=1e-9)
    assert values["pooled pixels", None, "dice"] == pytest.approx(170 / 204, abs=1e-9)
    assert values["pooled pixels", None, "pixel_accuracy"] == pytest.approx(1 - 34 / 300, abs=1e-9)
    assert values["per image", None, "thresholded_jaccard"] == pytest.approx((0.8 + 0 + 2 / 3) / 3, abs=1e-9)


def test_every_average_has_its_metrics() -> None:
    rows = summarise(scored(), LESIONS, TYPES, resamples=10)
    found = [(row.averaging, row.lesion_type, row.metric) for row in rows]
    assert found == [
        *(("per image", None, metric) for metric in MASK_METRICS),
        *(("per lesion type", name, metric) for name in ("MEL", "NV") for metric in MASK_METRICS),
        *(("mean over types", None, metric) for metric in MASK_METRICS),
        *(("pooled pixels", None, metric) for metric in POOLED_METRICS),
    ]
    without = summarise(scored(), LESIONS, resamples=10)
    assert {row.averaging for row in without} == {"per image", "pooled pixels"}


def test_intervals_draw_lesions() -> None:
    rows = summarise(scored(), LESIONS, TYPES, resamples=200)
    sizes = {(row.averaging, row.lesion_type): (row.estimate.n, row.estimate.groups) for row in rows}
    assert sizes["per image", None] == sizes["pooled pixels", None] == (3, 2)
    assert sizes["per lesion type", "NV"] == (2, 1)
    # One lesion a type, and every resample keeps the lesions of a type: nothing is left to vary.
    assert all(row.estimate.low == pytest.approx(row.estimate.high) for row in rows)
    loose = summarise(scored(), ["1", "2", "3"], resamples=200)
    assert all(row.estimate.low < row.estimate.high for row in loose)


def test_pooled_empty_masks_agree() -> None:
    empty = mask_scores(row("...."), row("...."))
    assert all(found.estimate.value in (0, 1) for found in summarise([empty], ["a"], resamples=5))


def test_summaries_need_a_lesion_an_image() -> None:
    with pytest.raises(ValueError, match="scores has 3 rows, groups has 2"):
        summarise(scored(), LESIONS[:2])
    with pytest.raises(ValueError, match="strata has 2 rows, groups has 3"):
        summarise(scored(), LESIONS, TYPES[:2])
