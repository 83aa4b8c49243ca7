"""`dermoscope data stats`."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail

if TYPE_CHECKING:
    from rich.table import Table

    from dermoscope.data.statistics import Statistics

_WIDE = 100


def stats(manifest: Path, /, *, json: Annotated[bool, Parameter(show_default=False)] = False) -> int:
    """Count the images of a manifest by class, split and source, and say who the patients are.

    For example: dermoscope data stats manifest.csv

    Opens no image. Exit codes: 0 all done, 1 failed, 2 wrong usage.

    Args:
        manifest: The manifest, as dermoscope data manifest writes it.
        json: Print as JSON.
    """
    from dermoscope.data.manifest import read_manifest
    from dermoscope.data.statistics import as_json, gather

    try:
        statistics = gather(read_manifest(manifest))
    except OSError as error:
        return fail(f"{manifest}: cannot be read: {error.strerror}" if error.strerror else str(error))
    except (ValueError, ImportError) as error:
        return fail(str(error))
    if json:
        described = {"manifest": str(manifest), **as_json(statistics), "notice": RESEARCH_USE}
        print(json_format.dumps(described, indent=2))
    else:
        _print(statistics)
    return ExitCode.DONE


def _print(statistics: Statistics) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    lines = [f"{statistics.images:,} images, {statistics.with_mask:,} with a mask"]
    if statistics.with_lesion:
        lines.append(
            f"{statistics.different_lesions:,} different lesions, named by {statistics.with_lesion:,} of the images"
        )
    if statistics.with_patient:
        lines.append(
            f"{statistics.different_patients:,} different patients, named by {statistics.with_patient:,} of the images"
        )
    if statistics.mean_age is not None:
        lines.append(f"mean age {statistics.mean_age:.1f} years, stated for {statistics.ages.total():,} of the images")
    sexes = ", ".join(f"{sex} {number:,}" for sex, number in statistics.sexes.most_common())
    lines.append(f"sex: {sexes}")
    console.print("\n".join(lines), markup=False)
    for source in (None, *statistics.sources) if len(statistics.sources) > 1 else statistics.sources:
        console.print()
        console.print(_table(statistics, source, words=console.width >= _WIDE))
    console.print(RESEARCH_USE, style="dim")


def _table(statistics: Statistics, source: str | None, *, words: bool) -> Table:
    """Class by split, for one source or for all together; with the classes in words where there is room."""
    from rich.table import Table
    from rich.text import Text

    from dermoscope.data.statistics import class_title
    from dermoscope.images import printable

    title = Text(printable(source) if source is not None else "all sources", style="bold")
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("class", no_wrap=True)
    table.add_column("", style="dim", no_wrap=True)
    splits = [split for split in statistics.splits if statistics.count(statistics.cells, split=split, source=source)]
    for heading in (*splits, "images", "share", "lesions", "masks"):
        table.add_column(printable(heading), justify="right", no_wrap=True)
    whole = statistics.count(statistics.cells, source=source)
    for name in (*statistics.classes, None):
        images = statistics.count(statistics.cells, class_name=name, source=source)
        if not images:
            continue
        if name is None:
            table.add_section()
        titled = class_title(name) if name and words else ""
        table.add_row(
            Text(printable(name) if name else "all classes"),
            Text(printable(titled) if titled != name else ""),
            *(
                _number(statistics.count(statistics.cells, class_name=name, split=split, source=source))
                for split in splits
            ),
            _number(images),
            f"{images / whole:.1%}",
            _number(statistics.count(statistics.lesions, class_name=name, source=source)),
            _number(statistics.count(statistics.masks, class_name=name, source=source)),
            style="bold" if name is None else "",
        )
    return table


def _number(count: int) -> str:
    return f"{count:,}" if count else "–"
