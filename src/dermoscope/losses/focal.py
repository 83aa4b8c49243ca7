"""Focal loss with class weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def focal_loss(logits: Tensor, labels: Tensor, class_weights: Tensor, gamma: float) -> Tensor:
    """Mean over samples of `α_y (1 - p_y)^γ (-log p_y)`, the textbook form with p from the unweighted logits.

    Args:
        logits: `[B, K]`.
        labels: `[B]`, integers in 0…K-1.
        class_weights: `[K]`, the α of each class, positive.
        gamma: Focusing parameter, zero or more; zero is weighted cross-entropy.

    Returns:
        A scalar in nats.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002), equation 5.
    """
    log_probability = torch.log_softmax(logits, dim=-1).gather(1, labels[:, None]).squeeze(1)
    # Zero to a power below one has an infinite slope, and a sure answer would make the gradient NaN.
    focus = (1.0 - log_probability.exp()).clamp_min(torch.finfo(logits.dtype).eps) ** gamma
    return (class_weights[labels] * focus * -log_probability).mean()


class FocalLoss(nn.Module):
    """`focal_loss` with its parameters kept.

    Args:
        class_weights: `[K]`.
        gamma: Focusing parameter.

    Raises:
        ValueError: If `gamma` is negative or a weight is not positive.
    """

    class_weights: Tensor

    def __init__(self, class_weights: Tensor, gamma: float = 2.0) -> None:
        super().__init__()
        if gamma < 0:
            raise ValueError(f"gamma must not be negative, got {gamma}")
        if not bool((class_weights > 0).all()):
            raise ValueError(f"class_weights must be positive, got {class_weights.tolist()}")
        self.register_buffer("class_weights", class_weights.clone())
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits `[B, K]` and labels `[B]`."""
        return focal_loss(logits, labels, self.class_weights, self.gamma)
