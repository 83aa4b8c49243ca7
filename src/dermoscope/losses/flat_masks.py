"""What the losses for masks do with their input before the formula begins."""

from __future__ import annotations

import torch
from torch import Tensor


def flat_masks(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and targets with the pixels of an image in one row, both `[B, h · w]` and of one type.

    Half precision is widened to float32: the sum over a mask needs more than its three digits.

    Args:
        logits: `[B, h, w]`.
        targets: `[B, h, w]`, 0…1 or boolean.

    Raises:
        ValueError: If the shapes differ, or are not of that form: broadcasting would pair each image with all others.
    """
    if logits.ndim != 3 or logits.shape != targets.shape:
        raise ValueError(
            f"logits and targets must both be [B, h, w], got {list(logits.shape)} and {list(targets.shape)}"
        )
    wide = torch.promote_types(logits.dtype, torch.float32)
    return logits.flatten(1).to(wide), targets.flatten(1).to(wide)
