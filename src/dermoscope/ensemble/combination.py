"""Rules that make one distribution over classes of several. Torch-free.

Every rule runs over the first axis of `[M, ..., K]`, M members and K classes, and gives `[..., K]`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dermoscope.ensemble.masses import Masses
from dermoscope.ensemble.probabilities import SMALLEST_PROBABILITY, checked_probabilities, log_probabilities
from dermoscope.heads.calibration import calibrated_probabilities

STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
"""Inverse strengths of the L2 penalty that stacking tries, scikit-learn's C."""

_ITERATIONS = 2000


def dempster_shafer(masses: Masses) -> NDArray[np.float64]:
    """Dempster's rule: belief that agrees is multiplied, belief that contradicts itself is dropped.

    Of masses on single classes and on the frame, the combined ones are, before they are made to sum to one,
    `Π_m (s_mc + f_m) - Π_m f_m` for class c and `Π_m f_m` for the frame. What the frame has left is then shared evenly
    among the classes, the pignistic probability. With nothing on the frame, all that is the normalised product of
    probabilities.

    A factor below 1e-12 counts as 1e-12. This also says what becomes of members in total conflict, for whom the rule
    itself has no answer: the classes that the fewest members rule out share the probability.

    The rule takes members for independent witnesses. Networks that learnt from the same images are not, so the result
    is surer than it should be: order classes by it, and calibrate it before its numbers are believed.

    Args:
        masses: Of M members.

    Returns:
        `[..., K]`, each row summing to one.

    References:
        Shafer, A Mathematical Theory of Evidence, Princeton University Press 1976, chapters 3 and 4.
        Smets and Kennes, The transferable belief model, Artificial Intelligence 66, 1994 (pignistic probability).
    """
    # The rule multiplies commonalities, what a member grants to a class and to all that contains it.
    commonality = np.clip(masses.singletons + masses.frame[..., None], SMALLEST_PROBABILITY, None)
    agreed = np.log(commonality).sum(axis=0)
    with np.errstate(divide="ignore"):  # a member without mass on the frame leaves nothing there: exp(-inf)
        undecided = np.log(masses.frame).sum(axis=0)[..., None]
    largest = agreed.max(axis=-1, keepdims=True)
    classes = agreed.shape[-1]
    pignistic = np.exp(agreed - largest) - np.exp(undecided - largest) * (1 - 1 / classes)
    return np.asarray(pignistic / pignistic.sum(axis=-1, keepdims=True), np.float64)


def mean(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """The arithmetic mean, also called the linear opinion pool.

    Args:
        probabilities: `[M, ..., K]`, each row summing to one.

    Returns:
        `[..., K]`.

    Raises:
        ValueError: If a row holds NaN or is no distribution.
    """
    return np.asarray(checked_probabilities(probabilities).mean(axis=0), np.float64)


def geometric_mean(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """The geometric mean, made to sum to one, also called the logarithmic opinion pool.

    It orders the classes as the product of the probabilities does, but members that agree do not grow surer by it.
    Zero counts as 1e-12, so a class that one of many members rules out can still win.

    Args:
        probabilities: `[M, ..., K]`, each row summing to one.

    Returns:
        `[..., K]`.

    Raises:
        ValueError: If a row holds NaN or is no distribution.

    References:
        Genest and Zidek, Combining Probability Distributions, Statistical Science 1(1), 1986.
    """
    logs = log_probabilities(checked_probabilities(probabilities)).mean(axis=0)
    return calibrated_probabilities(logs, 1.0, np.zeros(logs.shape[-1]))


class Stacking(BaseModel):
    """Multinomial logistic regression on the members' log-probabilities, as plain numbers.

    Attributes:
        coefficients: `[K, M, K]`: what the log-probability that member m gives to class k adds to the logit of class j.
        intercepts: `[K]`.
        strength: Inverse strength of the L2 penalty they were fitted with, scikit-learn's C.

    References:
        Wolpert, Stacked Generalization, Neural Networks 5(2), 1992.
        Ting and Witten, Issues in Stacked Generalization, Journal of Artificial Intelligence Research 10, 1999.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    coefficients: tuple[tuple[tuple[float, ...], ...], ...]
    intercepts: Annotated[tuple[float, ...], Field(min_length=2)]
    strength: Annotated[float, Field(gt=0.0)]

    @model_validator(mode="after")
    def _one_number_a_class(self) -> Self:
        classes, members = len(self.intercepts), self.members
        rows_fit = all(len(of_class) == members for of_class in self.coefficients)
        columns_fit = all(len(row) == classes for of_class in self.coefficients for row in of_class)
        if len(self.coefficients) != classes or members == 0 or not rows_fit or not columns_fit:
            raise ValueError(f"coefficients: expected [{classes}, members, {classes}], as there are intercepts")
        return self

    @property
    def members(self) -> int:
        """How many members it was fitted on, M."""
        return len(self.coefficients[0]) if self.coefficients else 0

    @classmethod
    def fit(
        cls,
        probabilities: NDArray[np.floating],
        labels: NDArray[np.integer],
        lesions: Sequence[str | int],
        *,
        strengths: Sequence[float] = STRENGTHS,
        folds: int = 5,
        classes: Sequence[str] = (),
    ) -> Self:
        """Learn how far to trust which member on which class.

        The strength with the lowest cross-validated log loss is kept, and the regression fitted once more on all
        images with it. Pictures of one lesion are never on both sides. Like the labels, the probabilities then speak of
        a world where classes are as frequent as on these images.

        Args:
            probabilities: `[M, N, K]` on validation images, which no member learnt from.
            labels: `[N]`, 0 to K - 1.
            lesions: Name or number of the lesion on each of the N images.
            strengths: Inverse strengths of the penalty to choose from.
            folds: How many parts the lesions are dealt into; fewer where the rarest class has fewer lesions, and two at
                least.
            classes: Names of the K classes, for messages; by default their numbers.

        Raises:
            ValueError: If the arrays do not belong together, a row is no distribution, a label is out of range, or the
                lesions cannot be dealt into parts so that all classes are in all but each part.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import log_loss
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        given = checked_probabilities(probabilities)
        if given.ndim != 3 or not given.shape[1] == len(labels) == len(lesions):
            raise ValueError(
                f"expected probabilities [members, images, classes], a label and a lesion an image, got the shape "
                f"{given.shape}, {len(labels)} labels and {len(lesions)} lesions"
            )
        members, images, count = given.shape
        if not np.isin(labels, np.arange(count)).all():
            raise ValueError(f"labels: expected 0 to {count - 1}, got {np.unique(labels).tolist()}")
        features = log_probabilities(given).transpose(1, 0, 2).reshape(images, members * count)
        splits = _folds(labels, np.asarray(lesions), classes or tuple(map(str, range(count))), folds)

        def learnt(strength: float, rows: NDArray[np.intp]) -> LogisticRegression:
            with warnings.catch_warnings():
                # With hardly any penalty the last digits may be missing; the held-out loss judges what is there.
                warnings.simplefilter("ignore", ConvergenceWarning)
                return LogisticRegression(C=strength, max_iter=_ITERATIONS).fit(features[rows], labels[rows])

        def held_out_loss(strength: float) -> float:
            losses = [
                log_loss(
                    labels[held],
                    learnt(strength, train).predict_proba(features[held]),
                    normalize=False,
                    labels=np.arange(count),
                )
                for train, held in splits
            ]
            return float(np.sum(losses))

        # On so few columns, threads of BLAS spend ten times the time of the work on waiting for one another.
        with threadpool_limits(1):
            best = min(strengths, key=held_out_loss)
            model = learnt(best, np.arange(images))
        weight, bias = model.coef_, model.intercept_
        if count == 2:  # scikit-learn keeps the second class alone
            weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
        return cls(coefficients=weight.reshape(count, members, count).tolist(), intercepts=bias.tolist(), strength=best)

    def predict_proba(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities `[..., K]` of what the members say.

        Args:
            probabilities: `[M, ..., K]`, the members in the order of the fit.

        Raises:
            ValueError: If there are other members or classes than it was fitted on, or a row is no distribution.
        """
        given = checked_probabilities(probabilities)
        expected = (self.members, len(self.intercepts))
        if (given.shape[0], given.shape[-1]) != expected:
            raise ValueError(
                f"stacking was fitted on {expected[0]} members and {expected[1]} classes, got the shape {given.shape}"
            )
        logits = np.einsum("m...k,jmk->...j", log_probabilities(given), np.array(self.coefficients))
        return calibrated_probabilities(logits, 1.0, np.array(self.intercepts))


def _folds(
    labels: NDArray[np.integer], lesions: NDArray[np.generic], classes: Sequence[str], most: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to learn from and rows held out, for as many parts as the rarest class allows."""
    from sklearn.model_selection import StratifiedGroupKFold

    found = [len(np.unique(lesions[labels == label])) for label in range(len(classes))]
    rarest = int(np.argmin(found))
    if found[rarest] > 1:
        splits = list(StratifiedGroupKFold(min(most, found[rarest])).split(labels, labels, lesions))
        # Lesions of one patient count as one, and may be of several classes, so that not every deal is even.
        if all(len(np.unique(labels[learnt])) == len(classes) for learnt, _ in splits):
            return splits
    lesions_found = f"{found[rarest]} {'lesion' if found[rarest] == 1 else 'lesions'}"
    raise ValueError(
        f"stacking: validation images show {classes[rarest]} in {lesions_found} (those of one patient count as one), "
        "too few to learn from some and test on others; add some, or take a rule that learns nothing: rule=mean"
    )
