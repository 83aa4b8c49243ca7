"""A bad day for `dermoscope embed`: bad images among 10,000, a killed process, a full disk, other versions.

    python studies/graz/bad_run.py --encoder runs/graz/efficientnet-lite0-224 --images photos --json out.json

Small photos are best: they are written anew, each with another corner. One image in a hundred is bad, and at least one
of every kind that the tests know and a manifest can name. Every run of `dermoscope embed` has a process of its own. The
full disk is a small file system in memory where one may mount one, otherwise a limit on the size of files: to a
program, the same error. Prints what was checked as Markdown, and ends with 1 if something is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from embed import distinct
from embed_process import Run, Study

from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import DESCRIPTION, GRAPH, EncoderFolder
from dermoscope.features.columns import row_bytes
from dermoscope.features.encoder import column_shapes
from dermoscope.features.errors import StoreError
from dermoscope.features.store import FeatureStore
from dermoscope.features.writer import FLUSH_ROWS
from dermoscope.images import printable
from tests.bad_inputs import BAD

KINDS = {kind: made for kind, made in BAD.items() if kind != "name that is no text"}  # a CSV file is text
SAMPLE = 200
ONE_FILE_MOST = 100_000  # bytes, where no file system can be mounted
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of an exported encoder, a cheap one")
    parser.add_argument("--images", type=Path, required=True, help="folder of images, searched to any depth")
    parser.add_argument("--count", type=int, default=10_000, help="images, the bad ones among them")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        study = Study(EncoderFolder.load(arguments.encoder), Path(name))
        bad = write_bad(study.scratch / "bad", arguments.count // 100)
        if arguments.count - len(bad) <= FLUSH_ROWS:
            parser.error(f"--count: needs more than {FLUSH_ROWS + len(bad)}, or all is written at once")
        folder = distinct(arguments.images, arguments.count - len(bad), study.scratch / "good")
        good = [Record(image_id=path.stem, path=path) for path in sorted(folder.iterdir())]
        killed_and_bad(study, good, bad)
        full_disk(study, good[: FLUSH_ROWS * 2])
        other_versions(study, good[:SAMPLE])
    print(table(study))
    if arguments.json:
        checks = [{"what": what, "right": right, "happened": happened} for what, right, happened in study.checks]
        runs = [asdict(run) | {"errors": len(run.errors)} for run in study.runs]
        content = {"count": arguments.count, "bad": len(bad), "checks": checks, "runs": runs}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if not all(right for _, right, _ in study.checks):
        raise SystemExit(1)


def write_bad(folder: Path, least: int) -> list[Record]:
    """Every kind of bad file that the tests know and one that does not exist, again and again up to a number."""
    records: list[Record] = []
    while len(records) < max(least, 1):
        place = folder / f"{len(records):04}"
        place.mkdir(parents=True)
        for name, make in KINDS.values():
            make(place / name)
        records += [Record(image_id=f"{place.name}-{name}", path=place / name) for name, _ in KINDS.values()]
        records.append(Record(image_id=f"{place.name}-missing", path=place / "missing.jpg"))
    return records


def killed_and_bad(study: Study, good: Sequence[Record], bad: Sequence[Record]) -> None:
    """Killed at a third, run to the end, run again."""
    store, records = study.scratch / "store", [*good, *bad]
    records = [records[number] for number in np.random.default_rng(0).permutation(len(records))]

    def kill(pid: int) -> None:
        if study.rows(store) >= len(good) / 3:
            os.kill(pid, signal.SIGKILL)

    first = study.embed("killed at a third", records, store, meanwhile=kill)
    stored = study.rows(store)
    study.check("SIGKILL ends the run", first.code == -signal.SIGKILL, f"{stored:,} of {len(good):,} rows stored")
    study.check("no process is left behind", not first.left_behind, f"{first.left_behind} left")
    second = study.embed("run again to the end", records, store)
    code = second.code
    study.check("exit code of a run with bad images", code == 3, f"{code}; {', '.join(counts(second))}")
    kept = second.summary.get("finished", 0)
    study.check("what was stored is not computed again", kept >= stored - FLUSH_ROWS, f"{kept:,} of {stored:,} kept")
    keys = study.keys(store)
    rows_right = len(keys) == len(set(keys)) == len(good)
    study.check("one row for every good image", rows_right, f"{len(keys):,} rows, {len(set(keys)):,} distinct")
    features = FeatureStore.open(store, study.fingerprint).of(good)
    study.check("every good image is found", len(features) == len(good), f"{len(features):,} vectors read")
    named = Counter(record.path for record in bad for line in second.errors if line.startswith(start_of(record)))
    wrong = [printable(record.path) for record in bad if named[record.path] != 1]
    lines_right = not wrong and len(second.errors) == len(bad)
    happened = f"{len(second.errors):,} lines for {len(bad):,} bad files of {len(KINDS) + 1} kinds"
    study.check("one line for every bad image, no other line", lines_right, f"{happened} {wrong[:3] or ''}".strip())
    places = np.random.default_rng(1).permutation(len(good))[:SAMPLE]
    sample, other = [good[number] for number in places], study.scratch / "uninterrupted"
    study.embed("a sample without interruption", sample, other)
    is_same = np.array_equal(FeatureStore.open(other, study.fingerprint).of(sample), features[places])
    study.check("the same bits as without interruption", is_same, f"{len(sample):,} images compared")
    third = study.embed("a third time", records, store)
    nothing = third.code == 3 and third.summary["done"] == third.summary["rows"] == 0
    study.check("a third run computes nothing", nothing, f"{', '.join(counts(third))}, {third.seconds:.0f} s")
    study.check("and names the bad images again", len(third.errors) == len(bad), f"{len(third.errors):,} lines")


def start_of(record: Record) -> str:
    """How the line of a bad image begins."""
    return f"dermoscope: {printable(record.path)} "


def counts(run: Run) -> tuple[str, ...]:
    """What a run says it did."""
    return tuple(f"{run.summary.get(key, 0):,} {key}" for key in ("done", "finished", "failed"))


def full_disk(study: Study, records: Sequence[Record]) -> None:
    """The disk is full before the run, then during it, then there is room."""
    place = study.scratch / "disk"
    place.mkdir()
    room = int(len(records) * row_bytes(column_shapes(study.encoder.description)["mean"], "mean") * 3) + 2 * MIB
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(place)], capture_output=True, check=False
    ).returncode
    store, filler = place / "store", place / "filler"

    def fill_up(_: int = 0) -> None:
        if not filler.exists() and study.finished(store):
            fill(filler)

    try:
        if mounted:
            fill(filler)
            full = study.embed("on a full disk", records, store)
            says = one_line(full, "free some")
            study.check("a disk that is too small is said at the start", says, shown(full))
            filler.unlink()
            broken = study.embed("the disk fills up", records, store, meanwhile=fill_up)
            filler.unlink(missing_ok=True)
        else:
            broken = study.embed("the disk is full", records, store, largest_file=ONE_FILE_MOST)
        how = "tmpfs" if mounted else "limit on files"
        study.check(f"a disk that fills up ({how}) is one line", one_line(broken, "no space left"), shown(broken))
        stored = study.rows(store)
        again = study.embed("with room again", records, store)
        kept = again.summary.get("finished", 0)
        whole = again.code == 0 and again.summary["done"] + kept == len(records) and kept >= mounted
        study.check("with room the same command ends", whole, f"{', '.join(counts(again))}; {stored:,} before")
        keys = study.keys(store)
        study.check("and every row is there once", len(keys) == len(set(keys)) == len(records), f"{len(keys):,} rows")
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)


def fill(path: Path) -> None:
    """A file that takes all room there is."""
    with path.open("wb", buffering=0) as stream:
        for size in (MIB, 4096, 1):
            try:
                while stream.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def other_versions(study: Study, records: Sequence[Record]) -> None:
    """An encoder of another version, one whose description was changed, and another precision."""
    store, folder = study.scratch / "store", study.scratch / "other-version"
    folder.mkdir()
    (folder / GRAPH).symlink_to(study.encoder.graph.absolute())
    changed = study.encoder.description.model_copy(update={"code_version": 2, "fingerprint": "0" * 16})
    (folder / DESCRIPTION).write_text(changed.model_dump_json(), encoding="utf-8")
    forged = study.embed("forged fingerprint", records, store, encoder=folder)
    study.check("a forged fingerprint is refused", one_line(forged, "was changed"), shown(forged))
    version = changed.model_copy(update={"fingerprint": changed.expected_fingerprint()})
    (folder / DESCRIPTION).write_text(version.model_dump_json(), encoding="utf-8")
    try:
        FeatureStore.open(store, version.fingerprint)
        message = ""
    except StoreError as error:
        message = str(error)
    is_clear = study.fingerprint in message and "\n" not in message
    study.check("a store of another version is said when read", is_clear, message or "was read")
    before = sorted(study.keys(store))
    beside = study.embed("another version", records, store, encoder=folder)
    others = beside.summary.get("other_versions", [])
    is_beside = beside.code == 0 and len(others) == 1 and sorted(study.keys(store)) == before
    study.check("another version is added beside the first, and said", is_beside, f"exit {beside.code}: {others}")
    float32 = study.embed("another precision", records, store, "--precision", "float32")
    if FeatureStore.open(store, study.fingerprint).note.arithmetic.endswith("bfloat16"):
        study.check("another precision is refused", one_line(float32, "computes with"), shown(float32))


def one_line(run: Run, words: str) -> bool:
    """Whether a run failed with one clear line."""
    return run.code == 1 and len(run.errors) == 1 and words in run.errors[0]


def shown(run: Run) -> str:
    """Exit code and first lines."""
    return f"exit {run.code}, {len(run.errors)} lines: {' / '.join(run.errors[:3])}"


def table(study: Study) -> str:
    """The result as Markdown, without the folder of this run."""
    lines = ["| checked | | what happened |", "|---|---|---|"]
    for what, right, happened in study.checks:
        text = happened.replace(str(study.scratch), "…").replace("|", "\\|")
        lines.append(f"| {what} | {'yes' if right else '**no**'} | {text} |")
    lines += ["", "| run | exit code | seconds | peak MiB |", "|---|---|---|---|"]
    lines += [f"| {run.what} | {run.code} | {run.seconds:.0f} | {run.peak_mib:.0f} |" for run in study.runs]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
