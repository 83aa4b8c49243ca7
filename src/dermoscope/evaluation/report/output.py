"""Writing a folder whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dermoscope.evaluation.report.document import NothingToShowError, Section, plain
from dermoscope.evaluation.report.markup import to_latex, to_markdown

NOTICE = "Research use only. Not a medical device."
"""Printed on every report."""


class OutputExistsError(ValueError):
    """The output folder holds something that must not be replaced; the message says what to do."""


def check_free(out: Path, *, overwrite: bool, record: str) -> None:
    """Make sure that a folder is new, empty, or may be replaced.

    Args:
        out: The folder.
        overwrite: Whether a folder that holds `record` may be replaced.
        record: The file by which a folder of ours is known.

    Raises:
        OutputExistsError: If it may not be written.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir():
        raise OutputExistsError(f"--out: {out} is a file; choose another folder")
    if not (out / record).is_file():
        raise OutputExistsError(f"--out: {out} holds files that this command did not write; choose another folder")
    if not overwrite:
        raise OutputExistsError(f"--out: {out} holds an earlier run; replace it with --overwrite, or choose another")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place when the block ends well, and vanishes when it does not."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        folder = partial / "new"
        folder.mkdir()
        yield folder
        if out.exists():
            out.replace(partial / "old")
        folder.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def draw_figures(sections: Sequence[Section], folder: Path) -> list[Section]:
    """Draw every figure into `figures/`; one that has nothing to show is left out of the sections given back."""
    (folder / "figures").mkdir()
    drawn = []
    for section in sections:
        kept = []
        for figure in section.figures:
            try:
                figure.draw(folder / figure.file)
            except NothingToShowError:
                continue
            kept.append(figure)
        drawn.append(replace(section, figures=tuple(kept)))
    return drawn


def write_json(path: Path, value: object) -> None:
    """Write indented JSON; NaN becomes null."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def write_tables(folder: Path, title: str, facts: Mapping[str, str], sections: Sequence[Section]) -> None:
    """Write `tables.md` and `tables.tex`."""
    (folder / "tables.md").write_text(to_markdown(title, {**facts, "Notice": NOTICE}, sections), encoding="utf-8")
    (folder / "tables.tex").write_text(to_latex({**facts, "Notice": NOTICE}, sections), encoding="utf-8")
