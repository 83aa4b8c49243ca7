from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np
import pytest

from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.features.database import Database
from dermoscope.features.embed import EmbedProgress, EmbedSummary, embed
from dermoscope.features.errors import StoreError
from dermoscope.features.extraction import Failed, Outcome, WorkItem
from dermoscope.features.plan import Plan
from dermoscope.features.store import FeatureStore
from dermoscope.features.tables import FeatureTable
from tests.features.tiny_encoder import CHANNELS, InlineEngine, tiny_encoder, write_pictures

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def encoder(tmp_path: Path) -> EncoderFolder:
    return tiny_encoder(tmp_path / "encoder")


def rows_of(uri: Path | str, encoder: EncoderFolder, column: str = "mean") -> list[str]:
    """Every key of a table."""
    table = FeatureTable.open(Database(uri), encoder.description.fingerprint, column)._table
    keys: list[str] = table.to_arrow().column("key").to_pylist()
    return keys


class SlowEngine(InlineEngine):
    """Takes its time."""

    def run(self, items: Iterable[WorkItem], columns: tuple[str, ...]) -> Generator[Outcome]:
        for outcome in super().run(items, columns):
            time.sleep(0.02)
            yield outcome


def embed_in_process(records: list[Record], encoder: EncoderFolder, uri: str, flush_rows: int, limit: int = 0) -> None:
    """Embed in a process of its own, perhaps with a limit on the size of files."""
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        embed(records, encoder, SlowEngine(), uri, views=("original",), columns=("mean",), flush_rows=flush_rows)
    except StoreError as error:
        Path(f"{uri}.error").write_text(str(error), encoding="utf-8")
        raise SystemExit(1) from None


def run(
    records: list[Record], encoder: EncoderFolder, uri: Path, *, engine: InlineEngine | None = None, **options: object
) -> tuple[EmbedSummary, InlineEngine]:
    chosen = engine or InlineEngine()
    settings = {"views": ("original",), "columns": ("mean",), **options}
    return embed(records, encoder, chosen, uri, **settings), chosen  # type: ignore[arg-type]


def test_only_what_is_missing_is_computed(encoder: EncoderFolder, tmp_path: Path) -> None:
    store = tmp_path / "store"
    records = write_pictures(tmp_path / "pictures", 5)
    summary, engine = run(records[:3], encoder, store)
    assert (summary.done, summary.finished, summary.rows) == (3, 0, 3)
    summary, engine = run(records, encoder, store)
    assert (summary.done, summary.finished, summary.rows) == (2, 3, 2)
    assert {name for name, _ in engine.seen} == {"image00003.png", "image00004.png"}
    summary, engine = run(records, encoder, store, views=("hflip", "original"))
    assert [views for _, views in engine.seen] == [("hflip",)] * 5
    summary, engine = run(records, encoder, store, columns=("mean", "max"))
    assert len(engine.seen) == 5
    assert summary.rows == 5
    summary, engine = run(records, encoder, store, views=("original", "hflip"))
    assert (summary.done, summary.finished, engine.seen) == (0, 5, [])


def test_a_copied_moved_or_recoded_image_is_the_same_image(encoder: EncoderFolder, tmp_path: Path) -> None:
    store = tmp_path / "store"
    (record,) = write_pictures(tmp_path / "pictures", 1)
    run([record], encoder, store)
    copy = record.model_copy(update={"path": tmp_path / "copy.png", "image_id": "copy"})
    copy.path.write_bytes(record.path.read_bytes())
    _, engine = run([copy], encoder, store)
    assert engine.seen == []
    copy.path.write_bytes(record.path.read_bytes() + b"more")  # another file, the same pixels
    summary, engine = run([record, copy], encoder, store)
    assert len(engine.seen) == 1
    assert summary.rows == 0
    assert len(rows_of(store, encoder)) == 1
    features = FeatureStore.open(store, encoder.description.fingerprint)
    assert np.array_equal(features.of([copy]), features.of([record]))


def test_one_image_twice_in_a_manifest_is_one_row(encoder: EncoderFolder, tmp_path: Path) -> None:
    (record,) = write_pictures(tmp_path / "pictures", 1)
    run([record] * 3, encoder, tmp_path / "store")
    assert len(rows_of(tmp_path / "store", encoder)) == 1


def test_a_changed_image_is_a_new_image(encoder: EncoderFolder, tmp_path: Path) -> None:
    first, second = write_pictures(tmp_path / "pictures", 2)
    run([first], encoder, tmp_path / "store")
    first.path.write_bytes(second.path.read_bytes())
    _, engine = run([first], encoder, tmp_path / "store")
    assert len(engine.seen) == 1
    assert len(rows_of(tmp_path / "store", encoder)) == 2


def test_bad_images_are_named_and_do_not_stop_the_run(encoder: EncoderFolder, tmp_path: Path) -> None:
    records = write_pictures(tmp_path / "pictures", 9)
    records[2].path.write_bytes(records[2].path.read_bytes()[:100])
    records[5].path.unlink()
    failed: list[Failed] = []
    seen: list[EmbedProgress] = []
    summary, _ = run(records, encoder, tmp_path / "store", on_failure=failed.append, on_progress=seen.append)
    assert (summary.done, summary.failed, summary.interrupted) == (7, 2, False)
    assert sorted(one.item.index for one in failed) == [2, 5]
    assert all("\n" not in one.line and str(tmp_path) in one.line for one in failed)
    assert seen[-1] == EmbedProgress(total=9, done=7, failed=2, finished=0)
    assert len(seen) == 9


def test_two_encoders_live_beside_each_other(encoder: EncoderFolder, tmp_path: Path) -> None:
    records = write_pictures(tmp_path / "pictures", 2)
    other = tiny_encoder(tmp_path / "other", weights="b")
    run(records, encoder, tmp_path / "store")
    summary, engine = run(records, other, tmp_path / "store")
    assert len(engine.seen) == 2
    assert len(summary.other_versions) == 1
    assert encoder.description.fingerprint in summary.other_versions[0]
    assert len(rows_of(tmp_path / "store", encoder)) == 2


def test_two_arithmetics_are_never_mixed(encoder: EncoderFolder, tmp_path: Path) -> None:
    records = write_pictures(tmp_path / "pictures", 1)
    run(records, encoder, tmp_path / "store")
    with pytest.raises(StoreError, match=r"computed with numpy float32; this run computes with abacus"):
        run(records, encoder, tmp_path / "store", engine=InlineEngine(arithmetic="abacus"))


def test_the_size_is_said_first_and_a_small_disk_refused(
    encoder: EncoderFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = write_pictures(tmp_path / "pictures", 4)
    plans: list[Plan] = []
    run(records[:2], encoder, tmp_path / "store", spatial=True, on_plan=plans.append)
    per_row = CHANNELS * 4 + 200 + CHANNELS * 4 * 4 * 2 + 200
    assert plans[0].rows == 2
    assert plans[0].bytes_needed == int(1.05 * 2 * per_row)
    monkeypatch.setattr(Database, "free_bytes", lambda _: per_row)
    engine = InlineEngine()
    with pytest.raises(StoreError, match=r"2 rows of mean, spatial need 0\.0 MB, and .*store has 0\.0 MB free"):
        run(records, encoder, tmp_path / "store", spatial=True, engine=engine)
    assert engine.seen == []


def test_stopping_writes_what_is_finished(encoder: EncoderFolder, tmp_path: Path) -> None:
    records = write_pictures(tmp_path / "pictures", 10)
    stop = threading.Event()

    def after_four(progress: EmbedProgress) -> None:
        if progress.done == 4:
            stop.set()

    summary, _ = run(records, encoder, tmp_path / "store", stop=stop, on_progress=after_four)
    assert summary.interrupted
    assert summary.done == 4
    summary, _ = run(records, encoder, tmp_path / "store")
    assert (summary.done, summary.finished, summary.interrupted) == (6, 4, False)


def test_an_engine_that_breaks_loses_nothing_finished(encoder: EncoderFolder, tmp_path: Path) -> None:
    class Breaks(InlineEngine):
        def run(self, items: Iterable[WorkItem], columns: tuple[str, ...]) -> Generator[Outcome]:
            for number, outcome in enumerate(super().run(items, columns)):
                if number == 3:
                    raise RuntimeError("gone")
                yield outcome

    records = write_pictures(tmp_path / "pictures", 6)
    with pytest.raises(RuntimeError, match="gone"):
        run(records, encoder, tmp_path / "store", engine=Breaks())
    assert len(rows_of(tmp_path / "store", encoder)) == 3


@pytest.mark.parametrize(("what", "names"), [("views", ("original", "rot45")), ("columns", ("mean", "median"))])
def test_unknown_names(what: str, names: tuple[str, ...], encoder: EncoderFolder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"there is no {what[:-1]} '{names[1]}'"):
        run([], encoder, tmp_path / "store", **{what: names})  # type: ignore[arg-type]
    assert not (tmp_path / "store").exists()


def test_two_at_once_neither_corrupt_nor_repeat(encoder: EncoderFolder, tmp_path: Path) -> None:
    records = write_pictures(tmp_path / "pictures", 40)
    store = str(tmp_path / "store")
    processes = [SPAWN.Process(target=embed_in_process, args=(records, encoder, store, 3)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    keys = rows_of(store, encoder)
    assert len(keys) == len(set(keys)) == 40
    assert FeatureStore.open(store, encoder.description.fingerprint).of(records).shape == (40, CHANNELS)


def test_a_killed_process_loses_nothing_written(encoder: EncoderFolder, tmp_path: Path) -> None:
    records = write_pictures(tmp_path / "pictures", 60)
    store = str(tmp_path / "store")
    process = SPAWN.Process(target=embed_in_process, args=(records, encoder, store, 4))
    process.start()
    deadline = time.monotonic() + 60
    written = 0
    while written < 8 and time.monotonic() < deadline:
        time.sleep(0.05)
        with contextlib.suppress(StoreError):  # not made yet
            written = len(rows_of(store, encoder))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    left = len(rows_of(store, encoder))
    assert 8 <= written <= left < 60
    assert left % 4 == 0, "portions are whole"
    summary, _ = run(records, encoder, Path(store))
    assert summary.done + summary.finished == 60
    assert summary.finished >= left - 4, "but for the files of a portion that was being written"
    assert len(set(rows_of(store, encoder))) == len(rows_of(store, encoder)) == 60


def test_a_full_disk_is_one_line_and_loses_nothing_written(encoder: EncoderFolder, tmp_path: Path) -> None:
    records = write_pictures(tmp_path / "pictures", 30)
    store = tmp_path / "store"
    run(records[:10], encoder, store)
    # No file may grow beyond this: to a program, the same error as a disk without room.
    process = SPAWN.Process(target=embed_in_process, args=(records, encoder, str(store), 100, 600))
    process.start()
    process.join(120)
    assert process.exitcode == 1
    message = Path(f"{store}.error").read_text(encoding="utf-8")
    assert message == (
        f"cannot write to the store {store}: no space left; free some and run the same command again: "
        "what is finished stays"
    )
    assert len(rows_of(store, encoder)) == 10
    summary, _ = run(records, encoder, store)
    assert (summary.done, summary.finished) == (20, 10)


def test_a_disk_that_is_full_from_the_start_leaves_no_half_made_table(encoder: EncoderFolder, tmp_path: Path) -> None:
    records = write_pictures(tmp_path / "pictures", 3)
    store = tmp_path / "store"
    process = SPAWN.Process(target=embed_in_process, args=(records, encoder, str(store), 100, 200))
    process.start()
    process.join(120)
    assert process.exitcode == 1
    assert "no space left" in Path(f"{store}.error").read_text(encoding="utf-8")
    assert list(store.glob("*.lance")), "the folder of a table, and none in it"
    assert Database(store).names() == ()
    with pytest.raises(StoreError, match="it is empty"):
        FeatureStore.open(store, encoder.description.fingerprint)
    summary, _ = run(records, encoder, store)
    assert (summary.done, summary.finished) == (3, 0)
