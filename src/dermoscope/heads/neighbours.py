"""The vote of the nearest training features, as a module that is saved like any other head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEAST_SHARE = 1e-6  # a class without a vote keeps finite log-probabilities


class NeighbourHead(nn.Module):
    """Share of each class among the k training features with the greatest cosine similarity.

    Args:
        features: `[N, F]`, those of the training images.
        labels: `[N]`, integers in 0…K-1.
        classes: K.
        feature_mean: `[F]`, taken off before angles are measured.
        feature_std: `[F]`, positive.
        neighbours: k, at most N.
    """

    feature_mean: Tensor
    feature_std: Tensor
    stored: Tensor
    votes: Tensor

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        classes: int,
        feature_mean: Tensor,
        feature_std: Tensor,
        neighbours: int,
    ) -> None:
        super().__init__()
        self.register_buffer("feature_mean", feature_mean.clone())
        self.register_buffer("feature_std", feature_std.clone())
        self.register_buffer("stored", self.directions(features))
        self.register_buffer("votes", F.one_hot(labels, classes).to(features.dtype))
        self.neighbours = neighbours

    def directions(self, features: Tensor) -> Tensor:
        """Standardised features `[B, F]` of length one."""
        return F.normalize((features - self.feature_mean) / self.feature_std, dim=-1)

    def forward(self, feature: Tensor) -> Tensor:
        """Log-probabilities `[B, K]` of features `[B, F]`."""
        nearest = (self.directions(feature) @ self.stored.T).topk(self.neighbours, dim=-1).indices
        share: Tensor = self.votes[nearest].mean(dim=-2)
        return torch.log(share.clamp_min(_LEAST_SHARE))
