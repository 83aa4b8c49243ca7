from __future__ import annotations

import numpy as np
import pytest

from dermoscope.evaluation.proportions import wilson_interval
from dermoscope.evaluation.subgroups import AGE_BANDS, UNKNOWN, age_band, subgroup_rows


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "under 20"), (19.9, "under 20"), (20, "20 to 39"), (39, "20 to 39"), (40, "40 to 59"), (60, "60 to 79"),
        (79, "60 to 79"), (80, "80 and over"), (105, "80 and over"), (None, UNKNOWN), (float("nan"), UNKNOWN),
    ],
)  # fmt: skip
def test_age_bands(age: float | None, band: str) -> None:
    assert age_band(age) == band
    assert band in AGE_BANDS


def test_a_negative_age_is_refused() -> None:
    with pytest.raises(ValueError, match="age must not be negative: -5"):
        age_band(-5)


def test_rows_by_hand() -> None:
    positive = np.array([True, True, False, False, True, False, False])
    score = np.array([0.9, 0.2, 0.5, 0.1, 0.5, 0.9, 0.1])
    sex: list[str | None] = ["female", "female", "female", "female", "male", "male", None]
    groups = ["a", "b", "c", "d", "e", "f", "g"]
    female, male, unknown = subgroup_rows(positive, score, 0.5, {"sex": sex}, groups)["sex"]
    assert (female.attribute, female.value, female.n, female.positives, female.groups) == ("sex", "female", 4, 2, 4)
    assert female.sensitivity is not None
    assert female.specificity is not None
    assert (female.sensitivity.value, female.specificity.value) == (0.5, 0.5)
    assert (female.sensitivity.low, female.sensitivity.high) == wilson_interval(0.5, 2)
    assert female.remark == "few: only 2 positive, only 2 negative"
    assert male.sensitivity is not None
    assert male.specificity is not None
    assert (male.sensitivity.value, male.specificity.value) == (1, 0)
    assert (unknown.value, unknown.n, unknown.sensitivity) == (UNKNOWN, 1, None)
    assert unknown.remark == "few: no positive, only 1 negative"


def test_every_image_is_in_one_row_and_the_threshold_is_the_same() -> None:
    random = np.random.default_rng(0)
    positive, score = random.random(600) < 0.3, random.random(600)
    values = random.choice(["a", "b", "c", ""], 600, p=[0.5, 0.3, 0.15, 0.05]).tolist()
    names = [str(i) for i in range(600)]
    rows = subgroup_rows(positive, score, 0.4, {"site": values}, names, resamples=50)["site"]
    assert sum(row.n for row in rows) == 600
    assert sum(row.positives for row in rows) == positive.sum()
    found = sum(row.sensitivity.value * row.positives for row in rows if row.sensitivity)
    assert found == pytest.approx((score[positive] >= 0.4).sum())
    assert [row.value for row in rows] == ["a", "b", "c", UNKNOWN]


def test_large_groups_have_no_remark_and_a_bootstrap_interval() -> None:
    random = np.random.default_rng(0)
    positive, score = np.arange(400) % 2 == 0, random.random(400)
    names = [str(i) for i in range(400)]
    (row,) = subgroup_rows(positive, score, 0.3, {"sex": ["female"] * 400}, names, resamples=500)["sex"]
    assert row.remark == ""
    assert row.sensitivity is not None
    assert (row.sensitivity.low, row.sensitivity.high) != wilson_interval(row.sensitivity.value, 200)
    assert row.sensitivity.low < row.sensitivity.value < row.sensitivity.high


def test_copies_of_a_lesion_do_not_narrow_the_interval() -> None:
    random = np.random.default_rng(0)
    score = np.repeat(random.random(60), 10)
    positive = np.ones(600, np.bool_)
    sex = {"sex": ["male"] * 600}
    (grouped,) = subgroup_rows(positive, score, 0.5, sex, [f"{i // 10}" for i in range(600)])["sex"]
    (naive,) = subgroup_rows(positive, score, 0.5, sex, [str(i) for i in range(600)])["sex"]
    assert grouped.sensitivity is not None
    assert naive.sensitivity is not None
    width = grouped.sensitivity.high - grouped.sensitivity.low
    assert width > 2 * (naive.sensitivity.high - naive.sensitivity.low)
    assert (grouped.groups, naive.groups) == (60, 600)


def test_a_wanted_order_comes_first() -> None:
    ages = [age_band(age) for age in (85, 85, 85, 30, 30, 50, None)]
    rows = subgroup_rows(
        np.ones(7, np.bool_), np.ones(7), 0.5, {"age": ages, "site": list("xyxyxyx")}, list("abcdefg"),
        orders={"age": AGE_BANDS},
    )  # fmt: skip
    assert [row.value for row in rows["site"]] == ["x", "y"]
    assert [row.value for row in rows["age"]] == ["20 to 39", "40 to 59", "80 and over", UNKNOWN]


def test_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="sex differ in length: 2, 2, 1, 2"):
        subgroup_rows(np.ones(2, np.bool_), np.ones(2), 0.5, {"sex": ["male"]}, ["a", "b"])


def test_all_attributes_rest_on_the_same_resamples() -> None:
    random = np.random.default_rng(0)
    positive, score = np.arange(400) % 2 == 0, random.random(400)
    sex = ["female" if i % 3 else "male" for i in range(400)]
    rows = subgroup_rows(positive, score, 0.3, {"sex": sex, "again": sex}, [str(i) for i in range(400)], resamples=50)
    for one, other in zip(rows["sex"], rows["again"], strict=True):
        assert (one.sensitivity, one.specificity) == (other.sensitivity, other.specificity)
