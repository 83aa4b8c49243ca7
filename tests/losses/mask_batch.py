"""A small batch of logits and targets for the losses of masks."""

from __future__ import annotations

import torch
from torch import Tensor


def mask_batch(*, soft: bool) -> tuple[Tensor, Tensor]:
    """Logits and targets `[3, 4, 5]` in float64; one image of hard targets has no lesion."""
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 5, dtype=torch.float64, generator=random)
    targets = torch.rand(3, 4, 5, dtype=torch.float64, generator=random)
    if not soft:
        targets = targets.round()
        targets[1] = 0
    return logits, targets
