"""The one face of everything that learns from features: fit, then predict_proba."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dermoscope.heads.fit import FeatureSet

_LEAST_STD = 1e-6


class Classifier(Protocol):
    """Something that learns classes 0 to K-1 from features, every one of which occurs in training."""

    @property
    def module(self) -> nn.Module:
        """What was learnt: from features `[B, F]` to logits `[B, K]`.

        Raises:
            AttributeError: If nothing was learnt yet.
        """

    def fit(self, train: FeatureSet, development: FeatureSet) -> Self:
        """Learn.

        Args:
            train: To learn from.
            development: Of other lesions; every choice, such as the epoch or the number of neighbours, is made on it.
        """

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities `[N, K]` of features `[N, F]`."""


def standardisation(features: NDArray[np.float32], *, wanted: bool) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation `[F]` that a head takes off its features `[N, F]`; 0 and 1 where none is wanted."""
    stored = torch.from_numpy(features)
    if not wanted:
        return torch.zeros(stored.shape[1]), torch.ones(stored.shape[1])
    return stored.mean(0), stored.std(0, correction=0).clamp_min(_LEAST_STD)


def probabilities(module: nn.Module, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Softmax `[N, K]` of what a module says of features `[N, F]`."""
    with torch.inference_mode():
        logits = module(torch.from_numpy(features))
    return np.asarray(torch.softmax(logits.double(), dim=-1).numpy(), np.float64)
