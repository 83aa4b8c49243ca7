"""A moving average of a model's weights, in torch, which is what is kept in the end."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """Follows the weights of a model; at first faster, or a short training would hardly move it.

    Args:
        model: What is followed, in its own place.
        decay: What a step keeps of the average in the long run, 0 to below 1; 0 keeps none.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model, self._decay = model, decay
        self.tensors: Mapping[str, Tensor] = {}
        self.begin()

    def begin(self) -> None:
        """Start anew from the model as it is."""
        self.tensors = {name: tensor.clone() for name, tensor in self._floating()}

    def follow(self, step: int) -> None:
        """Move the average a little towards the weights.

        Args:
            step: How many steps were done before this one.
        """
        decay = min(self._decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, tensor in self._floating():
                self.tensors[name].lerp_(tensor, 1 - decay)

    def state(self) -> dict[str, Tensor]:
        """The model's tensors with the average in their place; whole numbers are as the model has them."""
        return self._model.state_dict() | dict(self.tensors)

    def _floating(self) -> list[tuple[str, Tensor]]:
        state = self._model.state_dict()
        return [(name, tensor.detach()) for name, tensor in state.items() if tensor.is_floating_point()]


def copied_state(model: nn.Module) -> dict[str, Tensor]:
    """The model's tensors as they are now."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
