"""Penalised CSKL: the divergence between class activation maps with a limit to what a single large term can say."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dermoscope.losses.cam_distribution import CamNormalisation, checked_positive, log_distribution_pairs

PenaltyPer = Literal["pixel", "sum"]
"""What the penalty is applied to, see `penalised_cam_divergence`."""


def redescending(values: Tensor, strength: float) -> Tensor:
    """`x / (λ x² + 1)` of each value: x itself near zero, then less, and nothing at infinity; odd in x.

    It rises to `1 / (2 √λ)` at `x = 1 / √λ` and falls after: the slope of what lies beyond points the other way.

    Args:
        values: The x, of any shape.
        strength: The λ, positive.

    Returns:
        Like `values`, between `-1 / (2 √λ)` and `1 / (2 √λ)`.

    Raises:
        ValueError: If the strength is not positive.
    """
    return values / (checked_positive(strength, "strength") * values.square() + 1)


def penalised_cam_divergence(
    cams: Tensor,
    strength: float,
    per: PenaltyPer = "pixel",
    normalisation: CamNormalisation = "softmax",
    temperature: float = 1.0,
) -> Tensor:
    """Mean over images and unordered pairs of classes of `f(a) + f(b)`, f the function `redescending`.

    `a = p log p - p log q` and `b = q log q - q log p` are what one position says in KL(p‖q) and KL(q‖p).

    `per="pixel"` takes f of each a and b, p and q multiplied by h · w so that their mean is 1, and the mean over
    positions: as λ goes to zero it becomes `cam_divergence`. a and b differ in sign, and so do the two terms: a
    position counts *less than zero* exactly where `λ p q (log p - log q)² > 1`. That cannot be while both p and q stay
    below `e / (2 √λ)`, 1.36 times the mean for λ = 1; beyond it is common. So the loss itself can be negative, down to
    no less than `-1 / (2 √λ)`, and then it rewards maps for differing: maps that agree are a local minimum, not the
    lowest. For two classes of 10 × 10 independent standard normal values and softmax it is negative for none of 2,000
    images at λ = 0.1, for 3 % at λ = 1 and for all at λ = 10.

    `per="sum"` takes f of the two sums KL(p‖q) and KL(q‖p): zero to `1 / √λ`, never negative. Beyond a divergence of
    `1 / √λ` nats it falls, so that maps far apart are pushed further, ever more weakly.

    Args:
        cams: `[B, K, h, w]`, signed, K of two or more.
        strength: The λ, positive; the slides do not say which.
        per: `pixel` or `sum`; the slides do not say which.
        normalisation: How a map becomes a distribution, see `cam_log_distribution`.
        temperature: See there.

    Returns:
        A scalar, zero where all maps of an image agree.

    Raises:
        ValueError: If the shape is another one, a value is not finite, or strength or temperature are not positive.

    References:
        Cartaya and Rivas, University of Girona, 2023, slides on the penalised CSKL; the scale of p and q is ours.
    """
    log_p, log_q = log_distribution_pairs(cams, normalisation, temperature)
    forth, back = log_p.exp() * (log_p - log_q), log_q.exp() * (log_q - log_p)
    if per == "sum":
        forth, back = forth.sum(dim=2), back.sum(dim=2)
    else:
        positions = log_p.shape[2]
        forth, back = positions * forth, positions * back
    return (redescending(forth, strength) + redescending(back, strength)).mean()


class PenalisedCamDivergence(nn.Module):
    """`penalised_cam_divergence` with its parameters kept.

    Args:
        strength: See `penalised_cam_divergence`.
        per: See there.
        normalisation: See `cam_log_distribution`.
        temperature: See there.

    Raises:
        ValueError: If `strength` or `temperature` is not positive.
    """

    def __init__(
        self,
        strength: float,
        per: PenaltyPer = "pixel",
        normalisation: CamNormalisation = "softmax",
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.strength = checked_positive(strength, "strength")
        self.per: PenaltyPer = per
        self.normalisation: CamNormalisation = normalisation
        self.temperature = checked_positive(temperature, "temperature")

    def forward(self, cams: Tensor) -> Tensor:
        """Loss of maps `[B, K, h, w]`."""
        return penalised_cam_divergence(cams, self.strength, self.per, self.normalisation, self.temperature)
