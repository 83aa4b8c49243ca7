"""How far a feature lies from those of one class, as modules that are saved like any other head.

References:
    Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks, NeurIPS
    2018 (Mahalanobis distance; here with one Gaussian for all inliers).
    Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022 (distance of the k-th neighbour).
    Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020 (energy of a classifier's logits).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class OutlierHead(nn.Module):
    """Turns a distance into logits of two classes.

    Args:
        feature_mean: `[F]`, taken off first.
        feature_std: `[F]`, positive.
        inlier: Index of the class that lies near, 0 or 1.
    """

    feature_mean: Tensor
    feature_std: Tensor
    inlier: Tensor
    slope: Tensor
    border: Tensor

    def __init__(self, feature_mean: Tensor, feature_std: Tensor, inlier: int) -> None:
        super().__init__()
        self.register_buffer("feature_mean", feature_mean.clone())
        self.register_buffer("feature_std", feature_std.clone())
        self.register_buffer("inlier", torch.tensor(inlier))
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("border", torch.tensor(0.0))

    def distance(self, feature: Tensor) -> Tensor:
        """Distance `[B]` of features `[B, F]` from the inliers, at least zero."""
        raise NotImplementedError

    def forward(self, feature: Tensor) -> Tensor:
        """Logits `[B, 2]` of features `[B, F]`, equal at the border."""
        inlier = self.slope * (self.border - self.distance(feature))
        columns = torch.stack([torch.zeros_like(inlier), inlier], dim=-1)
        return columns if int(self.inlier) == 1 else columns.flip(-1)

    def standardised(self, feature: Tensor) -> Tensor:
        """Features `[B, F]` without mean and deviation of the training features."""
        return (feature - self.feature_mean) / self.feature_std


class MahalanobisHead(OutlierHead):
    """Mahalanobis distance from the mean of the inliers, over the root of F: about one for an inlier.

    Args:
        feature_mean: `[F]`, taken off first.
        feature_std: `[F]`, positive.
        inlier: Index of the class that lies near.
        centre: `[F]`, mean of the standardised inliers.
        whitening: `[F, F]`, W with `W Wᵀ` the inverse of their covariance.
    """

    centre: Tensor
    whitening: Tensor

    def __init__(
        self, feature_mean: Tensor, feature_std: Tensor, inlier: int, centre: Tensor, whitening: Tensor
    ) -> None:
        super().__init__(feature_mean, feature_std, inlier)
        self.register_buffer("centre", centre.clone())
        self.register_buffer("whitening", whitening.clone())

    def distance(self, feature: Tensor) -> Tensor:
        """Distance `[B]` of features `[B, F]` from the inliers' mean."""
        white = (self.standardised(feature) - self.centre) @ self.whitening
        length: Tensor = white.norm(dim=-1)
        return length / math.sqrt(white.shape[-1])


class NeighbourDistanceHead(OutlierHead):
    """Distance on the unit sphere from the k-th nearest inlier.

    Args:
        feature_mean: `[F]`, taken off before angles are measured.
        feature_std: `[F]`, positive.
        inlier: Index of the class that lies near.
        features: `[N, F]`, the inliers.
        neighbours: k, at most N.
    """

    stored: Tensor

    def __init__(
        self, feature_mean: Tensor, feature_std: Tensor, inlier: int, features: Tensor, neighbours: int
    ) -> None:
        super().__init__(feature_mean, feature_std, inlier)
        self.register_buffer("stored", F.normalize(self.standardised(features), dim=-1))
        self.neighbours = neighbours

    def distance(self, feature: Tensor) -> Tensor:
        """Distance `[B]` of features `[B, F]` from the k-th inlier, 0 to 2."""
        cosine = F.normalize(self.standardised(feature), dim=-1) @ self.stored.T
        farthest = cosine.topk(self.neighbours, dim=-1).values[:, -1]
        return (2 - 2 * farthest).clamp_min(0).sqrt()


def energy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Free energy `[B]` of a classifier's logits `[B, K]`: high where no class is likely.

    Args:
        logits: Before calibration.
        temperature: T of `-T log Σ exp(logit / T)`.
    """
    return -temperature * torch.logsumexp(logits / temperature, dim=-1)
