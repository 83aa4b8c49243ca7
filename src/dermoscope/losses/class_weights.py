"""Weights that let a rare class speak as loudly as a common one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def inverse_frequency(counts: Sequence[int]) -> Tensor:
    """Weight `N / (K n_k)` of each class, `[K]` float32: the mean weight of a sample is one.

    Args:
        counts: Samples of each class, n_1 to n_K.

    Raises:
        ValueError: If a class has no samples; leave it out of the classes instead.
    """
    if not counts or min(counts) < 1:
        raise ValueError(f"counts: every class needs a sample, got {list(counts)}")
    return torch.tensor([sum(counts) / (len(counts) * count) for count in counts], dtype=torch.float32)


def checked_weights(class_weights: Tensor) -> Tensor:
    """A copy of class weights `[K]`.

    Raises:
        ValueError: If a weight is not positive.
    """
    if not bool((class_weights > 0).all()):
        raise ValueError(f"class_weights must be positive, got {class_weights.tolist()}")
    return class_weights.clone()
