"""The leak check on real images: planted copies, then the leaks between ISIC 2017, ISIC 2018 and HAM10000.

    DERMOSCOPE_DATA=… python studies/data-and-evaluation/leaks.py --out runs/leaks

Needs ISIC2017/, ISIC2018_256/ (full frames of ISIC 2018 Task 1) and HAM10000/ in their official layouts, at any size.
Where splits/near_duplicates.csv (set_a, id_a, set_b, id_b) is there, what another method found is compared. Prints
figures, and writes them to results.json; pairs that no table tells go to pairs-N.png and leaks.html, to count false
alarms by looking.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.ham10000 import HAM10000
from dermoscope.data.isic2017 import ISIC2017
from dermoscope.data.isic2018 import ISIC2018Task1
from dermoscope.data.leakage import Finding, Kind, LeakReport, check_leaks
from dermoscope.data.leakage.pictures import near_duplicates
from dermoscope.data.leakage.sheet import sheet_picture, write_sheet
from dermoscope.data.leakage.signatures import turned
from dermoscope.data.leakage.thumbnails import thumbnail
from dermoscope.data.manifest import Record
from dermoscope.images import decode, save_png

Picture = NDArray[np.uint8]
PAIRS_ON_A_SHEET = 32
SHORT_NAMES = {"ham": "HAM10000", "i17": "ISIC2017", "t1": "ISIC2018"}


def crop(picture: Picture, left: float, top: float, right: float, bottom: float) -> Picture:
    height, width = picture.shape[:2]
    rows = slice(round(top * height), round((1 - bottom) * height))
    return picture[rows, round(left * width) : round((1 - right) * width)]


def jpeg(picture: Picture, quality: int) -> Picture:
    _, content = cv2.imencode(".jpg", np.ascontiguousarray(picture), (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def changes(generator: random.Random) -> Mapping[str, Callable[[Picture], Picture]]:
    def anywhere(picture: Picture) -> Picture:
        return turned(crop(picture, *(generator.uniform(0, 0.05) for _ in range(4))), generator.randrange(8))

    return {
        "JPEG, quality 50": lambda picture: jpeg(picture, 50),
        "60 % of the size": lambda picture: jpeg(cv2.resize(picture, None, fx=0.6, fy=0.6), 75),
        "flipped or turned by quarters": lambda picture: jpeg(turned(picture, generator.randrange(1, 8)), 75),
        "cropped by 5 % at a corner": lambda picture: jpeg(crop(picture, 0.05, 0.05, 0, 0), 75),
        "cropped by 5 % at an edge": lambda picture: jpeg(crop(picture, 0.05, 0, 0, 0), 75),
        "cropped by 2.5 % on every side": lambda picture: jpeg(crop(picture, 0.025, 0.025, 0.025, 0.025), 75),
        "cropped by 5 % on every side": lambda picture: jpeg(crop(picture, 0.05, 0.05, 0.05, 0.05), 75),
        "cropped by 0 to 5 % a side and turned": lambda picture: jpeg(anywhere(picture), 75),
        "cropped by 8 % on every side (more than promised)": lambda picture: crop(picture, 0.08, 0.08, 0.08, 0.08),
    }


def planted(records: Sequence[Record], number: int) -> dict[str, dict[str, int]]:
    """Copies found among as many originals, change by change; `others` are pairs of which neither is a copy."""
    generator = random.Random(0)
    pictures = [decode(record.path).rgb for record in generator.sample(records, number)]
    originals = np.stack([thumbnail(picture) for picture in pictures])
    table = {}
    for name, change in changes(generator).items():
        copies = np.stack([thumbnail(change(picture)) for picture in pictures])
        pairs, _ = near_duplicates(np.concatenate([originals, copies]))
        found = sum(pair.second == pair.first + number for pair in pairs)
        # Duplicates among the originals come four times: each of two may be the copy.
        others = {(pair.first % number, pair.second % number) for pair in pairs if pair.second != pair.first + number}
        others = {(min(pair), max(pair)) for pair in others}
        table[name] = {"planted": number, "found": found, "other pairs": len(others)}
    return table


def centre_squares(records: Sequence[Record], sizes: Mapping[str, tuple[int, int]], folder: Path) -> Iterator[Record]:
    """The centre square of each image at its true aspect ratio: what HAM10000 shows where it was cut to squares."""
    for record in records:
        rgb = decode(record.path).rgb
        width, height = sizes.get(record.image_id, (rgb.shape[1], rgb.shape[0]))
        rgb = cv2.resize(rgb, (round(256 * max(1.0, width / height)), round(256 * max(1.0, height / width))))
        top, left = (rgb.shape[0] - 256) // 2, (rgb.shape[1] - 256) // 2
        path = folder / f"{record.source}-{record.image_id}.png"
        cv2.imwrite(str(path), rgb[top : top + 256, left : left + 256, ::-1])
        yield record.model_copy(update={"path": path})


def original_sizes(table: Path) -> dict[str, tuple[int, int]]:
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as stream:
        return {row["image"]: (int(row["orig_w"]), int(row["orig_h"])) for row in csv.DictReader(stream)}


def names(finding: Finding) -> Iterator[frozenset[tuple[str, str]]]:
    keys = {(member.source, member.image_id) for member in finding.members}
    yield from (frozenset((one, other)) for one in keys for other in keys if one < other)


def compared_with(table: Path, report: LeakReport) -> dict[str, object]:
    """What a list of pairs by another method has that this report has not, and the other way round."""
    found = {pair for finding in report.findings for pair in names(finding)}
    with table.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if {row["set_a"], row["set_b"]} <= set(SHORT_NAMES)]
    listed = {
        frozenset(((SHORT_NAMES[row["set_a"]], row["id_a"]), (SHORT_NAMES[row["set_b"]], row["id_b"]))) for row in rows
    }
    missed = sorted(" ".join(sorted(image_id for _, image_id in pair)) for pair in listed - found)
    return {"listed": len(listed), "found": len(listed & found), "missed": missed}


def told_by_nothing_else(report: LeakReport) -> list[Finding]:
    """Pairs of near-duplicates without a shared id or lesion, the least similar first; one for each pair of ids."""
    pairs: dict[frozenset[str], Finding] = {}
    for finding in report.findings:
        if finding.kind is Kind.NEAR_DUPLICATE and not finding.also:
            pairs.setdefault(frozenset(member.image_id for member in finding.members), finding)
    return sorted(pairs.values(), key=lambda finding: finding.similarity or 1)


def by_sources(findings: Sequence[Finding]) -> dict[str, int]:
    return dict(Counter(" and ".join(sorted({member.source for member in f.members})) for f in findings))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/leaks"))
    parser.add_argument("--planted", type=int, default=400, help="real images that copies are made of")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    root = Path(os.environ["DERMOSCOPE_DATA"])
    cache = arguments.out / "prints.sqlite"
    isic2017 = list(ISIC2017(root / "ISIC2017").records())
    isic2018 = list(ISIC2018Task1(root / "ISIC2018_256").records())
    ham = list(HAM10000(root / "HAM10000").records())
    results: dict[str, object] = {"planted": planted([*isic2018, *ham], arguments.planted)}

    as_sides = [
        record.model_copy(update={"split": record.source})
        for records in (isic2017, isic2018, ham)
        for record in records
    ]
    start = time.perf_counter()
    report = check_leaks(as_sides, cache=cache, jobs=arguments.jobs)
    seconds = time.perf_counter() - start
    pairs = told_by_nothing_else(report)
    by_picture = {pair for f in report.findings if f.kind is Kind.NEAR_DUPLICATE for pair in names(f)}
    same_id = [finding for finding in report.findings if finding.kind is Kind.SAME_ID]
    results["three sources"] = {
        "images": report.images,
        "seconds": round(seconds, 1),
        "counts": report.counts(),
        "same id": len(same_id),
        "same id, found by picture too": sum(any(pair in by_picture for pair in names(f)) for f in same_id),
        "near-duplicates by sources": by_sources([f for f in report.findings if f.kind is Kind.NEAR_DUPLICATE]),
        "told by nothing else, different pairs of ids": len(pairs),
        "told by nothing else, by sources": by_sources(pairs),
    }
    known = root / "splits" / "near_duplicates.csv"
    if known.is_file():
        results["against the list of another method"] = compared_with(known, report)

    official = check_leaks(isic2017, cache=cache)
    results["official split of ISIC 2017"] = {
        "leaks": len(official.leaks),
        "between": official.between_splits(),
        "pairs": [[f"{m.image_id} ({m.split})" for m in finding.members] for finding in official.leaks],
    }
    with tempfile.TemporaryDirectory() as folder:
        sizes = original_sizes(root / "ISIC2017" / "labels.csv")
        squares = [*centre_squares(isic2017, sizes, Path(folder)), *centre_squares(isic2018, {}, Path(folder))]
        sides = [r.model_copy(update={"split": r.source, "lesion_id": ""}) for r in (*squares, *ham)]
        cut = check_leaks(sides, cache=cache, jobs=arguments.jobs)
        across = [f for f in told_by_nothing_else(cut) if {"HAM10000"} < {m.source for m in f.members}]
        results["centre squares against HAM10000"] = {"pairs": [[m.image_id for m in f.members] for f in across]}
        if across:
            save_png(sheet_picture(across), arguments.out / "squares.png")

    for number, begin in enumerate(range(0, len(pairs), PAIRS_ON_A_SHEET), 1):
        save_png(sheet_picture(pairs[begin : begin + PAIRS_ON_A_SHEET]), arguments.out / f"pairs-{number}.png")
    write_sheet(pairs, arguments.out / "leaks.html", "Near-duplicates that no table tells, the least similar first")
    (arguments.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
