"""Gates that learn what one class looks like from that class alone; the other one only helps to place the border."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from dermoscope.heads.face import probabilities, standardisation
from dermoscope.heads.fit import FeatureSet
from dermoscope.heads.outliers import MahalanobisHead, NeighbourDistanceHead, OutlierHead


class MahalanobisGate:
    """One Gaussian, its covariance shrunk after Ledoit and Wolf.

    Args:
        inlier: The class that is learnt, 0 or 1.
        standardise: Whether features are standardised first.
    """

    module: MahalanobisHead

    def __init__(self, inlier: int, *, standardise: bool = True) -> None:
        self.inlier = inlier
        self.standardise = standardise

    def fit(self, train: FeatureSet, development: FeatureSet) -> Self:
        """Learn; the development set, of both classes, places the border."""
        self.module = gaussian_around(_of_class(train, self.inlier), self.inlier, standardise=self.standardise)
        _place_border(self.module, development)
        return self

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities `[N, 2]` of features `[N, F]`, for equally frequent classes."""
        return probabilities(self.module, features)


def gaussian_around(features: NDArray[np.float32], inlier: int = 0, *, standardise: bool = True) -> MahalanobisHead:
    """The distance from features `[N, F]`, its border not yet placed.

    Args:
        features: Those of the inliers.
        inlier: Their class, 0 or 1.
        standardise: Whether features are standardised first.
    """
    mean, std = standardisation(features, wanted=standardise)
    fitted = LedoitWolf().fit(((torch.from_numpy(features) - mean) / std).double().numpy())
    centre = torch.from_numpy(fitted.location_).float()
    whitening = torch.linalg.cholesky(torch.from_numpy(fitted.precision_)).float()
    return MahalanobisHead(mean, std, inlier, centre, whitening)


class NeighbourDistanceGate:
    """Distance of the k-th nearest inlier, for the k that tells the development set apart best.

    Args:
        inlier: The class that is learnt, 0 or 1.
        neighbours: Numbers k to try.
        standardise: Whether features are standardised first.
    """

    module: NeighbourDistanceHead

    def __init__(self, inlier: int, neighbours: Sequence[int] = (1, 10, 50), *, standardise: bool = True) -> None:
        self.inlier = inlier
        self.neighbours = tuple(neighbours)
        self.standardise = standardise

    def fit(self, train: FeatureSet, development: FeatureSet) -> Self:
        """Learn; the development set, of both classes, chooses k by the area under the ROC curve and places the border.

        Among equals the smallest k is kept.
        """
        features = _of_class(train, self.inlier)
        mean, std = standardisation(features, wanted=self.standardise)
        stored = torch.from_numpy(features)
        tried = sorted({min(number, len(features)) for number in self.neighbours})
        heads = [NeighbourDistanceHead(mean, std, self.inlier, stored, number) for number in tried]
        outlying = development.labels != self.inlier
        self.module = max(heads, key=lambda head: float(roc_auc_score(outlying, _distances(head, development))))
        _place_border(self.module, development)
        return self

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities `[N, 2]` of features `[N, F]`, for equally frequent classes."""
        return probabilities(self.module, features)


def _of_class(samples: FeatureSet, label: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(samples.features[samples.labels == label])


def _distances(head: OutlierHead, samples: FeatureSet) -> NDArray[np.float64]:
    with torch.inference_mode():
        return head.distance(torch.from_numpy(samples.features)).double().numpy()


def _place_border(head: OutlierHead, development: FeatureSet) -> None:
    """Slope and border by logistic regression on the distance alone, both classes weighing alike."""
    distances = _distances(head, development)[:, None]
    spread = float(distances.std()) or 1.0
    inlying = development.labels == int(head.inlier)
    fitted = LogisticRegression(class_weight="balanced").fit(distances / spread, inlying)
    slope = -float(fitted.coef_[0, 0]) / spread
    head.slope.fill_(slope)
    head.border.fill_(float(fitted.intercept_[0]) / slope if slope else 0.0)
    head.eval()
