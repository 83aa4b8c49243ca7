"""What counts as a probability distribution over classes, and its logarithm. Torch-free."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMALLEST_PROBABILITY = 1e-12
"""Zero counts as this where a logarithm is taken: no single member can rule a class out beyond all others' say."""

SUM_TOLERANCE = 1e-3
"""How far a sum may be from one, so that half precision and rounded tables are taken."""


def unusable_rows(probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Where the last axis of `[..., K]` is no distribution: not finite, negative, or not summing to one; `[...]`."""
    with np.errstate(invalid="ignore"):  # infinities of both signs have no sum, and the row is refused as it should be
        off = ~(np.abs(probabilities.sum(axis=-1) - 1) <= SUM_TOLERANCE)  # written so that NaN is off
    return np.asarray(off | ~(probabilities >= 0).all(axis=-1))


def checked_probabilities(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """The same probabilities in double precision, each row divided by its sum.

    Args:
        probabilities: `[M, ..., K]`, what M members say of K classes.

    Raises:
        ValueError: If there are no members or no classes, or a row holds NaN or is no distribution.
    """
    wide = np.asarray(probabilities, np.float64)
    if wide.ndim < 2 or 0 in (wide.shape[0], wide.shape[-1]):
        raise ValueError(f"probabilities: expected members first and classes last, got the shape {wide.shape}")
    wrong = np.argwhere(unusable_rows(wide))
    if len(wrong):
        where = tuple(wrong[0].tolist())
        raise ValueError(
            f"probabilities{list(where)} are {wide[where].tolist()}; expected 0 to 1, summing to one "
            f"({len(wrong)} such rows in all)"
        )
    return np.asarray(wide / wide.sum(axis=-1, keepdims=True), np.float64)


def log_probabilities(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Natural logarithms of `[..., K]`, which softmax turns back; zero counts as `SMALLEST_PROBABILITY`."""
    return np.log(np.clip(np.asarray(probabilities, np.float64), SMALLEST_PROBABILITY, None))


def at_equal_frequencies(probabilities: NDArray[np.floating], frequencies: ArrayLike) -> NDArray[np.float64]:
    """The same distributions for a world where all classes are equally frequent.

    Args:
        probabilities: `[..., K]`, at the frequencies; each row sums to one.
        frequencies: `[K]`, share of each class, above 0.

    Returns:
        `[..., K]`, each row summing to one.
    """
    odds = np.asarray(probabilities, np.float64) / np.asarray(frequencies, np.float64)
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True), np.float64)
