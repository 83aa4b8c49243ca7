"""Optimisers and schedules by the name that a recipe gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from torch import nn
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau

from dermoscope.training.recipes.schema import ConstantPart, OneCyclePart, OptimiserPart, PlateauPart

OPTIMISERS: Mapping[str, type[Adam | AdamW]] = MappingProxyType({"adam": Adam, "adamw": AdamW})
"""Name to class."""


_FEWEST_STEPS = 4  # torch divides by zero where the way up or down is one step


class Schedule(Protocol):
    """What moves the learning rate; it keeps no state but that of the torch scheduler inside."""

    scheduler: LRScheduler | None

    def after_step(self) -> None:
        """A batch is done."""

    def after_epoch(self, validation_loss: float) -> None:
        """An epoch is done."""


class Constant:
    """The learning rate stays."""

    scheduler: LRScheduler | None = None

    def after_step(self) -> None:
        """Nothing."""

    def after_epoch(self, validation_loss: float) -> None:
        """Nothing."""


class OneCycle:
    """Up and down once over all steps.

    Args:
        part: How far and how fast.
        optimiser: Whose rates are moved; its own rates are the peaks.
        total_steps: Steps of all epochs that could be.
    """

    def __init__(self, part: OneCyclePart, optimiser: Optimizer, total_steps: int) -> None:
        self.scheduler: LRScheduler | None
        total_steps = max(total_steps, _FEWEST_STEPS)
        self._one_cycle = self.scheduler = OneCycleLR(
            optimiser,
            max_lr=[group["lr"] for group in optimiser.param_groups],
            total_steps=total_steps,
            pct_start=max(part.pct_start, 2 / total_steps),
            div_factor=part.div,
            final_div_factor=part.final_div,
        )

    def after_step(self) -> None:
        """Move on."""
        self._one_cycle.step()

    def after_epoch(self, validation_loss: float) -> None:
        """Nothing."""


class Plateau:
    """Smaller steps where the validation loss no longer falls.

    Args:
        part: How much smaller, and when.
        optimiser: Whose rate is moved.
    """

    def __init__(self, part: PlateauPart, optimiser: Optimizer) -> None:
        self.scheduler: LRScheduler | None
        self._plateau = self.scheduler = ReduceLROnPlateau(
            optimiser, mode="min", factor=part.factor, patience=part.patience, min_lr=part.smallest
        )

    def after_step(self) -> None:
        """Nothing."""

    def after_epoch(self, validation_loss: float) -> None:
        """Compare the loss with the best so far."""
        self._plateau.step(validation_loss)


def build_optimiser(part: OptimiserPart, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """The optimiser of a recipe, all parameters updated in one call."""
    return OPTIMISERS[part.kind](parameters, lr=part.learning_rate, weight_decay=part.weight_decay, fused=True)


def build_schedule(part: ConstantPart | OneCyclePart | PlateauPart, optimiser: Optimizer, total_steps: int) -> Schedule:
    """The schedule of a recipe."""
    if isinstance(part, OneCyclePart):
        return OneCycle(part, optimiser, total_steps)
    return Plateau(part, optimiser) if isinstance(part, PlateauPart) else Constant()
