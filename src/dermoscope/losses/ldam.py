"""LDAM, a cross-entropy that keeps rare classes at a greater distance, and its sum with the focal loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dermoscope.losses.class_weights import checked_weights
from dermoscope.losses.focal import focal_loss


def ldam_margins(counts: Sequence[int], largest: float = 0.5) -> Tensor:
    """Margin of each class `[K]`: proportional to `n_k^(-1/4)`, the rarest class having the largest.

    Args:
        counts: Samples of each class, n_1 to n_K.
        largest: Margin of the rarest class, in units of a logit.

    Raises:
        ValueError: If a class has no samples.
    """
    if not counts or min(counts) < 1:
        raise ValueError(f"counts: every class needs a sample, got {list(counts)}")
    return largest * (torch.tensor(counts, dtype=torch.float32) / min(counts)) ** -0.25


def ldam_loss(logits: Tensor, labels: Tensor, margins: Tensor, class_weights: Tensor, scale: float) -> Tensor:
    """Weighted cross-entropy of `scale · (z - Δ_y e_y)`: the true logit must win by the margin of its class.

    Args:
        logits: `[B, K]`, the z.
        labels: `[B]`, integers in 0…K-1.
        margins: `[K]`, the Δ.
        class_weights: `[K]`, positive.
        scale: Positive; the authors take 30, for logits that are cosines.

    Returns:
        A scalar in nats.

    References:
        Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss, NeurIPS 2019
        (arXiv 1906.07413), equations 12 and 13.
    """
    moved = logits - F.one_hot(labels, logits.shape[1]).to(logits.dtype) * margins
    return F.cross_entropy(scale * moved, labels, class_weights)


class LDAMLoss(nn.Module):
    """`ldam_loss` with margins from the class counts.

    Args:
        counts: Samples of each class.
        class_weights: `[K]`.
        largest_margin: See `ldam_margins`.
        scale: See `ldam_loss`.

    Raises:
        ValueError: If a class has no samples or a weight is not positive.
    """

    margins: Tensor
    class_weights: Tensor

    def __init__(
        self, counts: Sequence[int], class_weights: Tensor, *, largest_margin: float = 0.5, scale: float = 30.0
    ) -> None:
        super().__init__()
        self.register_buffer("margins", ldam_margins(counts, largest_margin))
        self.register_buffer("class_weights", checked_weights(class_weights))
        self.scale = scale

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits `[B, K]` and labels `[B]`."""
        return ldam_loss(logits, labels, self.margins, self.class_weights, self.scale)


class LargeMarginFocalLoss(nn.Module):
    """LMF: `α · LDAM + β · focal`, with the same class weights in both.

    Args:
        ldam: The first part.
        alpha: Its share.
        beta: Share of the focal loss.
        gamma: Focusing parameter of the focal loss.

    References:
        Sadi et al., LMFLOSS: A Hybrid Loss for Imbalanced Medical Image Classification, 2022 (arXiv 2212.12741).
    """

    def __init__(self, ldam: LDAMLoss, *, alpha: float = 0.5, beta: float = 0.5, gamma: float = 2.0) -> None:
        super().__init__()
        self.ldam = ldam
        self.alpha, self.beta, self.gamma = alpha, beta, gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of logits `[B, K]` and labels `[B]`."""
        focal = focal_loss(logits, labels, self.ldam.class_weights, self.gamma)
        margin: Tensor = self.ldam(logits, labels)
        return self.alpha * margin + self.beta * focal
