"""Low-rank changes to the linear layers of an encoder's attention, in torch.

Reference: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022 (arXiv 2106.09685).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

ATTENTION_LAYERS = ("qkv", "proj")
"""Names of the linear layers of attention, alike in TinyViT, SAM's ViT and Hiera."""


class LowRank(nn.Module):
    """A weight `[O, I]` plus `alpha / rank` times the product of two thin matrices; at first the weight itself.

    Args:
        weight: The weight.
        rank: Of the change.
        alpha: See above.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, weight.shape[1]))
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)
        self.scale = alpha / rank

    def forward(self, weight: Tensor) -> Tensor:
        """The changed weight `[O, I]`."""
        return weight + self.scale * (self.up @ self.down)


def add_low_rank(encoder: nn.Module, rank: int, alpha: float) -> list[nn.Parameter]:
    """Freeze an encoder and add a low-rank change to every linear layer of its attention.

    Args:
        encoder: Changed in place.
        rank: Of each change.
        alpha: The changes are scaled by `alpha / rank`.

    Returns:
        What is to be trained.

    Raises:
        ValueError: If the encoder has no attention.
    """
    encoder.requires_grad_(False)
    layers = _attention(encoder)
    if not layers:
        raise ValueError(f"{type(encoder).__name__} has no layers {' or '.join(ATTENTION_LAYERS)} to change")
    trained: list[nn.Parameter] = []
    for layer in layers:
        change = LowRank(layer.weight, rank, alpha)
        parametrize.register_parametrization(layer, "weight", change)
        trained += [change.down, change.up]
    return trained


def merge_low_rank(encoder: nn.Module) -> None:
    """Write the changes into the weights, so that the encoder is a plain one again. In place."""
    for layer in _attention(encoder):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def _attention(encoder: nn.Module) -> list[nn.Linear]:
    return [
        module
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Linear) and name.rsplit(".", 1)[-1] in ATTENTION_LAYERS
    ]
