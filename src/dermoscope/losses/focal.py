"""Focal loss with class weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dermoscope.losses.class_weights import checked_weights


def focal_loss(
    logits: Tensor, labels: Tensor, class_weights: Tensor, gamma: float, *, pt_from_weighted: bool = False
) -> Tensor:
    """Mean over samples of `α_y (1 - p)^γ (-log p_y)`, where p is p_y or, in the published form, `p_y^α_y`.

    Args:
        logits: `[B, K]`.
        labels: `[B]`, integers in 0…K-1.
        class_weights: `[K]`, the α of each class, positive.
        gamma: Focusing parameter, zero or more; zero is weighted cross-entropy.
        pt_from_weighted: The textbook takes p from the unweighted logits. The code of the TU Graz thesis takes it from
            the weighted cross-entropy, `p = exp(-α_y CE)`, so that a heavy class counts as harder than it is.

    Returns:
        A scalar in nats.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002), equation 5.
        T. Parkhomenko, TU Graz, 2025 (`pt_from_weighted`).
    """
    log_probability = torch.log_softmax(logits, dim=-1).gather(1, labels[:, None]).squeeze(1)
    weights = class_weights[labels]
    exponent = weights * log_probability if pt_from_weighted else log_probability
    # Zero to a power below one has an infinite slope, and a sure answer would make the gradient NaN.
    focus = (1.0 - exponent.exp()).clamp_min(torch.finfo(logits.dtype).eps) ** gamma
    return (weights * focus * -log_probability).mean()


class FocalLoss(nn.Module):
    """`focal_loss` with its parameters kept.

    Args:
        class_weights: `[K]`.
        gamma: Focusing parameter.
        pt_from_weighted: See `focal_loss`.

    Raises:
        ValueError: If `gamma` is negative or a weight is not positive.
    """

    class_weights: Tensor

    def __init__(self, class_weights: Tensor, gamma: float = 2.0, *, pt_from_weighted: bool = False) -> None:
        super().__init__()
        if gamma < 0:
            raise ValueError(f"gamma must not be negative, got {gamma}")
        self.register_buffer("class_weights", checked_weights(class_weights))
        self.gamma = gamma
        self.pt_from_weighted = pt_from_weighted

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits `[B, K]` and labels `[B]`."""
        return focal_loss(logits, labels, self.class_weights, self.gamma, pt_from_weighted=self.pt_from_weighted)
