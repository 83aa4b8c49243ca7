from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dermoscope.batch.errors import OutputError
from dermoscope.batch.inputs import BatchInput
from dermoscope.batch.ledger import Ledger, State
from dermoscope.batch.results import ResultLine


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path) as opened:
        yield opened


def file(path: str, size: int = 10, modified_ns: int = 1) -> BatchInput:
    return BatchInput(path, size, modified_ns)


def test_the_first_of_a_name_keeps_it_and_others_get_digits_of_their_path(ledger: Ledger) -> None:
    ids = [ledger.claim(file(path)).image_id for path in ("a/x.jpg", "b/x.jpg", "b/X.png", "c/y.jpg")]
    assert ids[0] == "x"
    assert ids[1].startswith("x-")
    assert ids[2].startswith("X-"), "one file to some file systems"
    assert ids[3] == "y"
    assert len(set(ids)) == 4


def test_an_id_that_looks_like_a_distinct_one_is_no_trouble(ledger: Ledger) -> None:
    first = ledger.claim(file("a/x.jpg"))
    taken = ledger.claim(file(f"{ledger.claim(file('b/x.jpg')).image_id}.jpg"))
    assert len({first.image_id, taken.image_id}) == 2


def test_ids_depend_on_the_order_of_inputs_alone(tmp_path: Path) -> None:
    paths = ["a/x.jpg", "b/x.jpg", "c/x.jpg"]
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with Ledger(tmp_path / name) as ledger:
            found.append([ledger.claim(file(path)).image_id for path in paths])
    assert found[0] == found[1]


def test_an_input_is_worked_on_once_a_run(ledger: Ledger) -> None:
    states = [ledger.claim(file(path)).state for path in ("a.jpg", "./a.jpg", "b/../a.jpg")]
    assert states == [State.WAITING, State.REPEATED, State.REPEATED]


@pytest.mark.parametrize(
    ("done", "again", "state"),
    [
        (True, file("a.jpg"), State.FINISHED),
        (True, file("./a.jpg"), State.FINISHED),
        (False, file("a.jpg"), State.WAITING),
        (True, file("a.jpg", size=11), State.WAITING),
        (True, file("a.jpg", modified_ns=2), State.WAITING),
        (True, BatchInput("a.jpg"), State.WAITING),
    ],
)
def test_the_next_run_skips_what_is_finished(tmp_path: Path, done: bool, again: BatchInput, state: State) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.finish(ledger.claim(file("a.jpg")), done=done)
    with Ledger(tmp_path) as ledger:
        ledger.recover(iter([ResultLine("a", "a.jpg", done)]))
        claim = ledger.claim(again)
    assert (claim.state, claim.image_id) == (state, "a")


def test_without_its_line_nothing_is_finished(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.finish(ledger.claim(file("a.jpg")), done=True)
    with Ledger(tmp_path) as ledger:
        ledger.recover(iter([]))
        assert ledger.claim(file("a.jpg")).state is State.WAITING


def test_a_line_written_just_before_a_kill_is_superseded(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.claim(file("a.jpg"))
    with Ledger(tmp_path) as ledger:
        ledger.recover(iter([ResultLine("a", "a.jpg", True)]))
        claim = ledger.claim(file("a.jpg"))
        assert claim.state is State.WAITING, "nobody knows which file the line is about"
        assert not ledger.has_superseded_lines()
        ledger.finish(claim, done=True)
        assert ledger.has_superseded_lines()
        assert [ledger.drop_if_superseded("a") for _ in range(2)] == [True, False]


def test_a_line_that_the_ledger_lost_is_superseded(ledger: Ledger) -> None:
    ledger.recover(iter([ResultLine("a", "a.jpg", True)]))
    claim = ledger.claim(file("a.jpg"))
    assert (claim.state, claim.image_id) == (State.WAITING, "a")
    ledger.finish(claim, done=True)
    assert ledger.drop_if_superseded("a")


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with Ledger(tmp_path) as first:
        first.claim(file("a.jpg"))
        with pytest.raises(OutputError, match="another run is writing to"):
            Ledger(tmp_path)


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "inputs.sqlite").write_text("this is no database, but long enough to be read as one" * 10)
    with pytest.raises(OutputError, match=r"cannot keep the list of inputs .*inputs\.sqlite"):
        Ledger(tmp_path)


def test_a_full_disk_names_the_folder(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def execute(self, *_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        def close(self) -> None: ...

    real = ledger._database
    monkeypatch.setattr(ledger, "_database", Full())
    with pytest.raises(OutputError, match=f"{tmp_path}.*disk is full"):
        ledger.claim(file("a.jpg"))
    real.close()
