"""Runs side by side: a table a number, and a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dermoscope import __version__
from dermoscope.evaluation.report.document import Cell, Section, Table, number
from dermoscope.evaluation.report.output import (
    NOTICE,
    check_free,
    draw_figures,
    new_folder,
    write_json,
    write_tables,
)
from dermoscope.evaluation.report.page import write_page
from dermoscope.evaluation.report.paired import Compared, paired_numbers
from dermoscope.evaluation.report.parts import Settings
from dermoscope.evaluation.runs import SavedRun, align, names_of, read_run

RECORD = "comparison.json"
"""The file by which a comparison is known."""

_COLUMNS = ("Run", "Value", "Difference to the first", "p, bootstrap", "p, other test", "p, Holm")


@dataclass(frozen=True)
class Comparison:
    """All runs on all numbers they share.

    Attributes:
        runs: Names, the first being the one that others are compared with.
        images: Images that were compared.
        left_out: Images of each run that the others do not have.
        numbers: In order.
        out: The folder that was written; none if nothing was.
    """

    runs: tuple[str, ...]
    images: int
    left_out: tuple[int, ...]
    numbers: tuple[Compared, ...]
    out: Path | None = None


def compare(
    folders: Sequence[Path],
    *,
    out: Path | None = None,
    shared_only: bool = False,
    overwrite: bool = False,
    command: str = "",
    settings: Settings | None = None,
) -> Comparison:
    """Compare runs on the same images, each with the first.

    Args:
        folders: Run folders that `evaluate` wrote, two or more.
        out: Folder for the report; nothing is written without it.
        shared_only: Compare on the shared images where the runs have different ones.
        overwrite: Whether an earlier comparison in `out` may be replaced.
        command: What was typed, for the header.
        settings: How numbers are made.

    Raises:
        InputError: If a folder is no run, or the runs do not go together.
        OutputExistsError: If the output folder is taken.
        ValueError: If there are fewer than two runs.
    """
    if len(folders) < 2:
        raise ValueError("give two runs or more")
    settings = settings or Settings()
    if out is not None:
        check_free(out, overwrite=overwrite, record=RECORD)
    given = [read_run(folder, name) for folder, name in zip(folders, names_of(folders), strict=True)]
    runs = align(given, shared_only=shared_only)
    numbers = tuple(paired_numbers(runs, settings))
    images = len(runs[0].images)
    left_out = tuple(len(run.images) - images for run in given)
    found = Comparison(tuple(run.name for run in runs), images, left_out, numbers, out)
    if out is not None:
        _write(found, runs, out, command, settings)
    return found


def comparison_table(compared: Compared) -> Table:
    """One number of all runs as a table."""
    rows: list[tuple[Cell, ...]] = [
        (
            row.run,
            row.value,
            row.difference,
            None if row.difference is None else _p_value(row.difference.p_value),
            None if row.difference is None or row.test is None else _p_value(row.test.p_value),
            None if row.holm is None else _p_value(row.holm),
        )
        for row in compared.rows
    ]
    keep = [place for place in range(len(_COLUMNS)) if place != 4 or compared.test]
    keep = [place for place in keep if place != 5 or len(compared.rows) > 2]
    columns = tuple(_COLUMNS[place] if place != 4 else f"p, {compared.test}" for place in keep)
    caption = f"{compared.title}: n = {compared.n:,} in {compared.groups:,} groups"
    return Table(
        compared.key.replace(".", "-"), caption, columns, tuple(tuple(row[place] for place in keep) for row in rows)
    )


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value)


def _write(found: Comparison, runs: Sequence[SavedRun], out: Path, command: str, settings: Settings) -> None:
    facts = {
        "Runs": "; ".join(f"{run.name}: {_said(run, 'model') or 'model not named'}" for run in runs),
        "Compared with": found.runs[0],
        "Images": f"{found.images:,}" + _left_out(found),
        "Split": "; ".join(dict.fromkeys(f"{_said(run, 'split') or 'none named'}" for run in runs)),
        "Prompt of the masks": "; ".join(f"{run.name}: {_said(run, 'prompt') or 'no masks'}" for run in runs),
        "Intervals": f"95 %, paired bootstrap over groups, {settings.resamples:,} resamples, seed {settings.seed}",
        "Command": command,
        "Made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC with dermoscope {__version__}",
    }
    facts = {name: fact for name, fact in facts.items() if fact}
    notes = (
        "Every resample is shared by all runs. DeLong and McNemar treat images as independent; where a lesion has "
        "several images, believe the bootstrap.",
        "A p-value says how surprising the difference would be if there were none. It says nothing about its size.",
    )
    sections = [Section("comparison", "Runs side by side", f"Each run against {found.runs[0]}.",
                        tuple(comparison_table(each) for each in found.numbers), (), notes)]  # fmt: skip
    with new_folder(out) as folder:
        title = f"Comparison of {len(found.runs)} runs"
        write_json(folder / RECORD, {"kind": "dermoscope comparison", "notice": NOTICE, "header": facts} | vars(found))
        sections = draw_figures(sections, folder)
        write_tables(folder, title, facts, sections)
        write_page(folder, title, facts, (), sections, record=RECORD)


def _said(run: SavedRun, name: str) -> str:
    value = run.header.get(name)
    return value if isinstance(value, str) else ""


def _left_out(found: Comparison) -> str:
    parts = [f"{count:,} only in {name}" for name, count in zip(found.runs, found.left_out, strict=True) if count]
    return f" shared; left out: {', '.join(parts)}" if parts else ""
