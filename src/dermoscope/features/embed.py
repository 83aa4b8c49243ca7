"""From a manifest to stored features: only what is missing, in portions that are each written whole."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.features.columns import COLUMNS, SPATIAL
from dermoscope.features.database import Database
from dermoscope.features.encoder import column_shapes
from dermoscope.features.engines import ExtractionEngine
from dermoscope.features.extraction import Failed, Outcome, WorkItem
from dermoscope.features.plan import Plan, make_plan, still_missing
from dermoscope.features.store import encoders_in
from dermoscope.features.writer import FLUSH_ROWS, StoreWriter
from dermoscope.images.symmetries import VIEWS

_PORTION = 128


@dataclass(frozen=True)
class EmbedProgress:
    """Where a run is, in images.

    Attributes:
        total: Images of the manifest.
        done: Embedded in this run.
        failed: Could not be embedded.
        finished: Were stored already.
    """

    total: int
    done: int = 0
    failed: int = 0
    finished: int = 0


@dataclass(frozen=True)
class EmbedSummary:
    """What a run did.

    Attributes:
        done: Images embedded in this run.
        failed: Images that could not be embedded.
        finished: Images that were stored already, by an earlier run or another process.
        rows: Rows written, one a view.
        seconds: How long it took, planning included.
        interrupted: Whether it was stopped before the last image.
        other_versions: Titles of other versions of the same encoder in the store; their features were not touched.
    """

    done: int
    failed: int
    finished: int
    rows: int
    seconds: float
    interrupted: bool
    other_versions: tuple[str, ...]


def embed(
    records: Sequence[Record],
    encoder: EncoderFolder,
    engine: ExtractionEngine,
    uri: str | Path,
    *,
    views: Sequence[str],
    columns: Sequence[str],
    spatial: bool = False,
    flush_rows: int = FLUSH_ROWS,
    stop: threading.Event | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    on_failure: Callable[[Failed], None] | None = None,
    on_progress: Callable[[EmbedProgress], None] | None = None,
) -> EmbedSummary:
    """Store the features of images that are not stored yet.

    Args:
        records: The images.
        encoder: The encoder.
        engine: Runs it.
        uri: The store, a local folder or an object store; is made if need be.
        views: Names among `dermoscope.images.symmetries.VIEWS`.
        columns: Names among `COLUMNS`.
        spatial: Whether to store the embeddings themselves too, in half precision.
        flush_rows: Rows that wait in memory at most.
        stop: When set, the images in work are finished and written, the rest is left for the next run.
        on_plan: Is called once, before the first image.
        on_failure: Is called for every image that cannot be embedded.
        on_progress: Is called after every image.

    Raises:
        ValueError: If a view or a column has an unknown name.
        StoreError: If the store cannot be written, is too small, or was computed in another way. What was written
            stays, and the next run goes on from there.
    """
    for what, names, known in (("view", views, VIEWS), ("column", columns, COLUMNS)):
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"there is no {what} {unknown[0]!r}; {what}s: {', '.join(known)}")
    started = time.monotonic()
    wanted = tuple(name for name in (*COLUMNS, SPATIAL) if name in columns or (spatial and name == SPATIAL))
    database = Database(uri)
    writer = StoreWriter.open(database, encoder.description, engine.arithmetic, wanted, flush_rows=max(flush_rows, 1))
    plan = make_plan(records, views, writer, column_shapes(encoder.description), database)
    if on_plan:
        on_plan(plan)
    run = _Run(
        writer,
        EmbedProgress(len(records), finished=plan.finished),
        stop or threading.Event(),
        on_failure or (lambda _: None),
        on_progress or (lambda _: None),
    )
    try:
        with closing(engine.run(run.portions(plan.items), wanted)) as outcomes:
            for outcome in outcomes:
                run.take(outcome)
    finally:
        writer.flush()
    counts = run.progress
    described = encoder.description
    titles = encoders_in(database, database.names()).items()
    return EmbedSummary(
        done=counts.done,
        failed=counts.failed,
        finished=counts.finished,
        rows=writer.rows,
        seconds=time.monotonic() - started,
        interrupted=counts.done + counts.failed + counts.finished < counts.total,
        other_versions=tuple(
            title for key, title in titles if key != described.fingerprint and title.startswith(f"{described.name} ")
        ),
    )


@dataclass
class _Run:
    """Between the plan, the engine and the writer."""

    writer: StoreWriter
    progress: EmbedProgress
    stop: threading.Event
    on_failure: Callable[[Failed], None]
    on_progress: Callable[[EmbedProgress], None]

    def portions(self, items: Sequence[WorkItem]) -> Iterator[WorkItem]:
        """The items, portion by portion in an order of this run's own: two processes on one manifest share the work."""
        starts = list(range(0, len(items), _PORTION))
        random.shuffle(starts)
        for start in starts:
            portion: Sequence[WorkItem] = items[start : start + _PORTION]
            if self.writer.others_wrote():
                left = list(still_missing(portion, self.writer))
                self._advance(finished=len(portion) - len(left))
                portion = left
            for item in portion:
                if self.stop.is_set():
                    return
                yield item

    def take(self, outcome: Outcome) -> None:
        """Pass one outcome on."""
        if isinstance(outcome, Failed):
            self.on_failure(outcome)
            self._advance(failed=1)
        else:
            self.writer.add(outcome)
            self._advance(done=1)

    def _advance(self, *, done: int = 0, failed: int = 0, finished: int = 0) -> None:
        now = self.progress
        self.progress = replace(now, done=now.done + done, failed=now.failed + failed, finished=now.finished + finished)
        self.on_progress(self.progress)
