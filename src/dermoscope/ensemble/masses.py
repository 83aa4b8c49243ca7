"""What each member says as masses of belief: on single classes, and on the frame, the set of all of them. Torch-free.

References:
    Shafer, A Mathematical Theory of Evidence, Princeton University Press 1976 (masses, discounting).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.ensemble.probabilities import SUM_TOLERANCE, checked_probabilities

_FARTHEST_FROM_HALF = 0.49


@dataclass(frozen=True, eq=False)
class Masses:
    """Belief of M members; each member's masses sum to one.

    Attributes:
        singletons: `[M, ..., K]`, 0 to 1: that it is this class and no other.
        frame: `[M, ...]`, 0 to 1: that it is one of the classes, without a word on which.

    Raises:
        ValueError: If the shapes do not belong together, or masses are NaN, negative or do not sum to one.
    """

    singletons: NDArray[np.float64]
    frame: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.singletons.ndim < 2 or 0 in (len(self.singletons), self.singletons.shape[-1]):
            raise ValueError(f"singletons: expected members first, classes last, got the shape {self.singletons.shape}")
        if self.frame.shape != self.singletons.shape[:-1]:
            raise ValueError(f"frame: expected the shape {self.singletons.shape[:-1]}, got {self.frame.shape}")
        parts = np.concatenate([self.singletons, self.frame[..., None]], axis=-1)
        # Both written so that NaN fails them.
        if not ((parts >= 0).all() and (np.abs(parts.sum(axis=-1) - 1) <= SUM_TOLERANCE).all()):
            raise ValueError("masses of a member must be zero or more and sum to one")


def plain(probabilities: NDArray[np.floating]) -> Masses:
    """Probabilities as masses on single classes; the frame has none.

    Args:
        probabilities: `[M, ..., K]`, each row summing to one.

    Raises:
        ValueError: If a row holds NaN or is no distribution.
    """
    singletons = checked_probabilities(probabilities)
    return Masses(singletons, np.zeros(singletons.shape[:-1]))


def accuracy_weighted(probabilities: NDArray[np.floating], accuracies: Sequence[float]) -> Masses:
    """Masses for two classes, drawn away from one half the more, the more accurate the member.

    The probability s of the second class becomes the mass `0.5 + clip(tan(π/2 w) (s - 0.5), -0.49, 0.49)`, the first
    class has the rest. A member that is right half of the time keeps its probabilities, save those beyond 0.01 and
    0.99; one that is never right says 0.5; one that is always right says 0.01 or 0.99, and 0.5 only where s is 0.5.

    Args:
        probabilities: `[M, ..., 2]`, each row summing to one.
        accuracies: The share w of validation images that each of the M members got right, 0 to 1.

    Raises:
        ValueError: If there are not two classes, an accuracy is missing or out of range, or a row is no distribution.

    References:
        The classical binary system of A. Cartaya and M. Rivas, University of Girona, 2023.
    """
    given = checked_probabilities(probabilities)
    if given.shape[-1] != 2:
        raise ValueError(f"masses weighted by accuracy are defined for two classes, got {given.shape[-1]}")
    # The double nearest to π/2 lies below it: the slope of w = 1 is huge, yet finite and positive, and 0.5 stays 0.5.
    slope = np.tan(np.pi / 2 * _one_a_member(accuracies, given))
    reach = _FARTHEST_FROM_HALF
    second = 0.5 + np.clip(slope * (given[..., 1] - 0.5), -reach, reach)
    return Masses(np.stack([1 - second, second], axis=-1), np.zeros(second.shape))


def discounted(probabilities: NDArray[np.floating], reliabilities: Sequence[float]) -> Masses:
    """Shafer's discounting: mass `w p_c` on each class c, and `1 - w` on the frame.

    Args:
        probabilities: `[M, ..., K]`, each row summing to one.
        reliabilities: How far each of the M members is trusted, w, 0 (says nothing) to 1 (its word is taken as it is);
            its accuracy on validation images, for one.

    Raises:
        ValueError: If a reliability is missing or out of range, or a row is no distribution.

    References:
        Shafer 1976, chapter 11.
    """
    given = checked_probabilities(probabilities)
    trust = np.broadcast_to(_one_a_member(reliabilities, given), given.shape[:-1])
    return Masses(trust[..., None] * given, 1 - trust)


def _one_a_member(weights: Sequence[float], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights as an array that stretches over `[M, ...]`."""
    checked = np.asarray(weights, np.float64)
    if checked.shape != (len(probabilities),) or not ((checked >= 0) & (checked <= 1)).all():
        raise ValueError(f"expected one weight a member, {len(probabilities)}, each 0 to 1, got {list(weights)}")
    return checked.reshape(-1, *[1] * (probabilities.ndim - 2))
