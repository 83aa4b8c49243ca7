"""Centre loss: features of a class should lie close to its centre."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def centre_loss(features: Tensor, labels: Tensor, centres: Tensor, averaged: bool = True) -> Tensor:
    """Mean over samples of `‖f - c_y‖² / F`, the squared Euclidean distance from the centre of the own class.

    Centres get no gradient: they come from a memory of features, not from this loss.

    Args:
        features: `[B, F]`, the f.
        labels: `[B]`, integers in 0…K-1, the y.
        centres: `[K, F]`, the c. Those of classes that are not in the batch may be anything.
        averaged: Whether the sum over features is divided by F, so that wide networks need no other weight for this
            loss than narrow ones. The publications have the plain sum.

    Returns:
        A scalar, zero or more, in the squared units of a feature.

    Raises:
        ValueError: If the shapes are others or do not belong together, or a feature or needed centre is not finite.
        IndexError: If a label lies outside 0…K-1.

    References:
        Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016, equation 2, without
        its factor of one half; Cartaya and Rivas, University of Girona, 2023, slide 8, after Wang et al., Medical Image
        Analysis 2023 (doi 10.1016/j.media.2023.102746).
    """
    if features.ndim != 2 or centres.ndim != 2 or features.shape[1] != centres.shape[1]:
        raise ValueError(
            f"features and centres must be [B, F] and [K, F], got {list(features.shape)} and {list(centres.shape)}"
        )
    if labels.shape != features.shape[:1]:
        raise ValueError(f"labels must be [{len(features)}], one for each row of features, got {list(labels.shape)}")
    own = centres.detach().index_select(0, labels)
    for name, values in (("features", features), ("centres", own)):
        if not bool(values.isfinite().all()):
            raise ValueError(f"{name} must be finite, got {int((~values.isfinite()).sum())} values of NaN or infinity")
    wide = torch.promote_types(features.dtype, torch.float32)
    distances = (features.to(wide) - own.to(wide)).square()
    return (distances.mean(dim=1) if averaged else distances.sum(dim=1)).mean()


class CentreLoss(nn.Module):
    """`centre_loss` with its parameter kept.

    Args:
        averaged: See `centre_loss`.
    """

    def __init__(self, averaged: bool = True) -> None:
        super().__init__()
        self.averaged = averaged

    def forward(self, features: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
        """Loss of features `[B, F]` and labels `[B]`, given centres `[K, F]`."""
        return centre_loss(features, labels, centres, self.averaged)
