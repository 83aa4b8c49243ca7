"""`dermoscope data download`."""

from __future__ import annotations

import json as json_format
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail

if TYPE_CHECKING:
    from dermoscope.data.download import FileReport
    from dermoscope.data.remote import RemoteFile, Source

Switch = Annotated[bool, Parameter(show_default=False)]

_SECONDS_BETWEEN_LINES = 30.0


def download(
    name: str | None = None,
    /,
    *,
    to: Path | None = None,
    only: list[str] | None = None,
    yes: Switch = False,
    registry: Path | None = None,
    keep_archives: Switch = False,
    quiet: Switch = False,
    json: Switch = False,
) -> int:
    """Download an official data set, check it and unpack it. Without a name, list the data sets.

    Shows the licence and asks for consent first. For example, the tables of ISIC 2019 alone, then everything:

    dermoscope data download isic2019 --to isic2019 --only '*.csv'

    dermoscope data download isic2019 --to isic2019 --yes

    Run the same command again after an interruption: it goes on where it stopped. Where this computer has no way to
    the address, download the files by hand, put them into the folder and run the same command: it checks and unpacks
    what lies there. Sums of what came are kept in dermoscope-download.json, and later downloads must match them.

    Exit codes: 0 all done, 1 failed, 2 wrong usage or no consent, 130 interrupted.

    Args:
        name: The data set, such as ham10000.
        to: Folder for it; made if missing.
        only: Patterns of the names of files to download; all by default.
        yes: Consent to the licence that is shown, without being asked.
        registry: JSON file with data sets of your own (key sources) or sums of files (key checksums).
        keep_archives: Keep archives after they have been unpacked.
        quiet: Show no progress.
        json: Print what came as JSON.
    """
    from dermoscope.data.download import chosen_files
    from dermoscope.data.remote import DownloadError
    from dermoscope.data.sources import SOURCES, read_registry

    try:
        known = read_registry(registry) if registry else SOURCES
        if name is None:
            return _list(known, json=json)
        if name not in known:
            return fail(f"unknown data set {name!r}; known: {', '.join(known)}", ExitCode.USAGE)
        if to is None:
            return fail(f"--to: say where {name} should go, such as --to {name}", ExitCode.USAGE)
        source = known[name]
        try:
            files = chosen_files(source, only or ())
        except DownloadError as error:
            return fail(str(error), ExitCode.USAGE)
        _show_terms(source, files)
        if not yes and not _agreed():
            return fail(
                "nothing was downloaded: the licence above needs your consent; answer y, or add --yes", ExitCode.USAGE
            )
        reports = _run(source, to, only or (), keep_archives, quiet=quiet, say=not quiet and not json)
    except DownloadError as error:
        return fail(str(error))
    if json:
        print(json_format.dumps(_as_json(source, to, reports), indent=2))
    elif not quiet:
        print(f"{source.name} is complete in {to}. Next: dermoscope data manifest, then dermoscope data stats.")
        print(RESEARCH_USE)
    return ExitCode.DONE


def _run(
    source: Source, to: Path, only: list[str] | tuple[()], keep_archives: bool, *, quiet: bool, say: bool
) -> list[FileReport]:
    from dermoscope.data.download import download as download_source

    reports = []
    with _progress(quiet=quiet) as on_progress:
        for report in download_source(source, to, only=only, keep_archives=keep_archives, on_progress=on_progress):
            reports.append(report)
            if say:
                print(_line(report), flush=True)
    return reports


def _show_terms(source: Source, files: tuple[RemoteFile, ...]) -> None:
    from dermoscope.data.transfer import size_text

    size = sum(file.about_bytes for file in files)
    lines = [
        source.title,
        f"  licence   {source.licence}",
        f"  cite      {source.citation}",
        f"  page      {source.page}",
        f"  files     {len(files)}{f', about {size_text(size)}' if size else ''}",
    ]
    print("\n".join(lines), file=sys.stderr, flush=True)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    print("Do you agree to use it under this licence? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _line(report: FileReport) -> str:
    locked = report.locked
    what = "was there" if report.was_there else "came"
    checked = (
        f"matches the {locked.checked} stated for it"
        if locked.checked != "nothing"
        else "no sum was stated; later downloads must match this one"
    )
    return f"{report.file.name}: {what}, {locked.bytes:,} bytes, sha256 {locked.sha256} ({checked})"


def _list(known: Mapping[str, Source], *, json: bool) -> int:
    from dermoscope.data.transfer import size_text

    if json:
        print(json_format.dumps({name: source.model_dump() for name, source in known.items()}, indent=2))
        return ExitCode.DONE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("what it is")
    table.add_column("licence")
    for source in known.values():
        table.add_row(source.name, size_text(source.about_bytes), source.title, source.licence.partition(" (")[0])
    Console(highlight=False).print(table)
    return ExitCode.DONE


def _as_json(source: Source, to: Path, reports: list[FileReport]) -> dict[str, object]:
    return {
        "name": source.name,
        "folder": str(to),
        "licence": source.licence,
        "citation": source.citation,
        "files": {
            report.file.name: {**report.locked.model_dump(), "was_there": report.was_there} for report in reports
        },
        "notice": RESEARCH_USE,
    }


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, a line now and then elsewhere; on standard error."""
    if quiet:
        yield lambda _name, _done, _total: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), DownloadColumn())
        with Progress(
            *columns, TransferSpeedColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
        ) as bar:
            tasks = {}

            def update(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bar.add_task(name, total=total or None)
                bar.update(tasks[name], completed=done, total=total or None)

            yield update
    else:
        yield _Lines()


class _Lines:
    def __init__(self) -> None:
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES

    def __call__(self, name: str, done: int, total: int) -> None:
        from dermoscope.data.transfer import size_text

        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
            print(f"{name}: {size_text(done)}{f' of {size_text(total)}' if total else ''}", file=sys.stderr, flush=True)
