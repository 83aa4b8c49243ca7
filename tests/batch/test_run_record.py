from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermoscope.batch.errors import BatchUsageError, OutputError
from dermoscope.batch.ledger import Ledger
from dermoscope.batch.run_record import Option, RunRecord, RunState, prepare_folder, remove_results


def record(bundle: str = "b1", options: dict[str, Option] | None = None) -> RunRecord:
    return RunRecord.begin(bundle=bundle, bundle_name="model", options=options or {"masks": True}, inputs=("photos",))


def test_a_new_folder(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "results"
    prepare_folder(out, record(), overwrite=False)
    written = json.loads((out / "run.json").read_text())
    assert written["state"] == "running"
    assert written["bundle"] == "b1"
    assert written["inputs"] == ["photos"]


def test_the_same_run_goes_on(tmp_path: Path) -> None:
    first = prepare_folder(tmp_path, record(), overwrite=False).model_copy(update={"started": "2020-01-01T00:00:00"})
    first.finished(RunState.INTERRUPTED).write(tmp_path)
    Ledger(tmp_path).__exit__(None, None, None)
    (tmp_path / "results.jsonl").write_text("x\n")
    again = prepare_folder(tmp_path, record(), overwrite=False)
    assert again.started == "2020-01-01T00:00:00"
    assert again.state is RunState.RUNNING
    assert (tmp_path / "results.jsonl").read_text() == "x\n"
    assert RunState.INTERRUPTED in (tmp_path / "run.json").read_text(), "untouched until the folder is locked"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (record(bundle="b2"), r"bundle 'model \(b1\)', now 'model \(b2\)'.*--overwrite"),
        (record(options={"masks": False}), "option masks True, now False.*--overwrite"),
        (record(options={"masks": True, "max_pixels": 5}), "option max_pixels None, now 5.*--overwrite"),
        (record().model_copy(update={"version": "9"}), "version .*, now '9'.*--overwrite"),
    ],
)
def test_a_different_run_is_refused_until_told_to_overwrite(tmp_path: Path, other: RunRecord, message: str) -> None:
    prepare_folder(tmp_path, record(), overwrite=False)
    Ledger(tmp_path).__exit__(None, None, None)
    for name in ("results.jsonl", "results.csv", "report.html", "masks/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
    with pytest.raises(BatchUsageError, match=message):
        prepare_folder(tmp_path, other, overwrite=False)
    assert (tmp_path / "masks" / "a.png").exists()
    assert prepare_folder(tmp_path, other, overwrite=True) == other
    assert (tmp_path / "masks" / "a.png").exists(), "nothing is removed until the folder is locked"


def test_removal_spares_what_others_put_there(tmp_path: Path) -> None:
    prepare_folder(tmp_path, record(), overwrite=False)
    for name in ("results.jsonl", "results.csv", "report.html", "masks/a.png", "pictures/a.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    remove_results(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "run.json"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_stranger_s_folder_is_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "truth.png").write_text("precious")
    with pytest.raises(BatchUsageError, match="did not write; choose another --out"):
        prepare_folder(tmp_path, record(), overwrite=overwrite)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["masks", "masks/truth.png"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("text", ["{}", "oops", '{"schema_version": 2}'])
def test_a_run_record_of_another_kind(tmp_path: Path, text: str, overwrite: bool) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(BatchUsageError, match=r"run\.json is not the record of a run"):
        prepare_folder(tmp_path, record(), overwrite=overwrite)
    assert (tmp_path / "run.json").read_text() == text


def test_hidden_files_do_not_make_a_folder_someone_else_s(tmp_path: Path) -> None:
    (tmp_path / ".gitkeep").touch()
    prepare_folder(tmp_path, record(), overwrite=False)


def test_results_without_their_ledger(tmp_path: Path) -> None:
    prepare_folder(tmp_path, record(), overwrite=False)
    (tmp_path / "results.jsonl").write_text("x\n")
    with pytest.raises(BatchUsageError, match=r"inputs\.sqlite is missing.*--overwrite"):
        prepare_folder(tmp_path, record(), overwrite=False)


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(BatchUsageError, match="results is a file; choose another --out"):
        prepare_folder(tmp_path / "results", record(), overwrite=False)


def test_an_output_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"cannot write to {tmp_path}/file/results"):
        prepare_folder(tmp_path / "file" / "results", record(), overwrite=False)
