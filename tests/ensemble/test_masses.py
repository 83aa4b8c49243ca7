from __future__ import annotations

import numpy as np
import pytest

from dermoscope.ensemble.masses import Masses, accuracy_weighted, discounted, plain

NAN = float("nan")


def second(score: float, accuracy: float) -> float:
    """Mass of the second class for its score."""
    masses = accuracy_weighted(np.array([[1 - score, score]]), [accuracy])
    assert masses.frame.tolist() == [0.0]
    assert masses.singletons.sum() == pytest.approx(1)
    return float(masses.singletons[0, 1])


def test_plain_masses_are_the_probabilities() -> None:
    given = np.random.default_rng(0).dirichlet([1, 1, 1], (2, 5))
    masses = plain(given)
    np.testing.assert_allclose(masses.singletons, given)
    assert masses.frame.shape == (2, 5)
    assert not masses.frame.any()


@pytest.mark.parametrize(
    ("score", "accuracy", "expected"),
    [
        (0.8, 0.5, 0.8),  # tan(π/4) = 1
        (0.2, 0.5, 0.2),
        (0.995, 0.5, 0.99),  # clipped
        (0.0, 0.5, 0.01),
        (0.6, 2 / 3, 0.5 + 3**0.5 * 0.1),  # tan(π/3) = √3
        (0.4, 2 / 3, 0.5 - 3**0.5 * 0.1),
        (0.8, 1 / 3, 0.5 + 3**-0.5 * 0.3),  # tan(π/6) = 1/√3
        (0.9, 2 / 3, 0.99),
        (0.9, 0.0, 0.5),
        (0.500001, 1.0, 0.99),
        (0.499999, 1.0, 0.01),
        (0.5, 1.0, 0.5),
        (1.0, 1.0, 0.99),
        (0.0, 1.0, 0.01),
    ],
)
def test_accuracy_weighting_by_hand(score: float, accuracy: float, expected: float) -> None:
    assert second(score, accuracy) == pytest.approx(expected, abs=1e-12)


def test_accuracy_weighting_treats_both_classes_alike() -> None:
    given = np.random.default_rng(0).dirichlet([1, 1], (3, 50))
    accuracies = [0.3, 0.7, 1.0]
    forth = accuracy_weighted(given, accuracies).singletons
    back = accuracy_weighted(given[..., ::-1], accuracies).singletons
    np.testing.assert_allclose(forth, back[..., ::-1], atol=1e-12)


def test_every_member_has_its_own_accuracy() -> None:
    masses = accuracy_weighted(np.full((2, 3, 4, 2), [0.2, 0.8]), [0.5, 0.0])
    assert masses.singletons.shape == (2, 3, 4, 2)
    np.testing.assert_allclose(masses.singletons[0, ..., 1], 0.8)
    np.testing.assert_allclose(masses.singletons[1, ..., 1], 0.5)


def test_accuracy_weighting_is_for_two_classes() -> None:
    with pytest.raises(ValueError, match="defined for two classes, got 3"):
        accuracy_weighted(np.full((1, 3), 1 / 3), [0.5])


def test_discounting_by_hand() -> None:
    masses = discounted(np.array([[[0.5, 0.3, 0.2]], [[1.0, 0.0, 0.0]]]), [0.9, 0.25])
    np.testing.assert_allclose(masses.singletons, [[[0.45, 0.27, 0.18]], [[0.25, 0, 0]]])
    np.testing.assert_allclose(masses.frame, [[0.1], [0.75]])


def test_full_trust_is_plain_and_no_trust_says_nothing() -> None:
    given = np.random.default_rng(0).dirichlet([1, 1, 1], (1, 5))
    trusted, silent = discounted(given, [1.0]), discounted(given, [0.0])
    np.testing.assert_array_equal(trusted.singletons, plain(given).singletons)
    assert not trusted.frame.any()
    assert not silent.singletons.any()
    assert (silent.frame == 1).all()


@pytest.mark.parametrize("weights", [[0.5], [0.5, 0.5, 0.5], [0.5, 1.01], [-0.1, 0.5], [0.5, NAN]])
def test_weights_are_one_a_member_and_shares(weights: list[float]) -> None:
    given = np.full((2, 4, 2), 0.5)
    for weighted in (accuracy_weighted, discounted):
        with pytest.raises(ValueError, match="expected one weight a member, 2, each 0 to 1"):
            weighted(given, weights)


def test_missing_probabilities_are_refused() -> None:
    given = np.array([[0.5, 0.5], [NAN, NAN]])
    with pytest.raises(ValueError, match=r"probabilities\[1\]"):
        plain(given)
    for weighted in (accuracy_weighted, discounted):
        with pytest.raises(ValueError, match=r"probabilities\[1\]"):
            weighted(given, [0.5, 0.5])


@pytest.mark.parametrize(
    ("singletons", "frame", "message"),
    [
        ([[0.5, NAN]], [0.5], "zero or more and sum to one"),
        ([[0.5, 0.5]], [NAN], "zero or more and sum to one"),
        ([[0.5, 0.5]], [0.5], "zero or more and sum to one"),
        ([[-0.5, 0.5]], [1.0], "zero or more and sum to one"),
        ([[0.5, 0.5]], [0.0, 0.0], r"frame: expected the shape \(1,\), got \(2,\)"),
        ([0.5, 0.5], [0.0], "singletons: expected members first, classes last"),
        ([[], []], [1.0, 1.0], "singletons: expected members first, classes last"),
    ],
)
def test_masses_that_are_none(singletons: list[list[float]], frame: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Masses(np.array(singletons), np.array(frame))
