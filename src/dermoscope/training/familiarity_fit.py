"""Fits what tells images like those of the calibration from others: a Gaussian around their features, and a limit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold
from torch import Tensor, nn

from dermoscope.bundle_parts import FamiliarityPart
from dermoscope.familiarity import INPUT, OUTPUT
from dermoscope.heads.one_class import gaussian_around
from dermoscope.heads.outliers import MahalanobisHead
from dermoscope.training.onnx_graph import export_onnx

GRAPH = "familiarity.onnx"
FAMILIAR = 0.99
"""Share of images like those of the calibration whose distance is within the limit."""

_FOLDS = 5


def fit_familiarity(features: NDArray[np.float32], groups: Sequence[str], folder: Path) -> FamiliarityPart:
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
        apart[held] = distances(gaussian_around(features[learnt]), features[held])
    module = _Distance(gaussian_around(features))
    example = {INPUT: torch.rand(2, features.shape[1])}
    export_onnx(module, example, (OUTPUT,), folder / GRAPH, dynamic={INPUT: {0: "images"}}, weights="float32")
    return FamiliarityPart(
        graph=GRAPH,
        limit=round(float(np.quantile(apart, FAMILIAR)), 6),
        meaning=f"{FAMILIAR:.0%} of {len(features):,} held-out images are as near",
    )


def distances(gaussian: MahalanobisHead, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[N]`: about 1 for a feature `[N, F]` like those of the Gaussian."""
    with torch.inference_mode():
        return np.asarray(gaussian.distance(torch.from_numpy(features)).numpy(), np.float32)


class _Distance(nn.Module):
    """The distance as a graph."""

    def __init__(self, gaussian: MahalanobisHead) -> None:
        super().__init__()
        self.gaussian = gaussian

    def forward(self, feature: Tensor) -> Tensor:
        """Distances `[N]` of features `[N, F]`."""
        return self.gaussian.distance(feature)
