"""Lesion-focus loss: class activation maps should rise and fall with the lesion mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dermoscope.losses.cam_distribution import checked_cams

_FLAT = 1e-4  # a map that deviates less is as good as constant: its slope must not grow without end
_ROUNDING = 1e-6  # shares of a mask that differ by less are equal


def lesion_focus_loss(cams: Tensor, masks: Tensor) -> Tensor:
    """Mean over images and classes of `1 - r`, r the correlation of a class map with the lesion mask.

    Images whose mask is constant, without skin or without a lesion, are left out; where no image is left the loss is 0
    and its gradient too.

    Args:
        cams: `[B, K, h, w]`, signed.
        masks: `[B, h, w]`, shares of lesion in each cell of the maps, 0…1.

    Returns:
        A scalar, 0…2; 1 for a map that knows nothing of the lesion. Neither a shift nor a positive factor of a map
        changes it, see `map_correlation`.

    Raises:
        ValueError: If the shapes are others or do not belong together, or a value is not finite.

    References:
        Cartaya and Rivas, University of Girona, 2023, slide 7; the care for constant masks and maps is ours.
    """
    losses = 1 - map_correlation(cams, masks).mean(dim=1)
    usable = usable_masks(masks).to(losses.dtype)
    return (losses * usable).sum() / usable.sum().clamp_min(1)


def map_correlation(cams: Tensor, masks: Tensor) -> Tensor:
    """Pearson correlation over positions of each class map with the mask of its image.

    A map whose standard deviation is below 1e-4 is divided by 1e-4 instead: as it gets flat its correlation goes to 0,
    and the gradient stays finite. A constant map has 0, and so has every map of an image whose mask is constant; which
    these are, `usable_masks` says.

    Args:
        cams: `[B, K, h, w]`, signed.
        masks: `[B, h, w]`, 0…1.

    Returns:
        `[B, K]`, -1…1, never NaN.

    Raises:
        ValueError: If the shapes are others or do not belong together, or a value is not finite.
    """
    maps = _centred(checked_cams(cams).flatten(2))
    if masks.shape != cams.shape[:1] + cams.shape[2:]:
        raise ValueError(
            f"masks must be [B, h, w] at the resolution of the maps, got {list(masks.shape)} for cams of "
            f"{list(cams.shape)}"
        )
    lesions = _centred(masks.flatten(1).to(maps.dtype))
    deviation = maps.square().mean(dim=2).clamp_min(_FLAT**2).sqrt()
    usable = usable_masks(masks)
    spread = torch.where(usable, lesions.square().mean(dim=1), 1).sqrt()
    lesions = torch.where(usable[:, None], lesions, 0) / spread[:, None]
    return (maps * lesions[:, None]).mean(dim=2) / deviation


def usable_masks(masks: Tensor) -> Tensor:
    """Which masks have both lesion and skin, `[B]` boolean: with a constant mask nothing can correlate.

    Args:
        masks: `[B, h, w]`, 0…1 or boolean.

    Raises:
        ValueError: If a value is not finite.
    """
    if not bool(masks.isfinite().all()):
        raise ValueError(f"masks must be finite, got {int((~masks.isfinite()).sum())} values of NaN or infinity")
    shares = masks.flatten(1).float()
    return shares.amax(dim=1) - shares.amin(dim=1) > _ROUNDING


class LesionFocusLoss(nn.Module):
    """`lesion_focus_loss` as a module."""

    def forward(self, cams: Tensor, masks: Tensor) -> Tensor:
        """Loss of maps `[B, K, h, w]` and masks `[B, h, w]`."""
        return lesion_focus_loss(cams, masks)


def _centred(values: Tensor) -> Tensor:
    return values - values.mean(dim=-1, keepdim=True)
