"""Fits what tells images like those of the calibration from others: a Gaussian around their features, and a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.model_selection import GroupKFold
from torch import Tensor, nn

from dermoscope.bundle_parts import FamiliarityPart
from dermoscope.familiarity import INPUT, OUTPUT
from dermoscope.training.onnx_graph import export_onnx

GRAPH = "familiarity.onnx"
FAMILIAR = 0.99
"""Share of images like those of the calibration whose distance is within the limit."""

_FOLDS = 5


@dataclass(frozen=True, eq=False)
class FeatureGaussian:
    """A Gaussian around features.

    The correlations are shrunk towards none, as images are few for their number.
    Reference: Ledoit and Wolf, A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices, 2004.

    Attributes:
        mean: `[F]`.
        whitening: `[F, F]`; makes a feature without its mean one whose components are uncorrelated, of variance 1.
    """

    mean: NDArray[np.float64]
    whitening: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> FeatureGaussian:
        """The one around features `[N, F]`."""
        exact = features.astype(np.float64)
        mean, spread = exact.mean(axis=0), exact.std(axis=0)
        spread[spread == 0] = 1.0
        precision = LedoitWolf(assume_centered=True).fit((exact - mean) / spread).precision_
        return cls(mean, np.linalg.cholesky(precision) / spread[:, None])

    def distances(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """`[N]`: about 1 for a feature `[N, F]` that the Gaussian has drawn, whatever F is."""
        white = (features - self.mean) @ self.whitening
        return np.asarray(np.sqrt(np.square(white).mean(axis=1)), np.float64)


def fit_familiarity(features: NDArray[np.floating], groups: Sequence[str], folder: Path) -> FamiliarityPart:
    """Write the graph that measures distances, and set the limit by folds that keep lesions whole.

    Args:
        features: `[N, F]`, the encoder's, of images that are held to be familiar.
        groups: What belongs together, `[N]`.
        folder: Where the graph goes.

    Returns:
        For `bundle.json`.

    Raises:
        ValueError: If there are fewer groups than folds.
    """
    apart = np.zeros(len(features))
    for learnt, held in GroupKFold(_FOLDS).split(features, groups=groups):
        apart[held] = FeatureGaussian.of(features[learnt]).distances(features[held])
    module = _Distance(FeatureGaussian.of(features))
    example = {INPUT: torch.rand(2, features.shape[1])}
    export_onnx(module, example, (OUTPUT,), folder / GRAPH, dynamic={INPUT: {0: "images"}}, half_weights=False)
    return FamiliarityPart(
        graph=GRAPH,
        limit=round(float(np.quantile(apart, FAMILIAR)), 6),
        meaning=f"{FAMILIAR:.0%} of {len(features):,} held-out images are as near",
    )


class _Distance(nn.Module):
    """`FeatureGaussian.distances` as a graph."""

    mean: Tensor
    whitening: Tensor

    def __init__(self, gaussian: FeatureGaussian) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(gaussian.mean).float())
        self.register_buffer("whitening", torch.from_numpy(gaussian.whitening).float())

    def forward(self, feature: Tensor) -> Tensor:
        """Distances `[N]` of features `[N, F]`."""
        return ((feature - self.mean) @ self.whitening).square().mean(dim=1).sqrt()
