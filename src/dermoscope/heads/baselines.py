"""Baselines on the same features, learnt by scikit-learn: logistic regression and nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from dermoscope.heads.face import probabilities, standardisation
from dermoscope.heads.fit import FeatureSet
from dermoscope.heads.mlp import MLPHead
from dermoscope.heads.neighbours import NeighbourHead

_ITERATIONS = 2000

Choice = TypeVar("Choice", int, float)


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


def _best(
    learnt: Callable[[Choice], Any], choices: Sequence[Choice], features: NDArray[np.float32], labels: NDArray[np.int64]
) -> Any:
    models = [learnt(choice) for choice in choices]
    return max(models, key=lambda model: _balanced_accuracy(labels, model.predict(features)))


def _balanced_accuracy(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    return float(np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)]))
