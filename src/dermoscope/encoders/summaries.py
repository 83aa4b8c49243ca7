"""What heads read of an encoder's maps: the mean of the embedding, and mean and deviation of every map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermoscope.encoders.image_encoder import ImageEncoder

_LEAST_VARIANCE = 1e-6  # keeps the root differentiable, and bfloat16 from a negative one


def embedding_mean(embedding: Tensor, pool_weights: Tensor) -> Tensor:
    """The feature: the mean of the embedding over the cells that show image, not padding.

    Args:
        embedding: `[B, C, h, w]`.
        pool_weights: `[B, 1, h, w]`, not negative, summing to one over the cells.

    Returns:
        `[B, C]`.
    """
    return torch.sum(embedding * pool_weights, dim=(2, 3))


def map_statistics(maps: Sequence[Tensor], pool_weights: Tensor) -> Tensor:
    """Mean and standard deviation of every channel of several maps, over the cells that show image.

    The coarse map knows what is in an image, the finer ones what it is made of: textures differ from skin there.

    Args:
        maps: `[B, C, h, w]` each, of any resolution.
        pool_weights: `[B, 1, H, W]`, not negative; shared out over the cells of each map.

    Returns:
        `[B, 2 ΣC]`: mean and standard deviation of the first map, then of the second, and so on.
    """
    found = []
    for one in maps:
        # A finer map repeats each weight; a coarser one takes the mean, lest a cell at the edge count for nothing.
        is_coarser = one.shape[2] < pool_weights.shape[2]
        weights = F.interpolate(pool_weights, one.shape[2:], mode="area" if is_coarser else "nearest")
        weights = weights / weights.sum(dim=(2, 3), keepdim=True)
        mean = torch.sum(one * weights, dim=(2, 3), keepdim=True)
        variance = torch.sum((one - mean) ** 2 * weights, dim=(2, 3))
        found += [mean.flatten(1), torch.sqrt(variance + _LEAST_VARIANCE)]
    return torch.cat(found, dim=1)


class EncoderWithSummaries(nn.Module):
    """An encoder that also gives what the heads read: the pooled feature and the statistics of all its maps.

    Args:
        encoder: The encoder.
    """

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor, pool_weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embedding map, feature `[B, C]` and statistics `[B, S]` of images with pool weights `[B, 1, h, w]`."""
        maps = self.encoder.maps(image)
        return maps[-1], embedding_mean(maps[-1], pool_weights), map_statistics(maps, pool_weights)
