from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from dermoscope.analysis import Analysis, Status
from dermoscope.batch.errors import OutputError
from dermoscope.batch.results import (
    ResultLine,
    ResultsFile,
    Totals,
    drop_lines,
    encode_line,
    encode_mask,
    encode_picture,
    read_results,
    recover_lines,
    table_of,
    write_csv,
)
from tests.batch.fake_analyzer import outcome_of
from tests.watch import REPOSITORY

# A promise to scripts: columns are added, never renamed.
COLUMNS = """
    image_id path status reason is_skin p_skin
    group p_melanocytic p_carcinoma p_keratosis p_fibrous p_vascular
    diagnosis p_MEL p_NV p_BCC p_AKIEC p_BKL p_DF p_VASC
    p_malignant malignancy_definition p_melanoma abstained abstain_reason
    mask mask_confidence area_fraction flagged malignancy_threshold quality width height bundle
    asymmetry border_irregularity colours diameter_px diameter_mm cut_by_border
    out_of_distribution mode prediction_set evidence_inside evidence_warning flagged_without_answer
""".split()  # noqa: SIM905


def analysis(name: str) -> Analysis:
    return outcome_of(name.encode(), name, f"{name}.jpg", picture=False, bundle="b").analysis


def write_lines(path: Path, analyses: list[Analysis]) -> Path:
    with ResultsFile(path) as results:
        for one in analyses:
            results.append(encode_line(one))
    return path


def test_lines_read_back_exactly(tmp_path: Path) -> None:
    written = [analysis("a"), Analysis.failed("ü", "two\nlines\u2028.jpg", "is cut short"), analysis("c")]
    path = write_lines(tmp_path / "results.jsonl", written)
    assert list(read_results(path)) == written
    assert path.read_bytes().count(b"\n") == 3


def test_a_number_that_is_not_finite_makes_no_line() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_line(analysis("a").model_copy(update={"p_melanoma": float("nan")}))


@pytest.mark.parametrize("torn", [b'{"image_id":"c","pa', b"\0\0\0\0", b'{"image_id":"c"}\n', b"\xff\n"])
def test_recovery_cuts_a_torn_last_line_off(tmp_path: Path, torn: bytes) -> None:
    path = write_lines(tmp_path / "results.jsonl", [analysis("a"), Analysis.failed("b", "b.jpg", "is empty")])
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert list(recover_lines(path)) == [ResultLine("a", "a.jpg", True), ResultLine("b", "b.jpg", False)]
    assert path.read_bytes() == whole


def test_recovery_refuses_a_damaged_line_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(encode_line(analysis("a")) + b"oops\n" + encode_line(analysis("b")))
    with pytest.raises(OutputError, match=r"line 2, is not a result; start again with --overwrite"):
        list(recover_lines(path))
    with pytest.raises(OutputError, match="line 2"):
        list(read_results(path))


def test_superseded_lines_are_dropped_in_order(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "results.jsonl", [analysis("a"), analysis("b"), analysis("c")])
    asked: list[str] = []

    def is_superseded(image_id: str) -> bool:
        asked.append(image_id)
        return image_id == "b"

    drop_lines(path, is_superseded)
    assert asked == ["a", "b", "c"]
    assert [one.image_id for one in read_results(path)] == ["a", "c"]


def test_the_table(tmp_path: Path) -> None:
    analyses = [Analysis.failed("x", "x.jpg", "is empty"), *(analysis(f"image {number}") for number in range(60))]
    lines = write_lines(tmp_path / "results.jsonl", analyses)
    totals = write_csv(lines, tmp_path / "results.csv", masks=True)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == COLUMNS
    assert len(rows) == 61
    assert rows[0] == dict.fromkeys(COLUMNS, "") | {
        "image_id": "x",
        "path": "x.jpg",
        "status": "failed",
        "reason": "is empty",
    }
    for row, one in zip(rows, analyses, strict=True):
        expected = one.to_row()
        assert row["p_malignant"] == ("" if expected["p_malignant"] is None else repr(expected["p_malignant"]))
        if one.status is Status.DONE:
            assert float(row["p_MEL"]) == one.diagnosis["MEL"]
            assert row["mask"] == (f"masks/{one.image_id}.png" if one.mask else "")
    withheld = [row for row in rows if row["is_skin"] == "True" and row["abstained"] == "True"]
    answered = [row for row in rows if row["is_skin"] == "True" and row["abstained"] == "False"]
    assert totals == Totals(
        images=61,
        done=60,
        failed=1,
        not_skin=sum(row["is_skin"] == "False" for row in rows),
        withheld=len(withheld),
        withheld_flagged=sum(row["flagged_without_answer"] == "True" for row in rows),
        flagged=sum(row["flagged"] == "True" for row in answered),
    )
    assert min(totals.not_skin, totals.withheld_flagged, totals.flagged) > 0
    assert totals.withheld_flagged < totals.withheld


def test_readme_names_every_column(tmp_path: Path) -> None:
    write_csv(write_lines(tmp_path / "results.jsonl", [analysis("a")]), tmp_path / "results.csv", masks=True)
    header = (tmp_path / "results.csv").read_text().splitlines()[0].split(",")
    _, _, promise = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("The columns of `results.csv`")
    table = promise.split("\n\n")[1].splitlines()[2:]
    named = [name for line in table for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted(header)


def test_classes_beyond_ham10000_get_columns_of_their_own(tmp_path: Path) -> None:
    wider = analysis("a")
    wider = wider.model_copy(update={"diagnosis": {**wider.diagnosis, "SCC": 0.0}})
    lines = write_lines(tmp_path / "results.jsonl", [Analysis.failed("x", "x", "is empty"), wider])
    write_csv(lines, tmp_path / "results.csv", masks=True)
    header = (tmp_path / "results.csv").read_text().splitlines()[0].split(",")
    assert header == [*COLUMNS[:20], "p_SCC", *COLUMNS[20:]]


def test_without_masks_the_table_names_none(tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "results.jsonl", [analysis(str(number)) for number in range(9)])
    write_csv(lines, tmp_path / "results.csv", masks=False)
    assert "masks/" not in (tmp_path / "results.csv").read_text()


def test_a_run_of_failures_has_the_same_columns(tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "results.jsonl", [Analysis.failed("x", "x", "is empty")])
    write_csv(lines, tmp_path / "results.csv", masks=True)
    assert (tmp_path / "results.csv").read_text().splitlines()[0].split(",") == COLUMNS


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_text_runs_as_a_formula(tmp_path: Path, text: str) -> None:
    lines = write_lines(tmp_path / "results.jsonl", [Analysis.failed("x", 'a, "b"\n.jpg', text)])
    write_csv(lines, tmp_path / "results.csv", masks=True)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["reason"] == f"'{text}"
    assert row["path"] == 'a, "b"\n.jpg'


def test_masks_and_pictures_read_back() -> None:
    mask = np.zeros((5, 9), bool)
    mask[1:3, 2:7] = True
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    read = cv2.imdecode(np.frombuffer(encode_mask(mask), np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert read.dtype == np.uint8
    assert np.array_equal(read, np.where(mask, 255, 0))
    read = cv2.imdecode(np.frombuffer(encode_picture(picture), np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert np.array_equal(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), picture)


def test_a_failed_table_leaves_the_old_one(tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "results.jsonl", [analysis("a")])
    write_csv(lines, tmp_path / "results.csv", masks=True)
    before = (tmp_path / "results.csv").read_bytes()
    with lines.open("ab") as stream:
        stream.write(b"oops\n")
    with pytest.raises(OutputError):
        write_csv(lines, tmp_path / "results.csv", masks=True)
    assert (tmp_path / "results.csv").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.jsonl"]


def test_lines_are_json_objects_of_the_record(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "results.jsonl", [analysis("a")])
    assert json.loads(path.read_text()) == analysis("a").to_dict()


def test_a_table_in_memory_is_that_of_the_file(tmp_path: Path) -> None:
    records = [Analysis.failed("=x", "=x.jpg", "is empty"), analysis("a"), analysis("ü")]
    for masks in (True, False):
        write_csv(write_lines(tmp_path / f"{masks}.jsonl", records), tmp_path / f"{masks}.csv", masks=masks)
        assert table_of(records, masks=masks).encode() == (tmp_path / f"{masks}.csv").read_bytes()
    assert table_of(records[:1], masks=True).splitlines()[1].startswith("'=x,'=x.jpg,failed,")
