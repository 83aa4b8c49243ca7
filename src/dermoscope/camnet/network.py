"""A classifier in torch that shows where it looks: a backbone of timm, global average pooling, one linear layer.

References:
    Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016 (arXiv 1512.04150). Their VGG-GAP is
    VGG-16 up to its last convolution, one more convolution of 1,024 channels, and then the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dermoscope import torchvision_guard  # noqa: F401  (must come before timm)
from dermoscope.encoders.registry import IMAGENET_MEAN, IMAGENET_STD, Scaling

# isort: split
import timm
from timm.models import group_parameters

_SCALINGS: Mapping[tuple[tuple[float, ...], tuple[float, ...]], Scaling] = {
    (IMAGENET_MEAN, IMAGENET_STD): "imagenet",
    ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)): "symmetric",
}


class CAMAnswer(NamedTuple):
    """What the network says of B images.

    Attributes:
        logits: `[B, K]`.
        cams: `[B, K, h, w]`, class activation maps `Σ_c w_k^c F^c`; their mean over positions is the logit without its
            bias, where nothing is dropped.
        features: `[B, C]`, the pooled maps.
        masks: `[B, h, w]`, logits of the mask head; none without one.
    """

    logits: Tensor
    cams: Tensor
    features: Tensor
    masks: Tensor | None = None


class CAMNetwork(nn.Module):
    """A backbone of timm whose last maps are averaged and weighed.

    Args:
        backbone: Name of a convolutional network of timm, without the tag of its weights.
        classes: K.
        dropout: Probability of dropping a pooled feature in training.
        drop_path: Probability of skipping the deepest block in training.
        mask_head: Whether one more output draws the lesion on the grid of the maps.
        gap_convolution: Channels of a 3×3 convolution with a rectifier between backbone and average, in the place of
            the pooling that may close the backbone; 0 has none.
        frozen_stages: So many of the backbone's first stages, as timm counts them from the stem on, never learn.

    Raises:
        ValueError: If timm has no such network, it takes no such option, its last maps are no grid, or no stage of it
            would learn.
    """

    def __init__(
        self,
        backbone: str,
        classes: int,
        *,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        mask_head: bool = False,
        gap_convolution: int = 0,
        frozen_stages: int = 0,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
        try:
            made: Any = timm.create_model(backbone, num_classes=0, global_pool="", **options)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"model.backbone: {error}") from None
        if hasattr(made, "pre_logits"):
            made.pre_logits = nn.Identity()  # VGG: 120 million weights behind the maps that nobody reads
        channels: int = made.num_features
        side: int = made.pretrained_cfg["input_size"][-1]
        with torch.inference_mode():
            shape = made.eval().forward_features(torch.zeros(1, 3, side, side)).shape
        if len(shape) != 4 or shape[1] != channels:
            raise ValueError(f"model.backbone: the last maps of {backbone} are no grid of channels; take a CNN")
        self.backbone: Any = made
        self._frozen = _freeze(made, frozen_stages, backbone) if frozen_stages else []
        self.gap_convolution: nn.Conv2d | None = None
        if gap_convolution:
            _drop_closing_pool(made)
            self.gap_convolution = nn.Conv2d(channels, gap_convolution, 3, padding=1)
            nn.init.kaiming_normal_(self.gap_convolution.weight, nonlinearity="relu")
            channels = gap_convolution
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, classes)
        self.mask_head = nn.Conv2d(channels, 1, 1) if mask_head else None
        self.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def scaling(self) -> Scaling:
        """How pixels become numbers.

        Raises:
            ValueError: If the backbone wants them in no way that is known here.
        """
        wanted = self.backbone.pretrained_cfg
        key = tuple(wanted["mean"]), tuple(wanted["std"])
        if key not in _SCALINGS:
            raise ValueError(f"model.backbone: its mean {key[0]} and deviation {key[1]} are not known here")
        return _SCALINGS[key]

    @property
    def licence(self) -> str:
        """Of the backbone's published weights, as timm has it."""
        return str(self.backbone.pretrained_cfg.get("license") or "unknown")

    def load_backbone(self, state: Mapping[str, Tensor]) -> None:
        """Take over a trained backbone.

        Args:
            state: Tensors in timm's names; those of its classifier are ignored.

        Raises:
            RuntimeError: If a tensor is missing or has another shape.
        """
        needed = self.backbone.state_dict().keys()
        self.backbone.load_state_dict({name: value for name, value in state.items() if name in needed})

    def map_size(self, size: int) -> int:
        """Side of the maps in cells, for an input of `size` pixels."""
        with torch.inference_mode():
            training = self.training
            maps = self.eval()._maps(torch.zeros(1, 3, size, size))
            self.train(training)
        return int(maps.shape[-1])

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all but the frozen stages, whose batch normalisation keeps its statistics, too."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, images: Tensor) -> CAMAnswer:
        """Look at images `[B, 3, S, S]`, scaled as `scaling` says."""
        maps = self._maps(images.contiguous(memory_format=torch.channels_last))
        features = maps.mean(dim=(2, 3))
        logits = self.classifier(self.dropout(features))
        cams = F.conv2d(maps, self.classifier.weight[:, :, None, None])
        masks = None if self.mask_head is None else self.mask_head(maps)[:, 0]
        return CAMAnswer(logits, cams, features, masks)

    @property
    def heads(self) -> list[nn.Module]:
        """Everything that comes without pretrained weights."""
        return [part for part in (self.gap_convolution, self.classifier, self.mask_head) if part is not None]

    def _maps(self, images: Tensor) -> Tensor:
        maps: Tensor = self.backbone.forward_features(images)
        return maps if self.gap_convolution is None else F.relu(self.gap_convolution(maps))


def _freeze(backbone: Any, stages: int, name: str) -> list[nn.Module]:
    """Take the first stages out of training; returns their modules."""
    groups = group_parameters(backbone, backbone.group_matcher(coarse=True))
    if stages >= len(groups):
        raise ValueError(f"model.frozen_stages: {stages}, but {name} has {len(groups)}, and one at least has to learn")
    frozen = {parameter for stage in sorted(groups)[:stages] for parameter in groups[stage]}
    for parameter in frozen:
        backbone.get_parameter(parameter).requires_grad_(False)
    return [backbone.get_submodule(module) for module in sorted({one.rpartition(".")[0] for one in frozen})]


def _drop_closing_pool(backbone: Any) -> None:
    """Leave out the pooling that closes a plain stack of layers, so that its maps are twice as fine."""
    layers = getattr(backbone, "features", None)
    if isinstance(layers, nn.Sequential) and isinstance(layers[-1], nn.MaxPool2d):
        layers[-1] = nn.Identity()
