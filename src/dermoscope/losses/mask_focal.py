"""Binary focal loss of lesion masks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dermoscope.losses.flat_masks import flat_masks


def mask_focal_loss(logits: Tensor, targets: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """Mean over pixels and images of `α_t (1 - p_t)^γ CE`, CE the cross-entropy of a pixel.

    `p_t = p t + (1 - p)(1 - t)` is the probability given to the truth, p the sigmoid of the logits, and
    `α_t = α t + (1 - α)(1 - t)`.

    Args:
        logits: `[B, h, w]`.
        targets: `[B, h, w]`, 0…1.
        gamma: Focusing parameter, zero or more; with zero and an alpha of one half it is half the cross-entropy.
        alpha: Weight of lesion pixels, 0…1; the skin around them has the rest.

    Returns:
        A scalar in nats.

    Raises:
        ValueError: If the shapes are not alike.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002), equation 5; soft targets as in
        `torchvision.ops.sigmoid_focal_loss`.
    """
    scores, truth = flat_masks(logits, targets)
    entropy = F.binary_cross_entropy_with_logits(scores, truth, reduction="none")
    found = scores.sigmoid()
    missed = found * (1 - truth) + (1 - found) * truth
    weights = alpha * truth + (1 - alpha) * (1 - truth)
    # Zero to a power below one has an infinite slope, and a sure answer would make the gradient NaN.
    focus = missed.clamp_min(torch.finfo(missed.dtype).eps) ** gamma
    return (weights * focus * entropy).mean()


class MaskFocalLoss(nn.Module):
    """`mask_focal_loss` with its parameters kept.

    Args:
        gamma: Focusing parameter.
        alpha: Weight of lesion pixels.

    Raises:
        ValueError: If `gamma` is negative or `alpha` lies outside 0…1.
    """

    def __init__(self, gamma: float = 2.0, alpha: float = 0.25) -> None:
        super().__init__()
        if not gamma >= 0:
            raise ValueError(f"gamma must not be negative, got {gamma}")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
        self.gamma, self.alpha = gamma, alpha

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits `[B, h, w]` and targets `[B, h, w]`."""
        return mask_focal_loss(logits, targets, self.gamma, self.alpha)
