"""The folder of one training run: `run.json`, what was trained on what, and `metrics.jsonl`, how it went. Torch-free.

Neither holds a path of the machine, so that both can be published beside the weights.
"""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from dermoscope import __version__
from dermoscope.batch.files import replace_file, writing_to
from dermoscope.batch.inputs import RUN_NAME
from dermoscope.batch.run_record import RunState
from dermoscope.data.manifest import Record
from dermoscope.evaluation.truth import split_hash
from dermoscope.training.leaks import LeakCheck, LeakDecision

METRICS_NAME = "metrics.jsonl"


class Machine(BaseModel):
    """Where a run was made.

    Attributes:
        cores: Logical processors of the machine.
        python: Version.
        torch: Version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cores: int
    python: str
    torch: str

    @classmethod
    def here(cls) -> Machine:
        """This one."""
        return cls(cores=os.cpu_count() or 1, python=platform.python_version(), torch=version("torch"))


class RunRecord(BaseModel):
    """The contents of `run.json`.

    Attributes:
        schema_version: Version of this record.
        state: How far the run has come; one that was killed stays `running`.
        version: Version of `dermoscope`.
        command: What was typed, with the names of files and folders instead of their paths.
        started: ISO 8601, UTC.
        ended: None while the run goes on.
        seeds: Of initialisation and sampling, one for each member of an averaged head.
        machine: Where it was made.
        manifest: Name of the manifest.
        manifest_sha256: Of its bytes.
        split_hashes: By split, over its image ids; see `dermoscope.evaluation.truth.split_hash`.
        leaks: What the leak check compared and found, and whether a person allowed it.
        metrics: Final measures by head.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    state: RunState = RunState.RUNNING
    version: str
    command: str
    started: str
    ended: str | None = None
    seeds: tuple[int, ...]
    machine: Machine
    manifest: str
    manifest_sha256: str
    split_hashes: dict[str, str]
    leaks: LeakDecision
    metrics: dict[str, dict[str, float]] = {}

    @classmethod
    def begin(
        cls,
        *,
        command: Sequence[str | Path],
        seeds: Sequence[int],
        records: Sequence[Record],
        check: LeakCheck,
        leaks: LeakDecision,
    ) -> RunRecord:
        """The record of a run that starts now.

        Args:
            command: The program and its arguments; of what is given as a `Path`, the name alone is kept.
            seeds: See the class.
            records: All rows of the manifest that was checked.
            check: Says which manifest that was.
            leaks: What was decided on it.
        """
        splits = sorted({record.split for record in records if record.split})
        return cls(
            version=__version__,
            command=shlex.join(part if isinstance(part, str) else part.resolve().name for part in command),
            started=_now(),
            seeds=tuple(seeds),
            machine=Machine.here(),
            manifest=check.manifest,
            manifest_sha256=check.manifest_sha256,
            split_hashes={name: split_hash([r.image_id for r in records if r.split == name], name) for name in splits},
            leaks=leaks,
        )


class EpochMetrics(BaseModel):
    """One line of `metrics.jsonl`.

    Attributes:
        head: Name of the head.
        seed: Of the member of an averaged head; none for the finished head.
        epoch: From 1; none for the finished head.
        metrics: By name; what is not finite is written as `null`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: str
    seed: int | None = None
    epoch: int | None = None
    metrics: dict[str, float]


class RunFolder:
    """A training run that is going on; leaving the context by an exception marks it as interrupted.

    A run that starts in the folder of an earlier one takes its place: `run.json` is replaced, `metrics.jsonl` begins
    anew. Other files are left alone.

    Args:
        path: The folder, made if need be.
        record: What is about to run.

    Raises:
        OutputError: If the folder cannot be written.
    """

    def __init__(self, path: Path, record: RunRecord) -> None:
        self._path, self._record = path, record
        with writing_to(path):
            path.mkdir(parents=True, exist_ok=True)
        self._write()
        replace_file(path / METRICS_NAME, b"")

    @property
    def record(self) -> RunRecord:
        """As `run.json` has it."""
        return self._record

    def add_metrics(self, line: EpochMetrics) -> None:
        """Append a line to `metrics.jsonl`; it is in the file when this returns.

        Raises:
            OutputError: If that fails.
        """
        with writing_to(self._path), (self._path / METRICS_NAME).open("ab") as stream:
            stream.write(f"{line.model_dump_json()}\n".encode())

    def complete(self, metrics: Mapping[str, Mapping[str, float]]) -> None:
        """Mark the run as complete.

        Args:
            metrics: Final measures by head.

        Raises:
            OutputError: If `run.json` cannot be written.
        """
        self._end(RunState.COMPLETE, metrics)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Mark a run that did not reach its end as interrupted."""
        if self._record.state is RunState.RUNNING:
            self._end(RunState.INTERRUPTED, {})

    def _end(self, state: RunState, metrics: Mapping[str, Mapping[str, float]]) -> None:
        final = {head: dict(scores) for head, scores in metrics.items()}
        self._record = self._record.model_copy(update={"state": state, "ended": _now(), "metrics": final})
        self._write()

    def _write(self) -> None:
        replace_file(self._path / RUN_NAME, f"{self._record.model_dump_json(indent=2)}\n".encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
