"""Answers as sets of classes that hold the truth as often as promised.

The promise, for images drawn like the calibration images: the set holds the true class with at least the wanted
probability, averaged over images (`class_conditional=False`) or over the images of each class. It says nothing about
images from elsewhere, and images of one lesion are not independent draws: calibrate on one image a lesion.

References:
    LAC: Sadinle, Lei and Wasserman, Least ambiguous set-valued classifiers with bounded error levels, JASA 2019.
    APS: Romano, Sesia and Candès, Classification with valid and adaptive coverage, NeurIPS 2020.
    The finite-sample quantile: Vovk, Gammerman and Shafer, Algorithmic learning in a random world, 2005; as written
    here in Angelopoulos and Bates, A gentle introduction to conformal prediction, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Method = Literal["lac", "aps"]


@dataclass(frozen=True)
class ConformalSets:
    """Prediction sets, calibrated.

    Attributes:
        method: `lac` takes every class probable enough, which gives the smallest sets on average but may give an empty
            one where nothing is probable: read that as an abstention. `aps` takes the most probable classes until their
            sum is large enough, so that hard images get larger sets; at least one class is always in.
        coverage: The promised probability that the true class is in the set.
        thresholds: `[K]` the largest nonconformity score each class may have; infinity where there were too few
            calibration images, and the class is then in every set.
        class_conditional: Whether the promise holds for each class by itself.
        calibration_images: `[K]` images of each class the thresholds come from.
    """

    method: Method
    coverage: float
    thresholds: NDArray[np.float64]
    class_conditional: bool
    calibration_images: NDArray[np.intp]

    def sets(self, probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
        """The set of each image.

        Args:
            probabilities: `[N, K]`, from the model and calibration that `fit` saw.

        Returns:
            `[N, K]`, true where a class is in the set.
        """
        scores = _nonconformity(probabilities, self.method)
        chosen = np.asarray(scores <= self.thresholds)
        if self.method == "aps":
            chosen[np.arange(len(chosen)), probabilities.argmax(axis=1)] = True
        return chosen


@dataclass(frozen=True)
class SetSummary:
    """How prediction sets did on labelled images.

    Attributes:
        coverage: Share of images whose set holds the true class.
        mean_size: Classes in a set, on average.
        single: Share of sets with one class.
        empty: Share of sets with none.
        class_coverage: `[K]` coverage among the images of each class; NaN for a class without images.
        n: Images.
    """

    coverage: float
    mean_size: float
    single: float
    empty: float
    class_coverage: NDArray[np.float64]
    n: int


def fit(
    labels: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    coverage: float = 0.9,
    *,
    method: Method = "lac",
    class_conditional: bool = False,
) -> ConformalSets:
    """Calibrate prediction sets on validation images that the model was not trained on.

    Sets are deterministic: the same image always gets the same set. The price is that `aps` covers a little more than
    promised, where its randomised form would cover exactly that.

    Args:
        labels: `[N]` in 0…K-1.
        probabilities: `[N, K]`.
        coverage: Promised probability that the true class is in the set, above 0 and below 1.
        method: `lac` or `aps`.
        class_conditional: Promise it for each class by itself; rare classes then cost large sets.

    Raises:
        ValueError: If there are no rows or the coverage is out of range.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must be above 0 and below 1, not {coverage}")
    if not len(labels):
        raise ValueError("no rows to calibrate prediction sets on")
    classes = probabilities.shape[1]
    scores = _nonconformity(probabilities, method)[np.arange(len(labels)), labels]
    if class_conditional:
        thresholds = np.array([_quantile(scores[labels == number], coverage) for number in range(classes)])
    else:
        thresholds = np.full(classes, _quantile(scores, coverage))
    images = np.bincount(labels, minlength=classes)
    return ConformalSets(method, coverage, thresholds, class_conditional, images)


def summarise_sets(labels: NDArray[np.integer], sets: NDArray[np.bool_]) -> SetSummary:
    """Score prediction sets on images that neither the model nor `fit` saw.

    Args:
        labels: `[N]` in 0…K-1.
        sets: `[N, K]` from `ConformalSets.sets`.
    """
    covered, size = sets[np.arange(len(labels)), labels], sets.sum(axis=1)
    of_class = [covered[labels == number] for number in range(sets.shape[1])]
    return SetSummary(
        coverage=float(covered.mean()),
        mean_size=float(size.mean()),
        single=float((size == 1).mean()),
        empty=float((size == 0).mean()),
        class_coverage=np.array([float(each.mean()) if len(each) else float("nan") for each in of_class]),
        n=len(labels),
    )


def _nonconformity(probabilities: NDArray[np.floating], method: Method) -> NDArray[np.float64]:
    """`[N, K]`, 0 to 1, how strange each class would be as the truth."""
    exact = np.asarray(probabilities, np.float64)
    if method == "lac":
        return 1 - exact
    order = np.argsort(-exact, axis=1, kind="stable")
    running = np.take_along_axis(exact, order, axis=1).cumsum(axis=1)
    # A sum that misses one by rounding would let the last class in or out by chance.
    running[:, -1] = 1.0
    scores = np.empty_like(running)
    np.put_along_axis(scores, order, np.minimum(running, 1.0), axis=1)
    return scores


def _quantile(scores: NDArray[np.float64], coverage: float) -> float:
    """The ⌈(n + 1)·coverage⌉-th smallest score, infinity if there are fewer."""
    rank = int(np.ceil(round((len(scores) + 1) * coverage, 9)))
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else float("inf")
