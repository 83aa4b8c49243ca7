from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.heads.calibration import calibrated_probabilities, fit_calibration

FloatArray = NDArray[np.float64]


def drawn(count: int, temperature: float, bias: list[float], seed: int = 0) -> tuple[FloatArray, NDArray[np.int64]]:
    """Logits, and labels drawn from what the calibration should make of them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, len(bias)))
    cumulative = calibrated_probabilities(logits, temperature, np.array(bias)).cumsum(axis=1)
    labels = (random.random(count)[:, None] > cumulative[:, :-1]).sum(axis=1)
    return logits, labels.astype(np.int64)


def test_value_by_hand() -> None:
    probabilities = calibrated_probabilities(np.array([2 * np.log(3), 0.0]), 2.0, np.zeros(2))
    np.testing.assert_allclose(probabilities, [0.75, 0.25])
    probabilities = calibrated_probabilities(np.zeros(2), 1.0, np.array([np.log(4), 0.0]))
    np.testing.assert_allclose(probabilities, [0.8, 0.2])


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
def test_every_distribution_sums_to_one(shape: tuple[int, ...]) -> None:
    logits = np.random.default_rng(0).normal(0, 300, shape).astype(np.float32)
    probabilities = calibrated_probabilities(logits, 0.7, np.array([1.0, -1.0, 0.0]))
    assert probabilities.shape == shape
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1)


@pytest.mark.parametrize(
    ("temperature", "bias"),
    [(1.0, [0.0, 0.0]), (2.5, [0.0, 0.0, 0.0]), (0.5, [1.0, -1.0]), (1.6, [0.8, 0.2, -1.0])],
)
def test_the_fit_recovers_temperature_and_bias(temperature: float, bias: list[float]) -> None:
    fitted, fitted_bias = fit_calibration(*drawn(20_000, temperature, bias))
    assert fitted == pytest.approx(temperature, rel=0.06)
    assert fitted_bias.mean() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(fitted_bias, bias, atol=0.08)


def test_without_equal_classes_probabilities_match_the_frequencies() -> None:
    logits, labels = drawn(5000, 1.5, [1.5, 0.0, -1.5])
    probabilities = calibrated_probabilities(logits, *fit_calibration(logits, labels))
    np.testing.assert_allclose(probabilities.mean(axis=0), np.bincount(labels) / len(labels), atol=0.005)


def test_equal_classes_ignore_how_frequent_a_class_is() -> None:
    logits, labels = drawn(6000, 2.0, [0.0, 0.0, 0.0])
    temperature, bias = fit_calibration(logits, labels, equal_classes=True)
    assert temperature == pytest.approx(2.0, rel=0.1)
    assert not bias.any()
    repeated = np.concatenate([np.arange(len(labels)), *[np.flatnonzero(labels == 0)] * 9])
    again, _ = fit_calibration(logits[repeated], labels[repeated], equal_classes=True)
    assert again == pytest.approx(temperature, rel=1e-3)


def test_a_class_that_never_occurs_keeps_everything_finite() -> None:
    logits, labels = drawn(500, 1.0, [0.0, 0.0])
    wider = np.concatenate([logits, np.zeros((500, 1))], axis=1)
    for equal_classes in (False, True):
        temperature, bias = fit_calibration(wider, labels, equal_classes=equal_classes)
        assert np.isfinite(temperature)
        assert np.isfinite(bias).all()
