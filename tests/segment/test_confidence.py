from __future__ import annotations

import numpy as np
import pytest

from dermoscope.segment.confidence import believed_overlap, expected_overlap, fit_expected_overlap


@pytest.mark.parametrize(
    ("score", "slope", "intercept", "expected"),
    [
        (0.5, 2.0, 0.0, 0.5),
        (0.8, 1.0, 0.0, 0.8),
        (0.8, 0.0, 1.0, 1 / (1 + np.exp(-1))),
        (0.9, 0.5, 0.0, 0.75),  # odds of 9 to the power of a half: 3 to 1
    ],
)
def test_value(score: float, slope: float, intercept: float, expected: float) -> None:
    assert expected_overlap(score, slope, intercept) == pytest.approx(expected)


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_the_ends_are_finite(score: float) -> None:
    assert 0 < expected_overlap(score, 1.3, 2.5) < 1


def test_a_better_score_promises_a_better_mask() -> None:
    promised = [expected_overlap(score, 1.3, 2.5) for score in np.linspace(0, 1, 11)]
    assert promised == sorted(promised)
    assert promised[0] < promised[5] < promised[-1]


@pytest.mark.parametrize(("slope", "intercept"), [(1.3, 2.5), (0.4, -0.5)])
def test_the_fit_recovers_what_made_the_data(slope: float, intercept: float) -> None:
    random = np.random.default_rng(0)
    scores = random.uniform(0.02, 0.98, 500)
    overlaps = [expected_overlap(score, slope, intercept) for score in scores] + random.normal(0, 0.01, 500)
    fitted = fit_expected_overlap(scores.tolist(), overlaps.tolist())
    assert fitted == pytest.approx((slope, intercept), abs=0.03)


@pytest.mark.parametrize(("scores", "overlaps"), [([0.4], [0.8]), ([0.1, 0.9], [0.7, 0.9])])
def test_too_few_masks_are_promised_their_mean(scores: list[float], overlaps: list[float]) -> None:
    slope, intercept = fit_expected_overlap(scores, overlaps)
    assert expected_overlap(0.2, slope, intercept) == pytest.approx(0.8)


def test_a_fit_that_does_not_converge_promises_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise RuntimeError("Optimal parameters not found")

    monkeypatch.setattr("scipy.optimize.curve_fit", never)
    slope, intercept = fit_expected_overlap([0.1, 0.5, 0.9], [0.5, 0.6, 0.7])
    assert expected_overlap(0.2, slope, intercept) == pytest.approx(0.6)


def test_believed_overlap() -> None:
    sure = np.array([[20.0, 20.0], [-20.0, -20.0]], np.float32)
    assert believed_overlap(sure) == pytest.approx(1.0)
    assert believed_overlap(-np.abs(sure)) == 0
    # Half believed inside (two pixels of 0.75), half feared outside (two of 0.25): 1.5 of 2 + 2 - 1.5.
    odds = np.float32(np.log(3.0))
    assert believed_overlap(np.array([[odds, odds], [-odds, -odds]])) == pytest.approx(1.5 / 2.5)
