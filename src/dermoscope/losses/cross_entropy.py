"""Cross-entropy with class weights."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from dermoscope.losses.class_weights import checked_weights


def weighted_cross_entropy(logits: Tensor, labels: Tensor, class_weights: Tensor) -> Tensor:
    """Weighted mean over samples of `-log p_y`, each weighing as much as its class.

    Unlike `focal_loss` with γ = 0 it is divided by the weights in the batch, as torch and the TU Graz code have it.

    Args:
        logits: `[B, K]`.
        labels: `[B]`, integers in 0…K-1.
        class_weights: `[K]`, positive.

    Returns:
        A scalar in nats.
    """
    return F.cross_entropy(logits, labels, class_weights)


class WeightedCrossEntropy(nn.Module):
    """`weighted_cross_entropy` with its weights kept.

    Args:
        class_weights: `[K]`.

    Raises:
        ValueError: If a weight is not positive.
    """

    class_weights: Tensor

    def __init__(self, class_weights: Tensor) -> None:
        super().__init__()
        self.register_buffer("class_weights", checked_weights(class_weights))

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits `[B, K]` and labels `[B]`."""
        return weighted_cross_entropy(logits, labels, self.class_weights)
