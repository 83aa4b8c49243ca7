"""Baselines on the same features, learnt by scikit-learn: logistic regression, nearest neighbours, a kernel machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from dermoscope.heads.calibration import calibrated_probabilities, fit_calibration
from dermoscope.heads.face import probabilities, standardisation
from dermoscope.heads.fit import FeatureSet
from dermoscope.heads.mlp import MLPHead
from dermoscope.heads.neighbours import NeighbourHead

_ITERATIONS = 2000
_LEAST_VARIANCE = 1e-12

Choice = TypeVar("Choice", int, float, tuple[float, float])


class LogisticBaseline:
    """Logistic regression, regularised as strongly as the development set likes best.

    Args:
        classes: Number of classes K.
        strengths: Inverse strengths of the L2 penalty to try, scikit-learn's C.
        standardise: Whether features are standardised first.
        balanced: Whether every class weighs alike.
    """

    module: MLPHead

    def __init__(
        self,
        classes: int,
        strengths: Sequence[float] = (0.001, 0.01, 0.1, 1.0),
        *,
        standardise: bool = True,
        balanced: bool = True,
    ) -> None:
        self.classes = classes
        self.strengths = tuple(strengths)
        self.standardise = standardise
        self.balanced = balanced

    def fit(self, train: FeatureSet, development: FeatureSet) -> Self:
        """Learn; the strength with the best balanced accuracy on the development set is kept."""
        mean, std = standardisation(train.features, wanted=self.standardise)
        features = ((torch.from_numpy(train.features) - mean) / std).numpy()
        held = ((torch.from_numpy(development.features) - mean) / std).numpy()

        def learnt(strength: float) -> LogisticRegression:
            weighting = "balanced" if self.balanced else None
            return LogisticRegression(C=strength, class_weight=weighting, max_iter=_ITERATIONS).fit(
                features, train.labels
            )

        best = _best(learnt, self.strengths, held, development.labels)
        module = MLPHead(self.classes, mean, std, hidden=())
        weight, bias = torch.from_numpy(best.coef_), torch.from_numpy(best.intercept_)
        if self.classes == 2:  # scikit-learn keeps the second class alone
            weight, bias = (torch.cat([torch.zeros_like(part), part]) for part in (weight, bias))
        state = {"layers.0.weight": weight.float(), "layers.0.bias": bias.float()}
        module.load_state_dict(module.state_dict() | state)
        self.module = module.eval()
        return self

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities `[N, K]` of features `[N, F]`."""
        return probabilities(self.module, features)


class KNNBaseline:
    """The vote of the nearest training features by cosine distance, of as many as the development set likes best.

    Args:
        classes: Number of classes K.
        neighbours: Numbers of neighbours to try.
        standardise: Whether features are standardised first.
    """

    module: NeighbourHead

    def __init__(self, classes: int, neighbours: Sequence[int] = (1, 5, 15, 45), *, standardise: bool = True) -> None:
        self.classes = classes
        self.neighbours = tuple(neighbours)
        self.standardise = standardise

    def fit(self, train: FeatureSet, development: FeatureSet) -> Self:
        """Learn; the number of neighbours with the best balanced accuracy on the development set is kept."""
        mean, std = standardisation(train.features, wanted=self.standardise)
        stored, labels = torch.from_numpy(train.features), torch.from_numpy(train.labels)
        wide = NeighbourHead(stored, labels, self.classes, mean, std, 1)
        held = wide.directions(torch.from_numpy(development.features)).numpy()

        def learnt(neighbours: int) -> KNeighborsClassifier:
            model = KNeighborsClassifier(neighbours, metric="cosine", algorithm="brute")
            return model.fit(wide.stored.numpy(), train.labels)

        tried = sorted({min(number, len(labels)) for number in self.neighbours})
        best = _best(learnt, tried, held, development.labels).n_neighbors
        self.module = NeighbourHead(stored, labels, self.classes, mean, std, best).eval()
        return self

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities `[N, K]` of features `[N, F]`."""
        return probabilities(self.module, features)


class SVMBaseline:
    """A support vector machine with a Gaussian kernel, as strict and as local as the development set likes best.

    It has `fit` and `predict_proba` only: scikit-learn keeps one machine for each two classes and lets them vote, which
    no module of ours repeats. So it is for comparisons, and cannot be saved or exported.

    Args:
        classes: Number of classes K.
        strengths: Inverse strengths of the penalty to try, scikit-learn's C.
        gammas: Inverse squared widths of the kernel to try, in units of 1 / (F × variance of the features),
            scikit-learn's "scale".
        standardise: Whether features are standardised first.
        balanced: Whether every class weighs alike, in learning and in the probabilities.
    """

    def __init__(
        self,
        classes: int,
        strengths: Sequence[float] = (0.1, 1.0, 10.0),
        gammas: Sequence[float] = (0.3, 1.0, 3.0),
        *,
        standardise: bool = True,
        balanced: bool = True,
    ) -> None:
        self.classes = classes
        self.strengths = tuple(strengths)
        self.gammas = tuple(gammas)
        self.standardise = standardise
        self.balanced = balanced

    def fit(self, train: FeatureSet, development: FeatureSet) -> Self:
        """Learn; strength and gamma with the best balanced accuracy on the development set are kept.

        The development set also chooses the temperature that makes probabilities of the machine's decision values.
        """
        mean, std = standardisation(train.features, wanted=self.standardise)
        self._mean, self._std = mean.numpy(), std.numpy()
        features = (train.features - self._mean) / self._std
        held = (development.features - self._mean) / self._std
        unit = 1 / max(float(features.shape[1] * features.var()), _LEAST_VARIANCE)

        def learnt(choice: tuple[float, float]) -> SVC:
            strength, gamma = choice
            weighting = "balanced" if self.balanced else None
            # Ties broken by the decision values: what is predicted is then what is most probable.
            machine = SVC(C=strength, gamma=gamma * unit, class_weight=weighting, break_ties=True)
            return machine.fit(features, train.labels)

        self._machine = _best(learnt, list(product(self.strengths, self.gammas)), held, development.labels)
        self._temperature, self._bias = fit_calibration(
            self._decision_values(development.features), development.labels, equal_classes=self.balanced
        )
        return self

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities `[N, K]` of features `[N, F]`."""
        return calibrated_probabilities(self._decision_values(features), self._temperature, self._bias)

    def _decision_values(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        values = self._machine.decision_function((features - self._mean) / self._std)
        if self.classes == 2:  # scikit-learn speaks of the second class alone
            values = np.column_stack([np.zeros_like(values), values])
        return np.asarray(values, np.float64)


def _best(
    learnt: Callable[[Choice], Any], choices: Sequence[Choice], features: NDArray[np.float32], labels: NDArray[np.int64]
) -> Any:
    models = [learnt(choice) for choice in choices]
    return max(models, key=lambda model: _balanced_accuracy(labels, model.predict(features)))


def _balanced_accuracy(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    return float(np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)]))
