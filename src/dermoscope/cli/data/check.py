"""`dermoscope data check`."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermoscope.cli.exits import ExitCode, fail

if TYPE_CHECKING:
    from dermoscope.data.leakage import LeakReport
    from dermoscope.data.leakage.check import Progress
    from dermoscope.data.manifest import Record

Switch = Annotated[bool, Parameter(show_default=False)]

_SHOWN = 12
_ON_SHEET = 500


def check(
    manifests: list[Path],
    /,
    *,
    out: Path = Path("leak-check"),
    cache: Path | None = None,
    ids_only: Switch = False,
    no_sheet: Switch = False,
    jobs: int = 1,
    quiet: Switch = False,
    json: Switch = False,
) -> int:
    """Look for leaks: images of one lesion, or copies of one image, on both sides of a split.

    Compares ids (without _downsampled), lesions and patients, file contents, and what the images show: re-encoded,
    resized, flipped, turned by quarters and cropped by up to 5 % a side. For example, a split against an older year:

    dermoscope data check isic2019.csv isic2017.csv --out leak-check

    Where a manifest has no splits and there are several, each manifest counts as one side. Writes leaks.json,
    leaks.html with the pairs to look at, and prints.sqlite, which spares the next check from opening the images again;
    leaks.html and prints.sqlite hold small copies of the images.

    Exit codes: 0 no leak, 1 leaks between splits or the check failed, 2 wrong usage, 3 no leak, but some images could
    not be read, 130 interrupted.

    Args:
        manifests: CSV or Parquet manifests.
        out: Folder for what is written.
        cache: File for hashes and thumbnails; by default prints.sqlite in the output folder.
        ids_only: Compare ids, lesions and patients only; open no image.
        no_sheet: Write no leaks.html.
        jobs: Threads of the comparison.
        quiet: Print nothing but errors.
        json: Print the counts as JSON.
    """
    from dermoscope.data.leakage import check_leaks
    from dermoscope.data.leakage.findings import Kind
    from dermoscope.data.leakage.sheet import write_sheet

    if jobs < 1:
        return fail(f"--jobs: expected at least 1, got {jobs}", ExitCode.USAGE)
    try:
        records = _records(manifests)
        out.mkdir(parents=True, exist_ok=True)
        with _progress(quiet=quiet or json) as on_progress:
            report = check_leaks(
                records,
                pictures=not ids_only,
                cache=cache or out / "prints.sqlite",
                jobs=jobs,
                on_progress=on_progress,
            )
        report.write(out / "leaks.json")
        if not (no_sheet or ids_only):
            seen = [finding for finding in report.findings if finding.kind in (Kind.SAME_FILE, Kind.NEAR_DUPLICATE)]
            # Leaks come first, and of those the pairs that no table tells are the ones to look at.
            seen.sort(key=lambda finding: (not finding.is_leak, bool(finding.also), finding.similarity or 1))
            title = f"Leak check: {len(seen):,} findings by picture"
            title += f", the first {_ON_SHEET} of them" if len(seen) > _ON_SHEET else ""
            write_sheet(seen[:_ON_SHEET], out / "leaks.html", title)
    except KeyboardInterrupt:
        return fail("interrupted; the same command goes on where it stopped", ExitCode.INTERRUPTED)
    except (OSError, ValueError) as error:
        return fail(str(error))
    code = ExitCode.FAILED if report.leaks else ExitCode.PARTLY if report.unreadable else ExitCode.DONE
    if json:
        summary = {name: value for name, value in report.as_json().items() if name != "findings"}
        print(json_format.dumps({**summary, "report": str(out / "leaks.json"), "exit_code": int(code)}, indent=2))
    elif not quiet:
        _print(report, out)
    return code


def _records(manifests: list[Path]) -> list[Record]:
    from dermoscope.data.manifest import read_manifest

    records = []
    for path in manifests:
        rows = list(read_manifest(path))
        if len(manifests) > 1 and not any(row.split for row in rows):
            rows = [row.model_copy(update={"split": path.stem}) for row in rows]
        records += rows
    return records


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        tasks = {"reading": bar.add_task("reading images", total=1.0)}

        def update(step: str, share: float) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task("comparing", total=1.0)
            bar.update(tasks[step], completed=share)

        yield update


def _print(report: LeakReport, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("", "findings", "images", "leaks"):
        table.add_column(name, justify="left" if not name else "right")
    for kind, row in report.counts().items():
        table.add_row(kind, *(f"{row[name]:,}" for name in ("findings", "images", "leaks")))
    console.print(table)
    for finding in report.leaks[:_SHOWN]:
        members = ", ".join(f"{member.image_id} ({member.split})" for member in finding.members[:4])
        more = f" and {len(finding.members) - 4:,} more" if len(finding.members) > 4 else ""
        console.print(Text(f"  {finding.kind.value}: {printable(members)}{more}", style="yellow"))
    if len(report.leaks) > _SHOWN:
        console.print(f"  and {len(report.leaks) - _SHOWN:,} more")
    for path, reason in list(report.unreadable.items())[:_SHOWN]:
        console.print(Text(f"  {printable(path)} {reason}", style="yellow"))
    for splits, number in report.between_splits().items():
        console.print(f"{number:,} leaks between {splits}")
    verdict = f"{len(report.leaks):,} leaks" if report.leaks else "No leak"
    unread = f"; {len(report.unreadable):,} could not be read" if report.unreadable else ""
    console.print(Text(f"{verdict} among {report.images:,} images{unread}.", style="bold"))
    console.print(Text(f"Look here first: {printable(out / 'leaks.json')}"))
