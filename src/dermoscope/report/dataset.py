"""Writing `dataset.html`: one file that shows what is in a manifest, without requests and without scripts."""

from __future__ import annotations

import base64
import hashlib
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from dermoscope import __version__
from dermoscope.batch.files import replacing
from dermoscope.data.manifest import Record
from dermoscope.data.statistics import (
    AGE_BAND,
    NO_DIAGNOSIS,
    NOT_STATED,
    OLDEST_BAND,
    Statistics,
    class_title,
)
from dermoscope.images import printable
from dermoscope.report.contact_sheet import Entry, Problems, Sampler, make_sheet
from dermoscope.report.page import environment

_TEMPLATES = Path(__file__).parent / "templates"
_SITES_SHOWN = 12
_AGE_WIDTH, _AGE_HEIGHT = 520, 150
_GAP = 2.0


@dataclass(frozen=True)
class TableRow:
    """One row of the table: a class within one source or within all, or their sum.

    Attributes:
        name: Code of the class; empty for the sum.
        title: The class in words, where the code is not already in words.
        splits: Images by split, in the order of the statistics.
        images: Images in all splits.
        share: Of the source's images.
        lesions: Different lesions.
        masks: Images with a mask.
    """

    name: str
    title: str
    splits: tuple[int, ...]
    images: int
    share: float
    lesions: int
    masks: int


@dataclass(frozen=True)
class Column:
    """One column of the age histogram, in the plot's units, `y` downwards."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class AgeChart:
    """The age histogram.

    Attributes:
        ticks: Position and age, every twenty years.
        tallest: Images in the tallest column.
        mean: Position of the mean age.
    """

    columns: tuple[Column, ...]
    ticks: tuple[tuple[float, str], ...]
    tallest: int
    mean: float
    width: int = _AGE_WIDTH
    height: int = _AGE_HEIGHT


@dataclass(frozen=True)
class PageSummary:
    """What went onto the page.

    Attributes:
        images: Rows of the manifest.
        pictures: Small pictures on the page.
        problems: Files that are missing or cannot be read, of all that were looked at.
    """

    images: int
    pictures: int
    problems: int


def write_dataset_page(
    records: Iterable[Record],
    page: Path,
    *,
    title: str,
    images: int = 24,
    seed: int = 0,
    names: bool = False,
    created: datetime | None = None,
) -> PageSummary:
    """Write the page about a manifest.

    The records pass once and are not kept. That every file is there is checked for all of them; decoded are only the
    images that are shown.

    Args:
        records: The manifest's rows, in their order.
        page: The file to write.
        title: What the page calls the data set.
        images: Pictures of each class at most; 0 for none.
        seed: Which pictures.
        names: Whether image ids, paths, and age, sex and site of single images may be shown.
        created: The time the page names; now by default.

    Raises:
        OutputError: If the page cannot be written.
    """
    statistics, problems, sampler = Statistics(), Problems(names=names), Sampler(images, seed)
    for row, record in enumerate(records, start=1):
        statistics.add(record)
        sampler.add(Entry(row, record))
        _look_for_files(row, record, problems)
    sheets = [
        make_sheet(
            name,
            statistics.count(statistics.cells, class_name=name),
            sampler.entries(name),
            images,
            problems,
            names=names,
        )
        for name in statistics.classes
    ]
    style = "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "dataset.css"))
    context = {
        "title": printable(title),
        "statistics": statistics,
        "split_names": [printable(split) for split in statistics.splits],
        "tables": _tables(statistics),
        "ages": age_chart(statistics),
        "sexes": _bars(statistics.sexes, len(statistics.sexes)),
        "sites": _bars(statistics.sites, _SITES_SHOWN),
        "sheets": [sheet for sheet in sheets if sheet.pictures],
        "problems": problems,
        "names": names,
        "seed": seed,
        "no_diagnosis": NO_DIAGNOSIS,
        "created": created or datetime.now(UTC),
        "version": __version__,
        "style": Markup(style),  # our own files; whatever else is put in gets escaped
        "policy": _policy(style),
    }
    template = environment().get_template("dataset.html")
    with replacing(page) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="\n") as stream:
        stream.writelines(template.generate(context))
    return PageSummary(statistics.images, sum(len(sheet.pictures) for sheet in sheets), problems.count)


def age_chart(statistics: Statistics) -> AgeChart | None:
    """Lay the age histogram out; none where no age is stated."""
    mean = statistics.mean_age
    if mean is None:
        return None
    bands = range(0, OLDEST_BAND + AGE_BAND, AGE_BAND)
    tallest = max(statistics.ages.values())
    step = _AGE_WIDTH / len(bands)
    columns = []
    for number, low in enumerate(bands):
        count = statistics.ages[low]
        # A column of one image among thousands is still to be seen.
        height = max(2.0, _AGE_HEIGHT * count / tallest) if count else 0.0
        who = f"{low} years and older" if low == OLDEST_BAND else f"{low} to {low + AGE_BAND - 1} years"
        columns.append(
            Column(
                x=round(number * step + _GAP / 2, 1),
                y=round(_AGE_HEIGHT - height, 1),
                width=round(step - _GAP, 1),
                height=round(height, 1),
                label=f"{who}: {count:,} {'image' if count == 1 else 'images'}",
            )
        )
    ticks = tuple((round(low / AGE_BAND * step, 1), str(low)) for low in range(0, OLDEST_BAND, 20))
    return AgeChart(tuple(columns), ticks, tallest, round(min(mean / AGE_BAND * step, _AGE_WIDTH), 1))


def _look_for_files(row: int, record: Record, problems: Problems) -> None:
    for what, path in (("image", record.path), ("mask", record.mask_path)):
        if path is not None and not path.is_file():
            problems.add(row, what, path, "does not exist")


def _tables(statistics: Statistics) -> list[tuple[str, list[TableRow]]]:
    """Heading and rows: all sources together first, then each where there are several."""
    tables = [("", _rows(statistics, None))]
    if len(statistics.sources) > 1:
        tables += [(printable(source), _rows(statistics, source)) for source in statistics.sources]
    return tables


def _rows(statistics: Statistics, source: str | None) -> list[TableRow]:
    whole = statistics.count(statistics.cells, source=source)
    rows = []
    for name in (*statistics.classes, None):
        images = statistics.count(statistics.cells, class_name=name, source=source)
        if not images:
            continue
        rows.append(
            TableRow(
                name=printable(name) if name else "",
                title=class_title(name) if name and class_title(name) != name else "",
                splits=tuple(
                    statistics.count(statistics.cells, class_name=name, split=split, source=source)
                    for split in statistics.splits
                ),
                images=images,
                share=images / whole,
                lesions=statistics.count(statistics.lesions, class_name=name, source=source),
                masks=statistics.count(statistics.masks, class_name=name, source=source),
            )
        )
    return rows


def _bars(counts: Counter[str], shown: int) -> list[tuple[str, int]]:
    """The most frequent values, then the rest in one, then what is not stated."""
    stated = [(name, number) for name, number in counts.most_common() if name != NOT_STATED]
    bars = [(printable(name), number) for name, number in stated[:shown]]
    if rest := stated[shown:]:
        bars.append((f"{len(rest)} others", sum(number for _, number in rest)))
    return [*bars, (NOT_STATED, counts[NOT_STATED])] if counts[NOT_STATED] else bars


def _policy(style: str) -> str:
    """A content security policy under which the page can do nothing but show itself."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return "; ".join(
        ("default-src 'none'", "img-src data:", f"style-src 'sha256-{digest}'", "base-uri 'none'", "form-action 'none'")
    )
