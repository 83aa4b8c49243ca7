"""MixUp and CutMix in feature space: a new feature from two, and how much each of their labels counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dermoscope.training.recipes.schema import MixingPart


@dataclass(frozen=True)
class Mixed:
    """A batch in which every feature comes from two samples.

    Attributes:
        features: `[B, F]`.
        partner: `[B]` number, in the batch, of the second sample of each.
        share: Of the first sample, 0 to 1; the label of the partner counts for the rest.
    """

    features: Tensor
    partner: Tensor
    share: float


def mix(part: MixingPart, features: Tensor, epoch: int, random: np.random.Generator) -> Mixed | None:
    """Mix a batch as a recipe says, or leave it alone.

    Args:
        part: How, how often, and after which epoch.
        features: `[B, F]`.
        epoch: From 1.
        random: Where every draw comes from.

    Returns:
        None where the batch is to be used as it is.
    """
    if epoch <= part.after_epoch or (part.mixup is None and part.cutmix is None):
        return None
    at = random.random()
    cutmix_below = part.cutmix.probability if part.cutmix else 0.0
    if part.cutmix and at < cutmix_below:
        return cutmix(features, random.beta(part.cutmix.alpha, part.cutmix.alpha), random)
    if part.mixup and at < cutmix_below + part.mixup.probability:
        share = random.beta(part.mixup.alpha, part.mixup.alpha)
        return mixup(features, max(share, 1 - share) if part.mixup.first_is_larger else share, random)
    return None


def mixup(features: Tensor, share: float, random: np.random.Generator) -> Mixed:
    """`share` of each feature plus the rest of another one.

    Args:
        features: `[B, F]`.
        share: 0 to 1.
        random: Chooses the partners.

    References:
        Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018 (arXiv 1710.09412).
    """
    partner = _partners(len(features), random)
    return Mixed(share * features + (1 - share) * features[partner], partner, share)


def cutmix(features: Tensor, share: float, random: np.random.Generator) -> Mixed:
    """Each feature with a run of dimensions, about `1 - share` of all, taken from another one.

    Args:
        features: `[B, F]`.
        share: 0 to 1.
        random: Chooses the partners and where the run starts.

    Returns:
        With the share of dimensions that really stayed.

    References:
        Yun et al., CutMix, ICCV 2019 (arXiv 1905.04899), the rectangle of pixels being a run of dimensions here.
    """
    partner = _partners(len(features), random)
    size = features.shape[1]
    taken = round((1 - share) * size)
    start = int(random.integers(size - taken + 1))
    mixed = features.clone()
    mixed[:, start : start + taken] = features[partner, start : start + taken]
    return Mixed(mixed, partner, 1 - taken / size)


def _partners(count: int, random: np.random.Generator) -> Tensor:
    return torch.from_numpy(random.permutation(count))
