"""CSKL: the symmetric divergence between the class activation maps of an image, minimised so that they agree."""

from __future__ import annotations

from torch import Tensor, nn

from dermoscope.losses.cam_distribution import CamNormalisation, checked_positive, log_distribution_pairs


def cam_divergence(cams: Tensor, normalisation: CamNormalisation = "softmax", temperature: float = 1.0) -> Tensor:
    """Mean over images and unordered pairs of classes of `KL(p‖q) + KL(q‖p) = Σ_xy (p - q)(log p - log q)`.

    p and q are the maps of the two classes as distributions. Minimised, it makes all classes look at the same place;
    what tells the classes apart is then left to the weights of the channels.

    Args:
        cams: `[B, K, h, w]`, signed, K of two or more.
        normalisation: How a map becomes a distribution, see `cam_log_distribution`. The publications do not say.
        temperature: See there.

    Returns:
        A scalar in nats, zero where all maps of an image agree, otherwise positive and unbounded.

    Raises:
        ValueError: If the shape is another one, a value is not finite, or the temperature is not positive.

    References:
        Wang et al., Intra-class consistency and inter-class discrimination feature learning for automatic skin lesion
        classification, Medical Image Analysis 2023 (doi 10.1016/j.media.2023.102746), as given by Cartaya and Rivas,
        University of Girona, 2023, slide 6; the pairs of three or more classes are ours.
    """
    log_p, log_q = log_distribution_pairs(cams, normalisation, temperature)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=2).mean()


class CamDivergence(nn.Module):
    """`cam_divergence` with its parameters kept.

    Args:
        normalisation: See `cam_log_distribution`.
        temperature: See there.

    Raises:
        ValueError: If `temperature` is not positive.
    """

    def __init__(self, normalisation: CamNormalisation = "softmax", temperature: float = 1.0) -> None:
        super().__init__()
        self.normalisation: CamNormalisation = normalisation
        self.temperature = checked_positive(temperature, "temperature")

    def forward(self, cams: Tensor) -> Tensor:
        """Loss of maps `[B, K, h, w]`."""
        return cam_divergence(cams, self.normalisation, self.temperature)
