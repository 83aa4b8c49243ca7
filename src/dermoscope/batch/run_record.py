"""`run.json`: what made a results folder, and whether a second run may go on in it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from dermoscope import __version__
from dermoscope.batch.errors import BatchUsageError
from dermoscope.batch.files import replace_file, writing_to
from dermoscope.batch.inputs import LINES_NAMES, PICTURE_FOLDERS, RUN_NAME
from dermoscope.batch.ledger import LEDGER_NAME

Option = str | int | float | bool | None

# Everything that the commands make of their lines at the end of a run.
_MADE_FILES = ("results.csv", "report.html", "segments.csv", "coco.json")
_INPUTS_SHOWN = 100


class RunState(StrEnum):
    """How far a run has come. A run that was killed, or whose disk is full, stays `running`."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    COMPLETE = "complete"


class RunRecord(BaseModel):
    """The contents of `run.json`.

    Attributes:
        schema_version: Version of this record.
        state: How far it has come.
        version: Version of `dermoscope`.
        bundle: Fingerprint of the model.
        bundle_name: Its name.
        options: What else decides what a result looks like.
        inputs: The arguments, the first hundred of them.
        inputs_given: How many arguments there were.
        started: When the folder's first run began, ISO 8601, UTC.
        ended: When its latest run ended; none while one is going on.
        done: Images analysed, over all runs.
        failed: Images that could not be analysed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    state: RunState = RunState.RUNNING
    version: str
    bundle: str
    bundle_name: str
    options: dict[str, Option]
    inputs: tuple[str, ...]
    inputs_given: int
    started: str
    ended: str | None = None
    done: int | None = None
    failed: int | None = None

    @classmethod
    def begin(
        cls, *, bundle: str, bundle_name: str, options: Mapping[str, Option], inputs: tuple[str, ...]
    ) -> RunRecord:
        """The record of a run that starts now."""
        return cls(
            version=__version__,
            bundle=bundle,
            bundle_name=bundle_name,
            options=dict(options),
            inputs=inputs[:_INPUTS_SHOWN],
            inputs_given=len(inputs),
            started=_now(),
        )

    def finished(self, state: RunState, *, done: int | None = None, failed: int | None = None) -> RunRecord:
        """This record, ended now."""
        return self.model_copy(update={"state": state, "ended": _now(), "done": done, "failed": failed})

    def write(self, folder: Path) -> None:
        """Write it into a results folder.

        Raises:
            OutputError: If that fails.
        """
        replace_file(folder / RUN_NAME, f"{self.model_dump_json(indent=2)}\n".encode())


def prepare_folder(folder: Path, record: RunRecord, *, overwrite: bool) -> RunRecord:
    """Make sure that a folder is new, or holds results that the run may go on with or overwrite.

    A folder that holds anything but results of `dermoscope` is never written into, not even to overwrite it.

    Args:
        folder: The results folder; is made if need be.
        record: What is about to run.
        overwrite: Whether results that are there may be removed; this function removes none.

    Returns:
        The record to go on with; it keeps the start of the run it continues.

    Raises:
        BatchUsageError: If the folder holds something else, or results that do not go with these.
        OutputError: If it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise BatchUsageError(f"the output folder {folder} is a file; choose another --out")
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        is_new = all(path.name.startswith(".") for path in folder.iterdir())
    if is_new:
        record.write(folder)
        return record
    earlier = _read(folder)
    if overwrite:
        return record
    _check_same(folder, earlier, record)
    return record.model_copy(update={"started": earlier.started})


def remove_results(folder: Path) -> None:
    """Remove every file of earlier runs but the ledger, whose lock the caller holds, and `run.json`.

    Raises:
        OutputError: If that fails.
    """
    with writing_to(folder):
        for name in PICTURE_FOLDERS:
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
        for name in (*LINES_NAMES, *_MADE_FILES):
            (folder / name).unlink(missing_ok=True)


def _read(folder: Path) -> RunRecord:
    path = folder / RUN_NAME
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BatchUsageError(
            f"the output folder {folder} holds files that dermoscope did not write; choose another --out"
        ) from None
    except (OSError, ValidationError) as error:
        raise BatchUsageError(
            f"{path} is not the record of a run that this version can go on with ({type(error).__name__}); "
            "choose another --out"
        ) from error


def _check_same(folder: Path, earlier: RunRecord, record: RunRecord) -> None:
    differences = [
        f"{what} {then!r}, now {now!r}"
        for what, then, now in (
            ("version", earlier.version, record.version),
            ("bundle", f"{earlier.bundle_name} ({earlier.bundle})", f"{record.bundle_name} ({record.bundle})"),
            *(
                (f"option {name}", earlier.options.get(name), record.options.get(name))
                for name in sorted({*earlier.options, *record.options})
            ),
        )
        if then != now
    ]
    if differences:
        raise BatchUsageError(
            f"the results in {folder} were made differently: {'; '.join(differences)}. "
            "Replace them with --overwrite, or choose another --out"
        )
    if any((folder / name).exists() for name in LINES_NAMES) and not (folder / LEDGER_NAME).exists():
        raise BatchUsageError(
            f"{folder / LEDGER_NAME} is missing, so nobody knows which inputs are done. "
            "Start again with --overwrite, or choose another --out"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
