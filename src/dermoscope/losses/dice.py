"""Soft Dice loss of lesion masks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dermoscope.losses.flat_masks import flat_masks


def dice_loss(logits: Tensor, targets: Tensor, smooth: float = 1.0) -> Tensor:
    """Mean over images of `1 - (2 Σ min(p, t) + s) / (Σ p + Σ t + s)`, sums over pixels, p the sigmoid of the logits.

    For targets of 0 and 1 the minimum is the product `p t` of the usual formula. For targets in between, as at the rim
    of a mask that was made smaller, the product has its optimum elsewhere, and the minimum at p = t.

    Args:
        logits: `[B, h, w]`.
        targets: `[B, h, w]`, 0…1.
        smooth: The s, in pixels, positive: no lesion and none found is a loss of 0, and the gradient stays finite.

    Returns:
        A scalar, 0…1.

    Raises:
        ValueError: If the shapes are not alike.

    References:
        Milletari et al., V-Net, 3DV 2016 (arXiv 1606.04797), section 3; with sums that are not squared, as in Kirillov
        et al., Segment Anything, 2023 (arXiv 2304.02643); for soft targets Wang et al., Dice Semimetric Losses, MICCAI
        2023 (arXiv 2303.16296).
    """
    scores, truth = flat_masks(logits, targets)
    found = scores.sigmoid()
    common = torch.minimum(found, truth).sum(dim=1)
    both = found.sum(dim=1) + truth.sum(dim=1)
    return (1 - (2 * common + smooth) / (both + smooth)).mean()


class DiceLoss(nn.Module):
    """`dice_loss` with its parameter kept.

    Args:
        smooth: See `dice_loss`.

    Raises:
        ValueError: If `smooth` is not positive.
    """

    def __init__(self, smooth: float = 1.0) -> None:
        super().__init__()
        if not smooth > 0:
            raise ValueError(f"smooth must be positive, got {smooth}")
        self.smooth = smooth

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits `[B, h, w]` and targets `[B, h, w]`."""
        return dice_loss(logits, targets, self.smooth)
