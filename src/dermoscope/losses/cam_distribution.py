"""Class activation maps as distributions over an image, for the losses that compare them."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

CamNormalisation = Literal["softmax", "min-max"]
"""How a map of signed values becomes a distribution, see `cam_log_distribution`."""

_LOWEST = 0.01  # share of the highest point that the lowest one keeps: no position is without weight
_FLOOR = 1e-4  # what a flat map adds instead, lest rounding become a pattern and the slope of the logarithm infinite


def cam_log_distribution(cams: Tensor, normalisation: CamNormalisation = "softmax", temperature: float = 1.0) -> Tensor:
    """Logarithm of each map as a distribution over its positions: `log p`, with `Σ_xy p = 1`.

    `softmax` is `p ∝ exp(M / T)`, M the map: a shift of the map changes nothing, a factor makes p flatter or sharper.
    `min-max` is `p ∝ u^(1/T)`, u the map stretched to 0.01…1, so that T = 1 divides u by its sum: neither a shift nor
    a factor changes anything, until the range of the map is below 0.01; from there it gets flatter with its range. A
    constant map is uniform in both.

    Args:
        cams: `[B, K, h, w]`, signed.
        normalisation: `softmax` or `min-max`.
        temperature: The T, positive; above 1 it makes p flatter.

    Returns:
        `[B, K, h, w]`, zero or less, in nats.

    Raises:
        ValueError: If the shape is another one, a value is not finite, or the temperature is not positive.
    """
    scores = checked_cams(cams)
    if normalisation == "min-max":
        low, high = scores.amin(dim=(2, 3), keepdim=True), scores.amax(dim=(2, 3), keepdim=True)
        # The range need not be divided by: a factor of u is lost when p is made to sum to 1.
        lowest = (_LOWEST / (1 - _LOWEST) * (high - low)).clamp_min(_FLOOR)
        scores = (scores - low + lowest).log()
    scores = scores / checked_positive(temperature, "temperature")
    return scores.flatten(2).log_softmax(dim=2).view_as(scores)


def log_distribution_pairs(
    cams: Tensor, normalisation: CamNormalisation = "softmax", temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """The two distributions of each unordered pair of classes, `log p` and `log q`, positions in one row.

    Args:
        cams: `[B, K, h, w]`, signed, K of two or more.
        normalisation: See `cam_log_distribution`.
        temperature: See there.

    Returns:
        Both `[B, K (K - 1) / 2, h · w]`, in nats.

    Raises:
        ValueError: As for `cam_log_distribution`, or if there is only one class.
    """
    classes = checked_cams(cams, least_classes=2).shape[1]
    logs = cam_log_distribution(cams, normalisation, temperature).flatten(2)
    first, second = torch.triu_indices(classes, classes, offset=1, device=cams.device)
    return logs[:, first], logs[:, second]


def checked_cams(cams: Tensor, least_classes: int = 1) -> Tensor:
    """The maps, half precision widened to float32.

    Args:
        cams: `[B, K, h, w]`.
        least_classes: The smallest K.

    Raises:
        ValueError: If the shape is another one, K is smaller, or a value is not finite.
    """
    if cams.ndim != 4 or cams.shape[1] < least_classes:
        raise ValueError(f"cams must be [B, K, h, w] with K >= {least_classes}, got {list(cams.shape)}")
    if not bool(cams.isfinite().all()):
        raise ValueError(f"cams must be finite, got {int((~cams.isfinite()).sum())} values of NaN or infinity")
    return cams.to(torch.promote_types(cams.dtype, torch.float32))


def checked_positive(value: float, name: str) -> float:
    """The value of a parameter.

    Args:
        value: To check.
        name: What the error calls it.

    Raises:
        ValueError: If it is zero, negative, infinite or NaN.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return value
