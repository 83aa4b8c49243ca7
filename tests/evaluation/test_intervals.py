from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap

Rows = NDArray[np.intp]


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = grouped_bootstrap(lambda rows: float(values[rows].mean()), [str(i) for i in range(400)], resamples=2000)
    assert found.value == pytest.approx(values.mean())
    error = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - error, abs=0.02)
    assert found.high == pytest.approx(values.mean() + error, abs=0.02)
    assert (found.n, found.groups) == (400, 400)


def test_copies_of_an_image_do_not_make_the_interval_narrower() -> None:
    values = np.repeat(np.random.default_rng(0).normal(0, 1, 50), 9)
    lesions = [f"lesion {number // 9}" for number in range(450)]
    grouped = grouped_bootstrap(lambda rows: float(values[rows].mean()), lesions)
    naive = grouped_bootstrap(lambda rows: float(values[rows].mean()), [str(i) for i in range(450)])
    assert grouped.high - grouped.low > 2 * (naive.high - naive.low)
    assert (grouped.n, grouped.groups) == (450, 50)


def test_groups_stay_whole_wherever_their_rows_lie() -> None:
    groups = ["b", "a", "b", "c", "a", "b"]
    size = {name: groups.count(name) for name in groups}

    def whole(rows: Rows) -> float:
        drawn = [groups[row] for row in rows]
        for name, rows_each in size.items():
            assert drawn.count(name) % rows_each == 0
        members = {name: sorted(int(row) for row in set(rows.tolist()) if groups[row] == name) for name in set(drawn)}
        assert all(len(found) == size[name] for name, found in members.items())
        return float(len(rows))

    grouped_bootstrap(whole, groups, resamples=50)


def test_one_seed_gives_one_interval() -> None:
    values = np.arange(20.0)
    groups = [str(i) for i in range(20)]
    first, again, other = (
        grouped_bootstrap(lambda rows: float(values[rows].mean()), groups, resamples=50, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_resamples_that_cannot_be_scored_are_left_out() -> None:
    values = np.array([1.0, 2.0, 3.0])
    found = grouped_bootstrap(
        lambda rows: float(values[rows].mean()) if len(set(rows.tolist())) > 1 else float("nan"), ["a", "b", "c"]
    )
    assert np.isfinite([found.low, found.high]).all()


def test_no_rows_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rows to score"):
        grouped_bootstrap(lambda rows: float(len(rows)), [])


def test_text() -> None:
    assert str(Estimate(0.98765, 0.9, 1.0, 10, 5)) == "0.9877 (0.9000 to 1.0000)"
