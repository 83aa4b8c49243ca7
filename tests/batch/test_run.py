from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dermoscope.analysis import Status
from dermoscope.batch import BatchUsageError, OutputError, Progress, analyze_batch, read_results
from dermoscope.batch import files as batch_files
from dermoscope.batch.inputs import BatchInput, find_inputs
from dermoscope.batch.ledger import Ledger
from dermoscope.images import ImageError
from tests.batch.fake_analyzer import FakeAnalyzer, FakeBundle, write_images
from tests.watch import REPOSITORY


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def ids(out: Path) -> list[str]:
    return [analysis.image_id for analysis in read_results(out / "results.jsonl")]


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_input_gets_its_line_mask_and_picture(tmp_path: Path, jobs: int) -> None:
    write_images(tmp_path / "in", 40)
    (tmp_path / "in" / "broken.jpg").write_text("text")
    out = tmp_path / "out"
    summary = analyze_batch([tmp_path / "in", tmp_path / "gone.jpg"], out, FakeAnalyzer(), jobs=jobs)
    assert (summary.done, summary.failed, summary.skipped) == (40, 2, 0)
    assert not summary.interrupted
    assert ids(out) == ["broken", *(f"image-{number:04d}" for number in range(40)), "gone"], "the order of the inputs"
    assert [row["image_id"] for row in rows(out)] == ids(out)
    failed = {row["image_id"]: row["reason"] for row in rows(out) if row["status"] == "failed"}
    assert failed == {"broken": "is not an image", "gone": "cannot be read"}
    assert [(one.path, one.reason) for one in summary.failures] == [
        (str(tmp_path / "in" / "broken.jpg"), "is not an image"),
        (str(tmp_path / "gone.jpg"), "cannot be read"),
    ]
    done = [analysis for analysis in read_results(out / "results.jsonl") if analysis.status is Status.DONE]
    assert {path.stem for path in (out / "masks").iterdir()} == {one.image_id for one in done if one.mask}
    assert {path.stem for path in (out / "pictures").iterdir()} == {one.image_id for one in done}
    assert all((out / row["mask"]).is_file() for row in rows(out) if row["mask"])
    run = json.loads((out / "run.json").read_text())
    assert (run["state"], run["done"], run["failed"], run["bundle"]) == ("complete", 40, 2, "0123456789abcdef")
    assert run["started"] <= run["ended"]


def test_two_workers_work_at_once_and_change_nothing(tmp_path: Path) -> None:
    write_images(tmp_path / "in", 30)
    analyzer = FakeAnalyzer(delay=0.01)
    for name, jobs in (("one", 1), ("two", 2)):
        analyze_batch([tmp_path / "in"], tmp_path / name, analyzer, jobs=jobs)
    assert analyzer.most_at_once == 2
    for name in ("results.jsonl", "results.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_list_of_inputs_is_read_only_a_little_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "in", 100)
    read = 0

    def counted(paths: Sequence[str | Path]) -> Iterator[BatchInput]:
        nonlocal read
        for found in find_inputs(paths):
            read += 1
            yield found

    monkeypatch.setattr("dermoscope.batch.run.find_inputs", counted)
    ahead: list[int] = []
    analyze_batch(
        [tmp_path / "in"],
        tmp_path / "out",
        FakeAnalyzer(delay=0.001),
        jobs=2,
        on_progress=lambda progress: ahead.append(read - progress.seen),
    )
    assert max(ahead) <= 2 * 8 + 1


def test_without_masks_and_pictures(tmp_path: Path) -> None:
    write_images(tmp_path / "in", 3)
    analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer(), masks=False, pictures=False)
    assert not (tmp_path / "out" / "masks").exists()
    assert not (tmp_path / "out" / "pictures").exists()
    assert not any(row["mask"] for row in rows(tmp_path / "out"))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ImageError("x.jpg", "is cut short"), "is cut short"),
        (MemoryError(), "MemoryError"),
        (RuntimeError("line one\n\tline\x00two"), "RuntimeError: line one line two"),
        (RecursionError("x" * 1000), f"RecursionError: {'x' * 483}…"),
        (UnicodeError("\udcff"), "UnicodeError: \\udcff"),
    ],
)
def test_whatever_goes_wrong_stays_with_its_image(tmp_path: Path, error: Exception, reason: str) -> None:
    write_images(tmp_path / "in", 5)
    analyzer = FakeAnalyzer(errors={"image-0002.jpg": error})
    summary = analyze_batch([tmp_path / "in"], tmp_path / "out", analyzer)
    assert (summary.done, summary.failed) == (4, 1)
    assert rows(tmp_path / "out")[2]["reason"] == reason
    assert "Traceback" not in (tmp_path / "out" / "results.jsonl").read_text()


def test_inputs_that_come_twice_get_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(Path("in"), 3)
    analyzer = FakeAnalyzer()
    summary = analyze_batch(["in/image-0001.jpg", "in", "./in/*.jpg", tmp_path / "in"], Path("out"), analyzer)
    assert summary.done == 3
    assert ids(Path("out")) == ["image-0001", "image-0000", "image-0002"]
    assert set(analyzer.calls.values()) == {1}


def test_files_of_one_name_get_ids_of_their_own(tmp_path: Path) -> None:
    for folder in "abc":
        write_images(tmp_path / "in" / folder, 1)
    analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer())
    found = ids(tmp_path / "out")
    assert found[0] == "image-0000"
    assert len(set(found)) == 3
    assert {path.stem for path in (tmp_path / "out" / "pictures").iterdir()} == set(found)


def test_a_run_does_not_analyse_its_own_output(tmp_path: Path) -> None:
    write_images(tmp_path, 3)
    analyzer = FakeAnalyzer()
    for _ in range(2):
        analyze_batch([tmp_path], tmp_path / "results", analyzer)
    analyze_batch([tmp_path], tmp_path / "more results", analyzer)
    assert sorted(analyzer.calls) == [f"image-000{number}.jpg" for number in range(3)]


def test_the_next_run_does_what_is_left(tmp_path: Path) -> None:
    images = write_images(tmp_path / "in", 6)
    out = tmp_path / "out"
    first = FakeAnalyzer(errors={"image-0001.jpg": RuntimeError("for now")})
    assert analyze_batch([tmp_path / "in"], out, first).failed == 1
    write_images(tmp_path / "in", 1, start=6)
    images[3].write_bytes(images[3].read_bytes() + b", retouched")
    second = FakeAnalyzer()
    summary = analyze_batch([tmp_path / "in"], out, second)
    assert (summary.done, summary.failed, summary.skipped) == (3, 0, 4)
    assert sorted(second.calls) == ["image-0001.jpg", "image-0003.jpg", "image-0006.jpg"]
    assert Counter(ids(out)) == Counter(f"image-000{number}" for number in range(7))
    assert all(row["status"] == "done" for row in rows(out))
    assert summary.totals is not None
    assert summary.totals.images == 7


def test_a_finished_image_that_is_gone_becomes_a_failed_row(tmp_path: Path) -> None:
    (image,) = write_images(tmp_path / "in", 1)
    analyze_batch([image], tmp_path / "out", FakeAnalyzer())
    assert (tmp_path / "out" / "pictures" / "image-0000.png").exists()
    image.unlink()
    assert analyze_batch([image], tmp_path / "out", FakeAnalyzer()).failed == 1
    assert [row["status"] for row in rows(tmp_path / "out")] == ["failed"]
    assert not (tmp_path / "out" / "pictures" / "image-0000.png").exists()


def test_results_of_other_inputs_stay(tmp_path: Path) -> None:
    images = write_images(tmp_path / "in", 2)
    broken = tmp_path / "broken.jpg"
    broken.touch()
    analyze_batch([images[0], broken], tmp_path / "out", FakeAnalyzer())
    summary = analyze_batch([images[1]], tmp_path / "out", FakeAnalyzer())
    assert ids(tmp_path / "out") == ["image-0000", "broken", "image-0001"]
    assert (summary.done, summary.failed) == (1, 0)


@pytest.mark.parametrize(
    ("bundle", "pictures", "max_pixels"),
    [("other", True, 1), ("0123456789abcdef", False, 1), ("0123456789abcdef", True, 2)],
)
def test_other_results_are_not_mixed_in(tmp_path: Path, bundle: str, pictures: bool, max_pixels: int) -> None:
    write_images(tmp_path / "in", 2)
    analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer(settings={"max_pixels": 1}))
    before = (tmp_path / "out" / "results.jsonl").read_bytes()
    other = FakeAnalyzer(bundle=FakeBundle(fingerprint=bundle), settings={"max_pixels": max_pixels})

    def again(overwrite: bool) -> int:
        return analyze_batch([tmp_path / "in"], tmp_path / "out", other, pictures=pictures, overwrite=overwrite).done

    (tmp_path / "out" / "masks" / "stale.png").touch()
    with pytest.raises(BatchUsageError, match="--overwrite"):
        again(overwrite=False)
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before
    assert not other.calls
    assert again(overwrite=True) == 2
    assert len(ids(tmp_path / "out")) == 2
    assert not (tmp_path / "out" / "masks" / "stale.png").exists()


def test_results_at_another_scale_are_not_mixed_in(tmp_path: Path) -> None:
    write_images(tmp_path / "in", 2)
    first, second = FakeAnalyzer(), FakeAnalyzer()
    assert analyze_batch([tmp_path / "in"], tmp_path / "out", first, mm_per_pixel=0.02).done == 2
    assert first.spacings == {(0.02, 0.02)}
    for scale in (None, 0.03):
        with pytest.raises(BatchUsageError, match=f"option mm_per_pixel 0.02, now {scale}"):
            analyze_batch([tmp_path / "in"], tmp_path / "out", second, mm_per_pixel=scale)
    assert analyze_batch([tmp_path / "in"], tmp_path / "out", second, mm_per_pixel=0.02).skipped == 2
    assert not second.calls


@pytest.mark.parametrize("scale", [0.0, -0.02, 0.00001, 11.0, float("inf"), float("nan")])
def test_a_scale_in_another_unit_is_refused(tmp_path: Path, scale: float) -> None:
    write_images(tmp_path / "in", 1)
    with pytest.raises(BatchUsageError, match=r"mm_per_pixel must be between 0\.0001 and 10 millimetres, not"):
        analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer(), mm_per_pixel=scale)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_in_use_is_left_alone(tmp_path: Path, overwrite: bool) -> None:
    write_images(tmp_path / "in", 2)
    analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer())
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*") if "sqlite" not in path.name}
    with Ledger(tmp_path / "out"), pytest.raises(OutputError, match="another run is writing to"):
        analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer(), overwrite=overwrite)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("stop_after", [0, 1, 7, 20])
def test_a_stop_keeps_what_is_done_and_the_next_run_goes_on(tmp_path: Path, stop_after: int) -> None:
    write_images(tmp_path / "in", 20)
    out, stop = tmp_path / "out", threading.Event()
    if stop_after == 0:
        stop.set()

    def on_progress(progress: Progress) -> None:
        if progress.done == stop_after:
            stop.set()

    first, second = FakeAnalyzer(delay=0.02), FakeAnalyzer()
    summary = analyze_batch([tmp_path / "in"], out, first, jobs=2, stop=stop, on_progress=on_progress)
    assert summary.interrupted == (stop_after < 20)
    assert stop_after <= summary.done < stop_after + 10
    assert summary.done == len(ids(out)) == sum(first.calls.values()), "what was begun is written"
    assert (out / "results.csv").exists() == (stop_after == 20)
    assert json.loads((out / "run.json").read_text())["state"] == ("complete" if stop_after == 20 else "interrupted")
    summary = analyze_batch([tmp_path / "in"], out, second, jobs=2)
    assert ids(out) == [f"image-{number:04d}" for number in range(20)]
    assert not set(first.calls) & set(second.calls)


KILLED_RUN = """
import sys
from pathlib import Path
from dermoscope.batch import analyze_batch
from tests.batch.fake_analyzer import FakeAnalyzer
analyze_batch([sys.argv[1]], Path(sys.argv[2]), FakeAnalyzer(delay=0.01), jobs=2)
"""


@pytest.mark.parametrize("lines_before", [1, 25])
def test_a_killed_run_loses_and_doubles_nothing(tmp_path: Path, lines_before: int) -> None:
    write_images(tmp_path / "in", 120)
    out = tmp_path / "out"
    python_path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")])
    killed = subprocess.Popen(
        [sys.executable, "-c", KILLED_RUN, str(tmp_path / "in"), str(out)],
        env=os.environ | {"PYTHONPATH": python_path},
    )
    lines = out / "results.jsonl"
    deadline = time.monotonic() + 60
    while not lines.exists() or lines.read_bytes().count(b"\n") < lines_before:
        assert killed.poll() is None, "the run ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    written = lines.read_bytes().count(b"\n")
    assert lines_before <= written < 120
    with lines.open("ab") as stream:
        stream.write(b'{"image_id":"image-0119","path":')
    analyzer = FakeAnalyzer()
    summary = analyze_batch([tmp_path / "in"], out, analyzer, jobs=2)
    assert ids(out) == [f"image-{number:04d}" for number in range(120)]
    assert [row["image_id"] for row in rows(out)] == ids(out)
    assert written - 1 <= summary.skipped <= written
    assert len(analyzer.calls) == summary.done == 120 - summary.skipped


def test_an_exception_in_the_main_thread_leaves_a_folder_to_go_on_in(tmp_path: Path) -> None:
    write_images(tmp_path / "in", 10)

    def on_progress(progress: Progress) -> None:
        if progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer(), on_progress=on_progress)
    assert analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer()).skipped == 4
    assert len(ids(tmp_path / "out")) == 10


def test_progress_counts_every_input(tmp_path: Path) -> None:
    (image,) = write_images(tmp_path / "in", 1)
    seen: list[Progress] = []
    analyze_batch([image, image, tmp_path / "gone"], tmp_path / "out", FakeAnalyzer(), on_progress=seen.append)
    assert seen[-1] == Progress(seen=3, done=1, failed=1, skipped=0)
    assert sorted(one.seen for one in seen) == [1, 2, 3]


def test_a_full_disk_ends_the_run_with_the_folder_s_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "in", 10)
    real = batch_files.replace_file

    def replace_file(path: Path, data: bytes) -> None:
        if path.stem == "image-0005":
            with batch_files.writing_to(path.parent):
                raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr("dermoscope.batch.worker.replace_file", replace_file)
    with pytest.raises(OutputError, match=r"cannot write to .*: No space left on device; free some space and run"):
        analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer())
    monkeypatch.undo()
    assert len(ids(tmp_path / "out")) == 5
    summary = analyze_batch([tmp_path / "in"], tmp_path / "out", FakeAnalyzer())
    assert (summary.skipped, summary.done) == (5, 5)


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_workers_no_run(tmp_path: Path, jobs: int) -> None:
    with pytest.raises(BatchUsageError, match=f"jobs must be at least 1, not {jobs}"):
        analyze_batch([tmp_path], tmp_path / "out", FakeAnalyzer(), jobs=jobs)


def test_wrong_usage_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BatchUsageError, match="matches nothing"):
        analyze_batch([str(tmp_path / "*.jpg")], tmp_path / "out", FakeAnalyzer())
    assert not (tmp_path / "out").exists()
