from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation.predictions import read_predictions
from dermoscope.evaluation.problems import InputError
from tests.evaluation.fake_runs import IMAGES, image_id, prediction_rows, probabilities, result_rows, write_table

GOOD = "image_id,MEL,NV\na,0.25,0.75\nb,0.5,0.5\n"


def problems_of(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_predictions(path)
    return [str(problem).removeprefix(f"{path}") for problem in caught.value.problems]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "mine.csv"


def test_a_table_of_ones_own(table: Path) -> None:
    table.write_text("BCC,image_id,MEL,NV,age\n0.1,a,0.2,0.7,50\n0.3,b,0.3,0.4,\n")
    found = read_predictions(table)
    assert found.image_ids == ("a", "b")
    assert found.classes == ("MEL", "NV", "BCC")
    assert found.probabilities.tolist() == [[0.2, 0.7, 0.1], [0.3, 0.4, 0.3]]
    assert found.rows.tolist() == [2, 3]
    assert not found.is_ours


def test_results_of_analyze(tmp_path: Path) -> None:
    rows = result_rows()
    rows[4] |= {name: "" for name in rows[4] if name.startswith("p_")} | {"status": "failed", "path": "x/y.png"}
    write_table(tmp_path / "results" / "results.csv", rows)
    found = read_predictions(tmp_path / "results")
    assert found.is_ours
    assert len(found.image_ids) == IMAGES - 1
    assert found.failed == {image_id(4), "x/y.png"}
    assert found.classes == ("MEL", "NV", "BCC", "BKL", "VASC")
    assert np.array_equal(found.probabilities, np.delete(probabilities(), 4, axis=0))
    assert found.groups[0] == "melanocytic"
    assert found.group_probabilities.shape == (IMAGES - 1, 5)
    assert (found.definition, found.threshold, found.bundle) == ("graz", 0.3, "0123456789abcdef")
    assert found.abstained is not None
    assert np.flatnonzero(found.abstained).tolist() == [3]
    assert found.masks is not None
    assert found.masks[0] == f"masks/{image_id(0)}.png"


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("image_name,target\nISIC_1,0.5\n", {"p_melanoma": [0.5]}),
        (
            "image_id,melanoma,seborrheic_keratosis\nISIC_1,0.5,0.9\n",
            {"p_melanoma": [0.5], "p_seborrheic_keratosis": [0.9]},
        ),
        ("ISIC_1,0.5\nISIC_2,0.25\n", {"p_melanoma": [0.5, 0.25]}),
        ("image_id,BCC\na,0.1\n", {"p_BCC": [0.1]}),
    ],
    ids=["2020", "2017", "2016", "one class"],
)
def test_official_submissions(text: str, scores: dict[str, list[float]], table: Path) -> None:
    table.write_text(text)
    found = read_predictions(table)
    assert {name: values.tolist() for name, values in found.scores.items()} == scores
    assert found.classes == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MEL,NV\n0.5,0.5\n", [", row 1: the column of image ids is missing; name it image_id"]),
        ("image_id,MEL,NEV\na,0.5,0.5\n", [", row 1, column NEV: 'NEV' is no diagnosis code; did you mean NV? Rename"]),
        (
            "image_id,MEL,p_XYZ\na,0.5,0.5\n",
            [", row 1, column p_XYZ: 'XYZ' is no diagnosis code; known codes: MEL, NV"],
        ),
        ("image_id,MEL,MEL\na,0.5,0.5\n", [", row 1, column MEL: the column is there twice"]),
        ("image_id,AKIEC,SCC\na,0.5,0.5\n", [", row 1, column AKIEC: AKIEC stands for AK and SCC together"]),
        ("image_id,path\na,b\n", [", row 1: no column of probabilities"]),
        ("image_id,MEL,NV\na,0.5,0.5\nb,0.5,0.4\n", [", row 3, column MEL to NV: the 2 probabilities sum to 0.9"]),
        ("image_id,MEL,NV\na,nan,0.5\n", [", row 2, column MEL: 'nan' is not a number"]),
        ("image_id,MEL,NV\na,inf,0.5\n", [", row 2, column MEL: inf is not from 0 to 1"]),
        ("image_id,MEL,NV\na,0.5,\n", [", row 2, column NV: is empty"]),
        ("image_id,MEL,NV\na,1.5,-0.5\n", [", row 2, column MEL: 1.5 is not", ", row 2, column NV: -0.5 is not"]),
        (
            "image_id,MEL,NV\na,0.5,0.5\nb,1,0\na,1,0\n",
            [", row 4, column image_id: 'a' is there twice, first in row 2"],
        ),
        ("image_id,MEL,NV\n,0.5,0.5\n", [", row 2, column image_id: the image id is empty"]),
        ("image_id,MEL,NV\na,0.5\n", [", row 2: has 2 cells; the header has 3"]),
        ("image_id,MEL,NV\n", [": holds no predictions"]),
        ("", [": the file is empty"]),
        ('image_id,MEL,NV\n"a,0.5,0.5\n', [", row 2: is not CSV: unexpected end of data"]),
    ],
)
def test_bad_tables(text: str, expected: list[str], table: Path) -> None:
    table.write_text(text)
    found = problems_of(table)
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start)


def test_everything_wrong_is_listed_at_once(table: Path) -> None:
    table.write_text("image_id,MEL,NV\na,0.5,0.6\na,x,0.5\nb,2,0.5\n")
    assert len(problems_of(table)) == 4


def test_a_file_full_of_problems_lists_the_first_ones(table: Path) -> None:
    table.write_text("image_id,MEL,NV\n" + "".join(f"i{number},0.5,0.6\n" for number in range(500)))
    with pytest.raises(InputError, match="and 480 more problems") as caught:
        read_predictions(table)
    assert caught.value.count == 500
    assert len(str(caught.value).splitlines()) == 22


@pytest.mark.parametrize("sum_of_row", [1.0019, 0.9981])
def test_rounded_probabilities_pass(sum_of_row: float, table: Path) -> None:
    table.write_text(f"image_id,MEL,NV\na,0.5,{sum_of_row - 0.5:.4f}\n")
    assert read_predictions(table).sums_to_one


def test_independent_scores_need_not_sum_to_one(table: Path) -> None:
    table.write_text("image_id,MEL,NV\na,0.9,0.8\n")
    assert not read_predictions(table, independent_scores=True).sums_to_one


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("malignancy_definition", "cancer", "'cancer' is no malignancy definition; known: graz, not-nevus"),
        ("malignancy_threshold", "high", "'high' is not a number; give a threshold from 0 to 1"),
        ("malignancy_threshold", "7", "7 is not from 0 to 1"),
    ],
)
def test_what_holds_for_all_rows_is_checked_once(column: str, value: str, reason: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / "results.csv", [row | {column: value} for row in result_rows()])
    (problem,) = problems_of(path)
    assert problem.startswith(f", row 2, column {column}: {reason}")


def test_two_models_in_one_file_are_refused(tmp_path: Path) -> None:
    rows = result_rows()
    rows[7]["bundle"] = "other"
    assert problems_of(write_table(tmp_path / "results.csv", rows)) == [
        ", row 9, column bundle: is 'other', but '0123456789abcdef' above: one model at a time"
    ]


@pytest.mark.parametrize("content", [b"image_id,MEL,NV\n\xff\xfe,1,0\n", b"\x00\x01\x02"])
def test_no_text(content: bytes, table: Path) -> None:
    table.write_bytes(content)
    assert problems_of(table)


def test_missing_files(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "none.csv") == [": does not exist"]
    with pytest.raises(InputError, match=r"results\.csv: does not exist; give a results folder"):
        read_predictions(tmp_path)


def test_byte_order_mark_and_windows_lines(table: Path) -> None:
    table.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_predictions(table).image_ids == ("a", "b")


def test_take(table: Path) -> None:
    write_table(table, prediction_rows())
    found = read_predictions(table)
    some = found.take(np.array([4, 1]))
    assert some.image_ids == (image_id(4), image_id(1))
    assert np.array_equal(some.probabilities, found.probabilities[[4, 1]])
    assert some.rows.tolist() == [6, 3]
