"""What the case store costs as it grows: milliseconds of every operation, and memory.

    python benchmarks/cases.py --counts 1000 10000 100000 --json out.json

Cases are synthetic: their rows are written in bulk, their analyses are one file with many names, and only the few that
are added through the store have pixels (512x512 noise). Each size has a process of its own. The similar cases are also
looked for with NumPy among embeddings that are already in memory, and must be the same.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dermoscope.analysis import Analysis, LesionMask
from dermoscope.cases import CaseStore
from dermoscope.features.database import Database

SIDE, REPEATS, MODEL = 512, 7, "f" * 64
CODES = ("MEL", "NV", "BCC", None)
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="cases of each size")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fill", nargs=2, metavar=("FOLDER", "COUNT"), help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill:
        fill(Path(arguments.fill[0]), int(arguments.fill[1]))
        return
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    found = {}
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as place:
            folder = str(Path(place) / "cases")
            subprocess.run([sys.executable, __file__, "--fill", folder, str(count)], check=True)
            done = subprocess.run([sys.executable, __file__, "--measure", folder], stdout=subprocess.PIPE, check=True)
        found[str(count)] = json.loads(done.stdout)
        print(f"{count:,} cases")
        for name, value in found[str(count)].items():
            print(f"  {name:<28} {value:10,.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path) -> dict[str, float]:
    """Milliseconds by operation, and megabytes."""
    table = sum(path.stat().st_size for path in (folder / "table").rglob("*") if path.is_file())
    query = vectors_of(1)[0]
    start = time.perf_counter()
    store = CaseStore(folder)
    found = {"open": (time.perf_counter() - start) * 1e3, "table, MB": table / 1e6, "memory, opened, MB": peak_mb()}
    middle = store.list(limit=900).next
    newest = store.list(limit=1).cases[0].id
    found |= {
        "list, first page of 50": timed(store.list),
        "list, search in notes": timed(lambda: store.list(search="NOTE OF CASE 77")),
        "list, search that fits none": timed(lambda: store.list(search="nothing of that")),
        "list, by label": timed(lambda: store.list(label="MEL")),
        "list, a later page": timed(lambda: store.list(before=middle)),
        "get": timed(lambda: store.get(newest)),
        "similar": timed(lambda: store.similar(query, model=MODEL)),
        "memory, after reading, MB": peak_mb(),
    }
    found |= changes(store, query)
    found["memory, after writing, MB"] = peak_mb()
    vectors = vectors_of(store.list(search="note of case").total)
    found["similar, NumPy in memory"] = timed(lambda: nearest(vectors, query))
    same = [round(case.distance, 4) for case in store.similar(query, model=MODEL)]
    assert same == [round(float(distance), 4) for distance in nearest(vectors, query)]
    store.close()
    return found


def changes(store: CaseStore, query: NDArray[np.float32]) -> dict[str, float]:
    """Milliseconds of what writes."""
    image = np.random.default_rng(SEED).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    mask = np.zeros((SIDE, SIDE), np.bool_)
    added: list[str] = []

    def add() -> None:
        added.append(store.add(image, analysis(), -query, mask, note="new").id)

    return {
        "add": timed(add),
        "add, the slowest of 80": timed(add, repeats=80, of=max),
        "correct": timed(lambda: store.correct(added[0], note="changed", mask=~mask)),
        "delete": timed(lambda: store.delete(added.pop()), repeats=5),
    }


def fill(folder: Path, count: int) -> None:
    """Write the rows and the analyses of many cases."""
    with CaseStore(folder):
        pass
    ids = [uuid.uuid4().hex for _ in range(count)]
    for number, case_id in enumerate(ids):
        if number % 50_000 == 0:  # a file system allows some 65,000 names of one file
            template = folder / "files" / f"analysis-{number}.json"
            template.write_text(analysis().model_dump_json(), encoding="utf-8")
        home = folder / "files" / case_id[:2] / case_id
        home.mkdir(parents=True)
        (home / "analysis.json").hardlink_to(template)
    table: Any = Database(folder / "table").open("cases")
    notes = [f"note of case {number} " + "with words of a person " * 8 for number in range(count)]
    columns: dict[str, Any] = {
        "id": ids,
        "created": range(1, count + 1),
        "changed": range(1, count + 1),
        "label": [CODES[number % len(CODES)] for number in range(count)],
        "note": notes,
        "words": [f"mel\nmelanoma\nmelanocytic\n{note}" for note in notes],
        "mask": ["mask.png"] * count,
        "mask_corrected": [False] * count,
        "corrected": [False] * count,
        "model": [MODEL] * count,
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors_of(count).ravel()), 256),
    }
    schema = table.schema
    table.add(pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema))


def vectors_of(count: int) -> NDArray[np.float32]:
    """Embeddings `[count, 256]`; the first ones are the same for every count."""
    return np.random.default_rng(SEED).standard_normal((count, 256), np.float32)


def analysis() -> Analysis:
    """With an outline of 300 points, as a large image has."""
    outline = tuple((number, number * 7 % SIDE) for number in range(300))
    mask = LesionMask(
        prompt="auto", confidence=0.9, area_fraction=0.2, box=(1, 2, 300, 400), outline=(outline,), candidates=()
    )
    shares = {"diagnosis": {"MEL": 0.7, "NV": 0.3}, "group": {"melanocytic": 1.0}}
    return Analysis(image_id="x", width=SIDE, height=SIDE, mask=mask, bundle=MODEL, **shares)


def nearest(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """The six smallest cosine distances, nearest first."""
    cosines = vectors @ query / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
    return np.sort(1 - cosines)[:6]


def timed(call: Callable[[], object], *, repeats: int = REPEATS, of: Callable[[list[float]], float] = median) -> float:
    """Milliseconds of a call."""
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        spent.append((time.perf_counter() - start) * 1e3)
    return of(spent)


def peak_mb() -> float:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
