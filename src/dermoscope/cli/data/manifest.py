"""`dermoscope data manifest` and `dermoscope data counts`."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermoscope.cli.exits import ExitCode, fail

if TYPE_CHECKING:
    from dermoscope.data.layout import Layout
    from dermoscope.data.manifest import Record
    from dermoscope.data.official_counts import Count

Switch = Annotated[bool, Parameter(show_default=False)]


def manifest(
    layout: str,
    root: Path,
    /,
    *,
    out: Path = Path("manifest.csv"),
    task: str = "analyze",
    diagnosis: str = "",
    class_: Annotated[tuple[str, ...], Parameter(name="--class", show_default=False)] = (),
    skip_missing: Switch = False,
) -> int:
    """Turn an official download, folders of photographs or a table of your own into a checked manifest.

    Every problem is listed with its row and column, and nothing is written until all is well. Then the counts that
    differ from the official ones are named. For example:

    dermoscope data manifest ham10000 downloads/HAM10000 --out ham10000.csv

    dermoscope data manifest classes photos --class nevus=NV --class melanoma=MEL --out photos.csv

    Args:
        layout: ham10000, isic2016, isic2017, isic2018-task1, isic2018-task3, isic2019, isic2020, ph2, dtd; or classes
            (one folder a class), photographs (no classes), table (your own CSV or Parquet with a column path).
        root: The folder of the download; for table the file.
        out: The manifest to write, .csv or .parquet.
        task: What it is for: analyze, classify, segment or evaluate; columns the task needs may not be empty.
        diagnosis: For photographs: the code of all of them, such as NOT_SKIN.
        class_: For classes: what a folder's name means, as NAME=CODE; may be given several times.
        skip_missing: Leave out images whose file is missing, and say how many.
    """
    from dermoscope.data.manifest import TASK_COLUMNS, ManifestError

    if task not in TASK_COLUMNS:
        return fail(f"--task: unknown task {task!r}; known: {', '.join(TASK_COLUMNS)}", ExitCode.USAGE)
    try:
        reader = _reader(layout, root, diagnosis, class_)
    except ValueError as error:
        return fail(str(error), ExitCode.USAGE)
    try:
        return _write(reader, out, TASK_COLUMNS[task], skip_missing=skip_missing)
    except ManifestError as error:
        for problem in error.problems:
            fail(f"{error.path}: {problem}")
        return fail(f"{len(error.problems):,} problems; {out} was not written")
    except (OSError, ModuleNotFoundError) as error:
        return fail(f"{error}; {out} was not written")


def counts(root: Path, /, *, json: Switch = False) -> int:
    """Count again what the published systems rest on, in the official tables below a folder.

    Looks for ISIC2019, HAM10000, ISIC2017, ISIC2018 and DTD; tables are enough, except that ISIC2018 and DTD are
    counted by their images. Ends with 0 if every count agrees, 1 if one differs, 3 if tables are missing. For example:

    dermoscope data counts downloads

    Args:
        root: The folder that holds the folders of the data sets.
        json: Print as JSON.
    """
    from dermoscope.data.manifest import ManifestError
    from dermoscope.data.official_counts import official_counts
    from dermoscope.data.recount import FOLDERS

    if not any((root / folder).is_dir() for folder in FOLDERS):
        return fail(f"{root} holds none of {', '.join(FOLDERS)}; point to the folder that does", ExitCode.USAGE)
    try:
        found = official_counts(root)
    except ManifestError as error:
        return fail(str(error))
    if json:
        print(json_text.dumps([{**asdict(count), "ok": count.ok} for count in found], indent=1, ensure_ascii=False))
    else:
        print("\n".join(_lines(found)))
    if any(count.ok is False for count in found):
        return ExitCode.FAILED
    return ExitCode.PARTLY if any(count.ok is None for count in found) else ExitCode.DONE


def _reader(layout: str, root: Path, diagnosis: str, classes: tuple[str, ...]) -> Layout:
    from dermoscope import taxonomy
    from dermoscope.data.folder import ClassFolders, Photographs
    from dermoscope.data.registry import open_layout

    for option, given, only in (("--diagnosis", diagnosis, "photographs"), ("--class", classes, "classes")):
        if given and layout != only:
            raise ValueError(f"{option} goes with the layout {only} only, not with {layout}")
    named = dict(pair.partition("=")[::2] for pair in classes)
    for option, code in (("--diagnosis", diagnosis), *(("--class", code or "nothing") for code in named.values())):
        if code and code not in taxonomy.CODE_NAMES:
            raise ValueError(f"{option}: unknown code {code!r}; known: {', '.join(taxonomy.CODE_NAMES)}")
    if layout == "photographs":
        return Photographs(root, diagnosis=diagnosis)
    if layout == "classes":
        return ClassFolders(root, classes=named)
    return open_layout(layout, root)


def _write(reader: Layout, out: Path, needs: tuple[str, ...], *, skip_missing: bool) -> int:
    from dermoscope.data.layout import count_records
    from dermoscope.data.manifest import (
        ManifestError,
        check_manifest,
        manifest_problems,
        read_manifest,
        write_manifest,
    )
    from dermoscope.data.own_table import OwnTable

    if isinstance(reader, OwnTable):
        # Checked where it lies first, so that the rows named are the researcher's own.
        check_manifest(reader.root, needs=needs, files=not skip_missing)
    skipped: list[str] = []
    records = reader.records(need_files=False)
    draft = out.with_name(f".draft.{out.name}")
    try:
        written = write_manifest(_present(records, skipped) if skip_missing else records, draft)
        if problems := list(manifest_problems(draft, needs=needs)):
            raise ManifestError(out, problems)
        found = count_records(read_manifest(draft))
        draft.replace(out)
    except ManifestError as error:
        raise ManifestError(out if error.path == draft else error.path, error.problems) from None
    finally:
        draft.unlink(missing_ok=True)
    print(f"{out}: {written:,} images, {found.get('masks', 0):,} masks, {found.get('lesions', 0):,} lesions")
    for difference in reader.verify():
        print(f"differs from the official data set: {difference}")
    for image_id in skipped:
        fail(f"{image_id} was left out: its image is missing")
    return ExitCode.PARTLY if skipped else ExitCode.DONE


def _present(records: Iterable[Record], skipped: list[str]) -> Iterator[Record]:
    for record in records:
        if record.path.is_file():
            yield record
        else:
            skipped.append(record.image_id)


def _lines(counts: tuple[Count, ...]) -> Iterator[str]:
    width = max(len(count.name) for count in counts) + 2
    yield f"{'':{width}}{'expected':>10}{'found':>10}  ok"
    for section, members in groupby(counts, key=lambda count: count.section):
        yield ""
        yield section
        for count in members:
            found = "–" if count.found is None else f"{count.found:,}"
            verdict = {True: "yes", False: "NO", None: ""}[count.ok]
            yield f"  {count.name:{width - 2}}{count.expected:>10,}{found:>10}  {verdict:3}  {count.note}".rstrip()
    agree, missing = sum(count.ok is True for count in counts), sum(count.ok is None for count in counts)
    yield ""
    yield f"{agree} counts agree, {len(counts) - agree - missing} differ, {missing} need tables that are not here"
