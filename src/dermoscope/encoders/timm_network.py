"""Networks of the library timm, convolutional ones and plain transformers, behind the same interface.

Reference:
    Wightman, PyTorch Image Models, 2019 (doi 10.5281/zenodo.4414861).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.encoders.image_encoder import ImageEncoder
from dermoscope.encoders.shapes import TimmShape

# isort: split
import timm
from timm.models import is_model_in_modules

_MAPS_OF_A_TRANSFORMER = 4


class TimmNetwork(ImageEncoder):
    """A network of timm without its classifier.

    Args:
        shape: Which one.
    """

    def __init__(self, shape: TimmShape) -> None:
        super().__init__()
        self._is_transformer = is_model_in_modules(shape.model, ("vision_transformer",))
        # The position table of a transformer fits one input size unless it may be resampled.
        options: dict[str, Any] = {"dynamic_img_size": True} if self._is_transformer else {}
        self.network: Any = timm.create_model(shape.model, num_classes=0, **options)

    @classmethod
    def from_state(cls, shape: TimmShape, state: Mapping[str, Tensor]) -> TimmNetwork:
        """Build the encoder from tensors in timm's own names.

        Args:
            shape: Which network.
            state: Tensors of the model; those of its classifier are ignored.

        Raises:
            RuntimeError: If a tensor is missing or has another shape.
        """
        encoder = cls(shape)
        named = encoder.network.pretrained_cfg["classifier"]
        classifier = tuple(f"{name}." for name in ([named] if isinstance(named, str) else named))
        encoder.network.load_state_dict({key: v.float() for key, v in state.items() if not key.startswith(classifier)})
        return encoder.eval().requires_grad_(False)

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """The network's stages from fine to coarse, and what its classifier would pool.

        The layers of a plain transformer share one resolution; four of them, evenly spread and normalised as the last
        one is, stand in for stages.

        Args:
            images: `[B, 3, H, W]`; sides a multiple of the network's stride.
        """
        if self._is_transformer:
            depth = len(self.network.blocks)
            chosen = [depth * part // _MAPS_OF_A_TRANSFORMER - 1 for part in range(1, _MAPS_OF_A_TRANSFORMER + 1)]
            return tuple(self.network.forward_intermediates(images, indices=chosen, norm=True, intermediates_only=True))
        last: Tensor
        stages: list[Tensor]
        last, stages = self.network.forward_intermediates(images)
        return tuple(stages) if stages[-1] is last else (*stages, last)
