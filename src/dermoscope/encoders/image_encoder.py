"""The one interface of all encoders: images in, maps out, the embedding last."""

from __future__ import annotations

from torch import Tensor, nn


class ImageEncoder(nn.Module):
    """A frozen network that turns images into maps of features."""

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Every map the network offers, from fine to coarse in the order it computes them, the embedding last.

        Args:
            images: `[B, 3, H, W]`, scaled as the encoder's spec says; sides a multiple of its `input_multiple`.

        Returns:
            Maps `[B, C, h, w]`, each with its own `C`, `h` and `w`.
        """
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """The embedding map `[B, C, H / map_stride, W / map_stride]` of images, the last of `maps`."""
        return self.maps(images)[-1]
