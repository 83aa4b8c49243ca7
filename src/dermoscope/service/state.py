"""What one running service holds together."""

from __future__ import annotations

from dataclasses import dataclass, field

from dermoscope.cases import CaseStore
from dermoscope.service.errors import ServiceError
from dermoscope.service.kept_images import KeptImages
from dermoscope.service.metrics import Metrics
from dermoscope.service.protocols import ServedAnalyzer
from dermoscope.service.settings import Settings
from dermoscope.service.work import Work

# Reading and writing cases is short, and must not wait for the images that are computed.
_RECORD_WORKERS, _RECORD_QUEUE = 2, 32


@dataclass(eq=False)
class Service:
    """One service; its routes are made for it.

    Attributes:
        analyzer: The model, loaded.
        settings: As told at the start.
        cases: The history, or none.
        history_off: Why there is none, with the way to turn it on.
        work: Threads that compute.
        records: Threads that read and write cases.
        kept: Images behind the encoder.
        stopping: Whether nothing new is taken.
    """

    analyzer: ServedAnalyzer
    settings: Settings
    cases: CaseStore | None = None
    history_off: str = "the history is off; start the service with a folder for it: --cases FOLDER"
    work: Work = field(init=False)
    records: Work = field(init=False)
    kept: KeptImages = field(init=False)
    metrics: Metrics = field(default_factory=Metrics)
    stopping: bool = False

    def __post_init__(self) -> None:
        limits = self.settings.limits
        self.work = Work(limits.workers, limits.queue, limits.work_seconds)
        self.records = Work(_RECORD_WORKERS, _RECORD_QUEUE, limits.work_seconds)
        self.kept = KeptImages(limits)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in work."""
        return self.work.is_idle and self.records.is_idle

    @property
    def history(self) -> CaseStore:
        """The store of cases.

        Raises:
            ServiceError: 503 if there is none.
        """
        if self.cases is None:
            raise ServiceError(503, "history-off", self.history_off)
        return self.cases

    def close(self) -> None:
        """Let the threads end when they have finished."""
        self.work.close()
        self.records.close()
