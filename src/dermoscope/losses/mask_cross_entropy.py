"""Binary cross-entropy of lesion masks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from dermoscope.losses.flat_masks import flat_masks


def mask_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over pixels and images of `-t log p - (1 - t) log(1 - p)`, p the sigmoid of the logits.

    Args:
        logits: `[B, h, w]`.
        targets: `[B, h, w]`, 0…1.

    Returns:
        A scalar in nats.

    Raises:
        ValueError: If the shapes are not alike.
    """
    return F.binary_cross_entropy_with_logits(*flat_masks(logits, targets))


class MaskCrossEntropy(nn.Module):
    """`mask_cross_entropy` as a module."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits `[B, h, w]` and targets `[B, h, w]`."""
        return mask_cross_entropy(logits, targets)
