"""The loss of a recipe, with class weights and margins from the training samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dermoscope.losses.class_weights import inverse_frequency
from dermoscope.losses.cross_entropy import WeightedCrossEntropy
from dermoscope.losses.focal import FocalLoss
from dermoscope.losses.ldam import LargeMarginFocalLoss, LDAMLoss
from dermoscope.training.recipes.schema import CrossEntropyPart, FocalPart, LDAMPart, LMFPart, Weights


def build_loss(
    part: CrossEntropyPart | FocalPart | LDAMPart | LMFPart, classes: Sequence[str], counts: Sequence[int]
) -> nn.Module:
    """From logits `[B, K]` and labels `[B]` to a scalar in nats.

    Args:
        part: What the recipe says.
        classes: Name of each of the K outputs.
        counts: Training samples of each.
    """
    weights = class_weights(part.weights, classes, counts)
    if isinstance(part, CrossEntropyPart):
        return WeightedCrossEntropy(weights)
    if isinstance(part, FocalPart):
        return FocalLoss(weights, part.gamma, pt_from_weighted=part.pt_from_weighted)
    ldam = LDAMLoss(counts, weights, largest_margin=part.largest_margin, scale=part.scale)
    if isinstance(part, LDAMPart):
        return ldam
    return LargeMarginFocalLoss(ldam, alpha=part.alpha, beta=part.beta, gamma=part.gamma)


def class_weights(wanted: Weights, classes: Sequence[str], counts: Sequence[int]) -> Tensor:
    """What each class weighs `[K]`.

    Args:
        wanted: What the recipe says.
        classes: Name of each of the K outputs.
        counts: Training samples of each.
    """
    if wanted == "equal":
        return torch.ones(len(classes))
    if wanted == "inverse-frequency":
        return inverse_frequency(counts)
    return torch.tensor([wanted[name] for name in classes], dtype=torch.float32)
