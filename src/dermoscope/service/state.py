"""What one running service holds together."""

from __future__ import annotations

from dataclasses import dataclass, field

from dermoscope.service.kept_images import KeptImages
from dermoscope.service.metrics import Metrics
from dermoscope.service.protocols import ServedAnalyzer
from dermoscope.service.settings import Settings
from dermoscope.service.work import Work


@dataclass(eq=False)
class Service:
    """One service; its routes are made for it.

    Attributes:
        analyzer: The model, loaded.
        settings: As told at the start.
    """

    analyzer: ServedAnalyzer
    settings: Settings
    work: Work = field(init=False)
    kept: KeptImages = field(init=False)
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.work, self.kept = Work(self.settings.limits), KeptImages(self.settings.limits)
