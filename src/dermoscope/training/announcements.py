"""What a training of images tells while it runs. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dermoscope.training.run_folder import EpochMetrics

OnEpoch = Callable[[EpochMetrics], None]
"""Called with every epoch, those of an earlier run included."""

OnStep = Callable[[int, int, float], None]
"""Called after every step with the number of steps done, of all steps, and the loss."""


@dataclass(frozen=True)
class Forecast:
    """Time and room that a training will take.

    Attributes:
        cache_seconds: For what is kept on disk, embeddings or crops, and is not there yet; 0 where nothing is kept.
        training_seconds: For all steps of all epochs, without the scores in between.
        memory_bytes: Largest memory of the process in the steps that were tried; 0 where the system does not say.
        disk_bytes: Room that it takes.
        steps: Of all epochs.
    """

    cache_seconds: float
    training_seconds: float
    memory_bytes: int
    disk_bytes: int
    steps: int


@dataclass(frozen=True)
class Announcements:
    """What is called while a training runs.

    Attributes:
        on_stage: With what is done next, in a few words.
        on_forecast: With the time and room that the training will take.
        on_kept: With the number of embeddings or crops that are computed and kept, and of all.
        on_step: With every step.
        on_epoch: With every epoch.
    """

    on_stage: Callable[[str], None] = lambda _: None
    on_forecast: Callable[[Forecast], None] = lambda _: None
    on_kept: Callable[[int, int], None] = lambda _done, _all: None
    on_step: OnStep = lambda _done, _all, _loss: None
    on_epoch: OnEpoch = lambda _: None

    def of(self, name: str) -> Announcements:
        """The same, with every stage named as one of a part of the training."""
        return replace(self, on_stage=lambda what: self.on_stage(f"{name}: {what}"))
