"""A process that keeps, corrects and deletes cases is killed at random moments; what it confirmed must be there."""

from __future__ import annotations

import io
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermoscope.cases import CaseStore
from tests.watch import REPOSITORY

pytest.importorskip("lancedb")

ROUNDS = 6

# Says what it has done only once it is done. The mask of a case is as wide as its note says.
PROGRAM = """
import random, sys
from pathlib import Path
from dermoscope.cases import CaseStore
from tests.cases.synthetic_cases import analysis, embedding, image, square

store = CaseStore(Path(sys.argv[1]))
print("open", flush=True)
mine, number = [], int(sys.argv[2]) * 1000
while True:
    number += 1
    case = store.add(image(number, 64), analysis(side=64), embedding(number), square(1, 64), note=f"planted-{number}-1")
    print("kept", case.id, 1, number, flush=True)
    mine.append((case.id, number))
    if number % 2 == 0:
        case_id, first = random.choice(mine)
        print("correcting", case_id, 9, first, flush=True)
        store.correct(case_id, mask=square(9, 64), note=f"planted-{first}-9")
        print("kept", case_id, 9, first, flush=True)
    if number % 3 == 0:
        case_id, first = mine.pop(random.randrange(len(mine)))
        print("deleting", case_id, 0, first, flush=True)
        store.delete(case_id)
        print("deleted", case_id, 0, first, flush=True)
"""


def killed_after(folder: Path, seconds: float, number: int) -> list[list[str]]:
    """What a process said before it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(number)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"},
    )
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    said = process.stdout.read()
    process.wait()
    process.stdout.close()
    return [line.split() for line in said.splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.slow
def test_confirmed_cases_outlive_a_killed_process(tmp_path: Path) -> None:
    folder, expected, sure_gone = tmp_path / "cases", dict[str, set[str]](), dict[str, str]()
    chance = random.Random(5)
    for number in range(1, ROUNDS + 1):
        for what, case_id, start, first in killed_after(folder, chance.uniform(0.02, 1.0), number):
            match what:
                case "kept":
                    expected[case_id] = {start}
                case "correcting" | "deleting":  # whole or not at all, nobody can say which
                    expected[case_id].add(start)
                case "deleted":
                    del expected[case_id]
                    sure_gone[case_id] = first
        with CaseStore(folder) as store:
            found = {case.id: case for case in store.list(limit=10_000).cases}
            for case_id, starts in expected.items():
                if case_id not in found:
                    assert "0" in starts
                    sure_gone[case_id] = "?"
                    continue
                note = found[case_id].note
                width = int(note.rpartition("-")[2])
                assert str(width) in starts
                mask = store.mask(case_id)
                assert mask is not None
                assert np.asarray(Image.open(io.BytesIO(mask))).sum() == (32 - width) ** 2 * 255
                assert Image.open(io.BytesIO(store.image(case_id))).size == (64, 64)
                assert Image.open(io.BytesIO(store.thumbnail(case_id))).size == (64, 64)
            expected = {one: {found[one].note.rpartition("-")[2]} for one in found}  # at most one more than confirmed
            assert not set(found) & set(sure_gone)
            check_nothing_is_left_over(folder, store, found)
        everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        for case_id, first in sure_gone.items():
            assert case_id.encode() not in everything
            assert first == "?" or f"planted-{first}-".encode() not in everything
    assert len(expected) > ROUNDS and sure_gone


def check_nothing_is_left_over(folder: Path, store: CaseStore, found: dict[str, object]) -> None:
    assert {path.name for path in (folder / "files").glob("*/*")} == set(found)
    assert not list((folder / "unfinished").iterdir())
    for case_id in found:
        corrected = len(list((folder / "files").glob(f"*/{case_id}/corrected-*")))
        assert corrected == store.get(case_id).mask_corrected


def test_a_half_written_case_is_cleaned_up(tmp_path: Path) -> None:
    with CaseStore(tmp_path / "cases"):
        pass
    half = tmp_path / "cases" / "files" / "ab" / ("ab" * 16)
    half.mkdir(parents=True)
    (half / "image.png").write_bytes(b"half a")
    (tmp_path / "cases" / "unfinished" / half.name).touch()
    (tmp_path / "cases" / "table" / "cases.lance" / "data").mkdir(exist_ok=True)
    orphan = tmp_path / "cases" / "table" / "cases.lance" / "data" / f"{'01' * 24}.lance"
    orphan.write_bytes(b"rows that were never committed")
    with CaseStore(tmp_path / "cases") as store:
        assert store.list().total == 0
    assert not half.exists() and not orphan.exists()
