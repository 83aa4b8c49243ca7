"""The probe of system 1: a small multilayer perceptron on a frozen feature.

Source: T. Parkhomenko's thesis at TU Graz, one architecture for all heads: 256→512→256→K with ReLU and dropout 0.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn


class MLPHead(nn.Module):
    """Standardisation, then fully connected layers with ReLU and dropout between them.

    Args:
        classes: Number of classes K.
        feature_mean: `[F]`, mean of the training features.
        feature_std: `[F]`, their standard deviation, positive.
        hidden: Widths of the hidden layers.
        dropout: Probability of dropping a hidden unit in training.
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(
        self,
        classes: int,
        feature_mean: Tensor,
        feature_std: Tensor,
        hidden: Sequence[int] = (512, 256),
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.register_buffer("feature_mean", feature_mean.clone())
        self.register_buffer("feature_std", feature_std.clone())
        layers: list[nn.Module] = []
        width = feature_mean.shape[0]
        for units in hidden:
            layers += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(dropout)]
            width = units
        self.layers = nn.Sequential(*layers, nn.Linear(width, classes))

    def forward(self, feature: Tensor) -> Tensor:
        """Logits `[B, K]` of features `[B, F]`."""
        return cast(Tensor, self.layers((feature - self.feature_mean) / self.feature_std))


class Heads(nn.Module):
    """Several heads on the same feature, as one graph.

    Args:
        heads: The heads by the name of their output, in the order of the outputs.
    """

    def __init__(self, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(dict(heads))

    def forward(self, feature: Tensor) -> tuple[Tensor, ...]:
        """One array of logits a head, for features `[B, F]`."""
        return tuple(head(feature) for head in self.heads.values())


class AveragedHead(nn.Module):
    """Mean of the log-probabilities of several heads that differ only in their seed.

    Args:
        members: At least one head.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, feature: Tensor) -> Tensor:
        """Logits `[B, K]` of features `[B, F]`: a geometric mean of the members' distributions, up to a constant."""
        stacked = torch.stack([torch.log_softmax(member(feature), dim=-1) for member in self.members])
        return stacked.mean(dim=0)
