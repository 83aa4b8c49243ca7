"""`dermoscope cases`: look at, export and delete the cases that the local service keeps."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail

if TYPE_CHECKING:
    from dermoscope.cases import Case, CaseStore

cases = App(name="cases", help="List, show, export and delete the cases that the local service keeps.")

Folder = Annotated[Path, Parameter(name="--cases")]
Switch = Annotated[bool, Parameter(show_default=False)]


@cases.command(name="list")
def list_cases(
    *, folder: Folder, search: str = "", label: str | None = None, limit: int = 50, json: Switch = False
) -> int:
    """List cases, the newest first.

    For example: dermoscope cases list --cases my-cases --search nevus

    Args:
        folder: The folder of the cases.
        search: Text in label, note, most probable diagnosis or its group.
        label: Only cases with this label, a diagnosis code such as MEL.
        limit: How many at most.
        json: Print them as JSON.
    """
    try:
        with _opened(folder) as store:
            page = store.list(search=search, label=label, limit=limit)
    except _errors() as error:
        return fail(str(error))
    if json:
        found = {"cases": [case.to_dict() for case in page.cases], "total": page.total}
        print(json_format.dumps(found, indent=2))
        return ExitCode.DONE
    for case in page.cases:
        print(_line(case))
    print(f"{len(page.cases):,} of {page.total:,} cases. {RESEARCH_USE}")
    return ExitCode.DONE


@cases.command
def show(case_id: str, /, *, folder: Folder) -> int:
    """Print all that is kept of one case but its pixels, as JSON.

    For example: dermoscope cases show 0123456789abcdef0123456789abcdef --cases my-cases

    Args:
        case_id: The case, as the list names it.
        folder: The folder of the cases.
    """
    try:
        with _opened(folder) as store:
            print(json_format.dumps(store.get(case_id).to_dict(), indent=2))
    except _errors() as error:
        return fail(str(error))
    return ExitCode.DONE


@cases.command
def export(*, folder: Folder, out: Path, corrected: Switch = False) -> int:
    """Write cases as images, masks and a manifest, to train on. They are patients' images: mind where they go.

    For example, what people corrected, for the next training:

    dermoscope cases export --cases my-cases --corrected --out corrections

    dermoscope data split corrections/manifest.csv --out splits.csv --manifest-out to-train.csv

    Args:
        folder: The folder of the cases.
        out: A new folder, or a file that ends in .zip.
        corrected: Only where a person drew the mask or named another diagnosis, and only what that person said.
    """
    try:
        with _opened(folder) as store:
            count = store.export(out, corrected=corrected)
    except _errors() as error:
        return fail(str(error))
    print(f"{count:,} cases in {out}")
    return ExitCode.DONE


@cases.command
def delete(*case_ids: str, folder: Folder) -> int:
    """Delete cases for good.

    For example: dermoscope cases delete 0123456789abcdef0123456789abcdef --cases my-cases

    Args:
        case_ids: The cases, as the list names them.
        folder: The folder of the cases.
    """
    if not case_ids:
        return fail("CASE-IDS: name one or more cases", ExitCode.USAGE)
    try:
        with _opened(folder) as store:
            for case_id in case_ids:
                store.delete(case_id)
                print(f"{case_id} deleted")
    except _errors() as error:
        return fail(str(error))
    return ExitCode.DONE


@contextmanager
def _opened(folder: Path) -> Iterator[CaseStore]:
    """The store, which must exist: a list of what is not there should not make it."""
    from dermoscope.cases import CaseStore, StoreError

    if not folder.is_dir():
        raise StoreError(f"there are no cases in {folder}; the service makes them")
    with CaseStore(folder) as store:
        yield store


def _errors() -> tuple[type[Exception], ...]:
    from dermoscope.cases import CaseNotFoundError, StoreError

    return CaseNotFoundError, StoreError, ValueError


def _line(case: Case) -> str:
    from dermoscope.images import printable

    mask = "corrected mask" if case.mask_corrected else "mask" if case.has_mask else "no mask"
    note = printable(case.note.replace("\n", " "))
    guess = case.analysis.top_diagnosis or "–"
    return f"{case.id}  {case.created[:16]}Z  label {case.label or '–'}  model {guess}  {mask}  {note[:60]}".rstrip()
