"""The batch runner: a short queue between the list of inputs and a few worker threads."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dermoscope.batch.errors import BatchUsageError
from dermoscope.batch.inputs import BatchInput, check_paths, find_inputs
from dermoscope.batch.ledger import Claim, Ledger, State
from dermoscope.batch.protocols import ModelIdentity
from dermoscope.batch.results import ResultKind, ResultsFile, Totals, drop_lines, recover_lines, write_csv
from dermoscope.batch.run_record import Option, RunRecord, RunState, prepare_folder, remove_results
from dermoscope.batch.worker import Failure, Result, Work, Worker

# Finished images that wait for a slow one before them cost only their record; images in memory are one a worker.
_QUEUE_PER_JOB = 8
_FAILURES_KEPT = 10


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Attributes:
        seen: Inputs that are behind it, repeated ones included.
        done: Images done in this run.
        failed: Images that could not be done in this run.
        skipped: Images that an earlier run had finished.
    """

    seen: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class BatchSummary:
    """What a run did.

    Attributes:
        done: Images done in this run.
        failed: Images that could not be done in this run.
        skipped: Images that an earlier run had finished.
        seconds: How long it took.
        out: The results folder.
        interrupted: Whether it was stopped before the last input.
        failures: The first few failures of this run.
        totals: Counts over the whole folder; none after an interruption.
    """

    done: int
    failed: int
    skipped: int
    seconds: float
    out: Path
    interrupted: bool
    failures: tuple[Failure, ...]
    totals: Totals | None


def run_batch(
    paths: Sequence[str | Path],
    out: Path,
    work: Work,
    *,
    kind: ResultKind,
    model: ModelIdentity,
    jobs: int,
    pictures: bool,
    masks: bool,
    dicom: bool,
    settings: Mapping[str, Option] | None,
    overwrite: bool,
    stop: threading.Event | None,
    on_progress: Callable[[Progress], None] | None,
) -> BatchSummary:
    """Do every image behind some paths and write the results into one folder.

    Lines are written in the order of the inputs, so that two runs over the same files can be compared line by line.
    A folder that holds results of the same bundle, version and options is gone on with: finished images are skipped,
    failed and changed ones are done again. Whatever goes wrong with one image is the reason in its row.

    Args:
        paths: Files, folders and patterns.
        out: The results folder; is made if need be.
        work: Does one image.
        kind: What its records are.
        model: The model behind them.
        jobs: Worker threads; as many images are in memory at once.
        pictures: Whether pictures are written.
        masks: Whether masks are written.
        dicom: Whether DICOM objects are written.
        settings: What else decides what a result looks like; recorded and compared.
        overwrite: Whether to remove results that are there.
        stop: When set, the images in work are finished, the rest is left for the next run.
        on_progress: Is called in this thread after every input.

    Raises:
        BatchUsageError: If the arguments cannot work, or the folder holds something that these results do not go with.
        OutputError: If the folder cannot be written; what was written stays, and the next run goes on from there.
    """
    if jobs < 1:
        raise BatchUsageError(f"jobs must be at least 1, not {jobs}")
    check_paths(paths)
    started = time.monotonic()
    record = RunRecord.begin(
        bundle=model.fingerprint,
        bundle_name=model.name,
        options={"pictures": pictures, "masks": masks, "dicom": dicom, **(settings or {})},
        inputs=tuple(BatchInput(os.fspath(path)).name for path in paths),
    )
    record = prepare_folder(out, record, overwrite=overwrite)
    totals = None
    lines = out / kind.lines
    with Ledger(out) as ledger:
        if overwrite:
            ledger.clear()
            remove_results(out)
        record.write(out)
        ledger.recover(recover_lines(lines))
        worker = Worker(kind, work, out, pictures=pictures, masks=masks, dicom=dicom)
        with ResultsFile(lines) as results:
            run = _Run(ledger, results, worker, on_progress or (lambda _: None))
            interrupted = run.walk(paths, jobs, stop or threading.Event())
        if not interrupted:
            if ledger.has_superseded_lines():
                drop_lines(lines, ledger.drop_if_superseded)
            totals = write_csv(lines, out / kind.table, masks=masks, kind=kind)
            record.finished(RunState.COMPLETE, done=totals.done, failed=totals.failed).write(out)
        else:
            record.finished(RunState.INTERRUPTED).write(out)
    counts = run.progress
    return BatchSummary(
        done=counts.done,
        failed=counts.failed,
        skipped=counts.skipped,
        seconds=time.monotonic() - started,
        out=out,
        interrupted=interrupted,
        failures=tuple(run.failures),
        totals=totals,
    )


@dataclass
class _Run:
    """The main thread's side: claims inputs, keeps the queue short, writes lines in order."""

    ledger: Ledger
    results: ResultsFile
    worker: Worker
    on_progress: Callable[[Progress], None]
    progress: Progress = field(default_factory=Progress)
    failures: list[Failure] = field(default_factory=list)

    def walk(self, paths: Sequence[str | Path], jobs: int, stop: threading.Event) -> bool:
        """Take every input to its line, and say whether `stop` came before the last one."""
        queue: deque[tuple[Claim, Future[Result]]] = deque()
        left_out = False
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="batch")
        try:
            for found in find_inputs(paths):
                if stop.is_set():
                    left_out = True
                    break
                claim = self.ledger.claim(found)
                if claim.state is State.WAITING:
                    queue.append((claim, pool.submit(self.worker, claim)))
                else:
                    self._advance(skipped=claim.state is State.FINISHED)
                while queue and (queue[0][1].done() or len(queue) > jobs * _QUEUE_PER_JOB):
                    self._write(*queue.popleft())
            while queue:
                if stop.is_set():
                    # From the back, so that no worker takes a new image while the front is still being waited for.
                    left_out = sum(future.cancel() for _, future in reversed(queue)) > 0 or left_out
                claim, future = queue.popleft()
                if not future.cancelled():
                    self._write(claim, future)
            return left_out
        finally:
            pool.shutdown(cancel_futures=True)

    def _write(self, claim: Claim, future: Future[Result]) -> None:
        result = future.result()
        self.results.append(result.line)
        self.ledger.finish(claim, done=result.failure is None)
        if result.failure and len(self.failures) < _FAILURES_KEPT:
            self.failures.append(result.failure)
        self._advance(done=result.failure is None, failed=result.failure is not None)

    def _advance(self, *, done: bool = False, failed: bool = False, skipped: bool = False) -> None:
        now = self.progress
        self.progress = Progress(now.seen + 1, now.done + done, now.failed + failed, now.skipped + skipped)
        self.on_progress(self.progress)
