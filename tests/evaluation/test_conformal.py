from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.evaluation.conformal import Method, fit, summarise_sets

METHODS: tuple[Method, ...] = ("lac", "aps")


def drawn(
    count: int, seed: int, shares: tuple[float, ...] = (0.6, 0.3, 0.1)
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Labels, and probabilities of a classifier that is too sure of itself."""
    random = np.random.default_rng(seed)
    labels = random.choice(len(shares), count, p=shares)
    logits = random.normal(0, 1, (count, len(shares))) + 1.2 * np.eye(len(shares))[labels]
    exponents = np.exp(2 * logits)
    return labels.astype(np.intp), exponents / exponents.sum(axis=1, keepdims=True)


def test_lac_by_hand() -> None:
    # Scores 1 - p of the truth: 0.1 to 0.9; the ceil(10 · 0.8) = 8th smallest is 0.8.
    p = np.arange(0.9, 0.05, -0.1)
    sets = fit(np.zeros(9, np.intp), np.stack([p, 1 - p], axis=1), 0.8, method="lac")
    assert sets.thresholds == pytest.approx([0.8, 0.8])
    probabilities = np.array([[0.95, 0.05], [0.5, 0.5], [0.21, 0.79], [0.19, 0.81]])
    assert sets.sets(probabilities).tolist() == [[True, False], [True, True], [True, True], [False, True]]


def test_aps_by_hand() -> None:
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    # Sums down to the truth: 0.6, 0.8, 0.7 and 0.8; the ceil(5 · 0.6) = 3rd smallest is 0.8.
    sets = fit(np.array([0, 2, 0, 2]), probabilities, 0.6, method="aps")
    assert sets.thresholds == pytest.approx([0.8] * 3)
    tried = np.array([[0.5, 0.29, 0.21], [0.1, 0.85, 0.05], [0.45, 0.1, 0.45]])
    assert sets.sets(tried).tolist() == [[True, True, False], [False, True, False], [True, False, False]]


def test_aps_always_answers_something_and_lac_may_not() -> None:
    p = np.full(50, 0.9)
    probabilities = np.stack([p, 1 - p], axis=1)
    unsure, sure = np.array([[0.5, 0.5]]), np.array([[0.99, 0.01]])
    labels = np.zeros(50, np.intp)
    assert not fit(labels, probabilities, 0.9, method="lac").sets(unsure).any()
    assert fit(labels, probabilities, 0.9, method="aps").sets(sure).tolist() == [[True, False]]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_the_promise_holds_on_average(method: Method, coverage: float) -> None:
    found = []
    for seed in range(60):
        labels, probabilities = drawn(1200, seed)
        sets = fit(labels[:200], probabilities[:200], coverage, method=method)
        found.append(summarise_sets(labels[200:], sets.sets(probabilities[200:])).coverage)
    assert np.mean(found) > coverage - 0.005
    assert np.mean(found) < coverage + (0.02 if method == "lac" else 0.15)


@pytest.mark.parametrize("method", METHODS)
def test_class_conditional_sets_keep_the_promise_for_the_rare_class(method: Method) -> None:
    labels, probabilities = drawn(8000, 0, (0.8, 0.16, 0.04))
    # The classifier looks down on the rare class.
    probabilities = probabilities * [1, 1, 0.2]
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    summaries = []
    for conditional in (False, True):
        sets = fit(labels[:4000], probabilities[:4000], 0.9, method=method, class_conditional=conditional)
        summaries.append(summarise_sets(labels[4000:], sets.sets(probabilities[4000:])))
    assert summaries[0].class_coverage[2] < 0.85
    assert summaries[1].class_coverage[2] > 0.87
    assert summaries[1].mean_size > summaries[0].mean_size


@pytest.mark.parametrize("method", METHODS)
def test_too_few_images_mean_every_class(method: Method) -> None:
    labels, probabilities = drawn(8, 0)
    assert fit(labels, probabilities, 0.9, method=method).sets(probabilities).all()
    assert not fit(labels, probabilities, 0.5, method=method).sets(probabilities).all()
    labels = np.array([0] * 30 + [1] * 3)
    probabilities = np.tile([0.7, 0.2, 0.1], (33, 1))
    sets = fit(labels, probabilities, 0.9, method=method, class_conditional=True)
    assert np.isfinite(sets.thresholds).tolist() == [True, False, False]
    assert sets.calibration_images.tolist() == [30, 3, 0]
    assert sets.sets(probabilities)[:, 1:].all()


@pytest.mark.parametrize(("n", "finite"), [(8, False), (9, True), (18, True)])
def test_the_rank_is_exact(n: int, finite: bool) -> None:
    # 0.9 · (9 + 1) is 9 and not a hair more.
    probabilities = np.tile([0.8, 0.2], (n, 1))
    assert np.isfinite(fit(np.zeros(n, np.intp), probabilities, 0.9).thresholds[0]) == finite


def test_a_sum_that_rounds_below_one_does_not_lose_the_last_class() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(7), 300)
    last = probabilities.argmin(axis=1)
    sets = fit(last, probabilities, 0.9, method="aps")
    assert sets.sets(probabilities).all()
    rounded = fit(np.full(20, 2), np.tile([0.6, 0.3, 0.0999], (20, 1)), 0.9, method="aps")
    assert rounded.sets(np.array([[0.6, 0.3, 0.1]])).all()


def test_summary_by_hand() -> None:
    sets = np.array([[True, False, False], [True, True, False], [False, False, False], [False, True, False]])
    found = summarise_sets(np.array([0, 1, 1, 0]), sets)
    assert (found.coverage, found.mean_size, found.single, found.empty, found.n) == (0.5, 1.0, 0.5, 0.25, 4)
    assert found.class_coverage == pytest.approx([0.5, 0.5, float("nan")], nan_ok=True)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0])
def test_bad_input_is_refused(coverage: float) -> None:
    with pytest.raises(ValueError, match="coverage must be"):
        fit(*drawn(20, 0), coverage)
    with pytest.raises(ValueError, match="no rows"):
        fit(np.zeros(0, np.intp), np.zeros((0, 3)))
