"""From logits to probabilities that mean what they say. Torch-free.

References:
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (temperature).
    Alexandari, Kundaje, Shrikumar, Maximum Likelihood with Bias-Corrected Calibration, ICML 2020 (bias).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LARGEST_BIAS = 8.0


def calibrated_probabilities(
    logits: NDArray[np.floating], temperature: float, bias: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Softmax of `logits / temperature + bias` over the last axis.

    Args:
        logits: `[..., K]`.
        temperature: Positive; above one softens.
        bias: `[K]`.
    """
    scaled = np.asarray(logits, np.float64) / temperature + np.asarray(bias, np.float64)
    shifted = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float64)


def fit_calibration(
    logits: NDArray[np.floating], labels: NDArray[np.integer], *, equal_classes: bool = False
) -> tuple[float, NDArray[np.float64]]:
    """Temperature and bias that make held-out labels most likely.

    Args:
        logits: `[N, K]` on images the classifier was not trained on.
        labels: `[N]` in 0…K-1.
        equal_classes: Weigh every class alike and fit the temperature alone: the probabilities then speak of a world
            where all classes are equally frequent. Otherwise they speak of the frequencies among `labels`.

    Returns:
        Temperature and `[K]` bias with mean zero.
    """
    from scipy.optimize import minimize

    classes = logits.shape[1]
    rows = np.arange(len(labels))
    counts = np.bincount(labels, minlength=classes)
    weights = 1.0 / counts[labels] if equal_classes else np.ones(len(labels))
    weights = weights / weights.sum()

    truth = np.eye(classes)[labels]

    def negative_log_likelihood(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        temperature, bias = float(np.exp(parameters[0])), parameters[1:]
        probabilities = calibrated_probabilities(logits, temperature, bias)
        likelihood = np.log(np.clip(probabilities[rows, labels], 1e-12, None))
        loss: float = -np.dot(weights, likelihood) + 1e-3 * float(np.square(bias).sum()) / classes
        # The derivative by the scaled logits is the error of the probabilities; by the logarithm of the temperature,
        # scaled logits without their bias move against it.
        error = weights[:, None] * (probabilities - truth)
        slope = -float((error * logits).sum()) / temperature
        return loss, np.concatenate([[slope], error.sum(axis=0) + 2e-3 * bias / classes])

    reach = 0.0 if equal_classes else _LARGEST_BIAS
    bounds = [(-3.0, 3.0)] + [(-reach, reach)] * classes
    fitted = minimize(negative_log_likelihood, np.zeros(classes + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(np.exp(fitted[0])), fitted[1:] - fitted[1:].mean()
