from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from dermoscope.data.manifest import Record
from dermoscope.data.problems import COLUMNS, ManifestError, Problem, cell_problems, header_problems


def test_the_columns_are_the_fields_of_a_record() -> None:
    assert tuple(Record.model_fields) == COLUMNS


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem(3, "age", "old", "is no age"), "row 3, column age: 'old' is no age"),
        (Problem(1, "path", "", "is missing"), "row 1, column path: is missing"),
        (Problem(None, "", "", "is empty"), "is empty"),
        (Problem(2, "", "x" * 160, "is long"), f"row 2: '{'x' * 160}' is long"),
        (Problem(2, "", "a" * 100 + "b" * 119, "is long"), f"row 2: '{'a' * 40}…{'b' * 119}' is long"),
    ],
)
def test_a_problem_in_words(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_an_error_carries_all_and_shows_the_first() -> None:
    problems = [Problem(row, "path", "", "is empty") for row in range(2, 52)]
    error = ManifestError(Path("m.csv"), problems)
    assert error.problems == tuple(problems)
    assert str(error).count("is empty") == 20
    assert str(error).endswith("and 30 more")
    back = pickle.loads(pickle.dumps(error))
    assert (back.path, back.problems, str(back)) == (error.path, error.problems, str(error))


@pytest.mark.parametrize(
    ("header", "needs", "found"),
    [
        (["path"], [], []),
        (list(COLUMNS), ["diagnosis"], []),
        (["image_id"], [], ["column path: is missing"]),
        (["path"], ["diagnosis", "split"], ["column diagnosis: is missing", "column split: is missing"]),
        (["path", "lesionid"], [], ["'lesionid' is no column of a manifest; did you mean lesion_id?"]),
        (["path", "Path"], [], ["'Path' is no column of a manifest; did you mean path?"]),
        (["path", "path"], [], ["column path: stands there 2 times"]),
        (["path;age"], [], ["column path: is missing; cells seem to be parted by semicolons", "'path;age' is no"]),
    ],
)
def test_headers(header: list[str], needs: list[str], found: list[str]) -> None:
    problems = list(map(str, header_problems(header, needs)))
    assert len(problems) == len(found)
    for problem, expected in zip(problems, found, strict=True):
        assert problem.startswith("row 1")
        assert expected in problem


@pytest.mark.parametrize(
    ("column", "value", "fine"),
    [
        *((("diagnosis", code, True)) for code in ("", "MEL", "AKIEC", "UNK", "NOT_SKIN")),
        *((("diagnosis", code, False)) for code in ("mel", "melanoma", "MEL ", "0")),
        *((("age", age, True)) for age in ("", "0", "45", "45.5", "120")),
        *((("age", age, False)) for age in ("-1", "121", "nan", "inf", "old", "45 years")),
        *((("sex", sex, True)) for sex in ("", "male", "female")),
        *((("sex", sex, False)) for sex in ("M", "unknown", "Male")),
        *((("split", split, True)) for split in ("", "train", "val", "test")),
        *((("split", split, False)) for split in ("valid", "Train", "1")),
        ("sha256", "a" * 64, True),
        ("sha256", "A" * 64, False),
        ("sha256", "a" * 63, False),
        ("site", "anything", True),
        ("site", "a\0b", False),
        ("path", "", False),
        ("path", "a\0.jpg", False),
    ],
)
def test_cells(column: str, value: str, fine: bool) -> None:
    problems = list(cell_problems(7, {"path": "a.jpg", column: value}))
    assert [(problem.row, problem.column) for problem in problems] == ([] if fine else [(7, column)])


@pytest.mark.parametrize(
    ("column", "value", "hint"), [("diagnosis", "mel", "MEL"), ("split", "training", "train"), ("sex", "Male", "male")]
)
def test_a_near_word_is_suggested(column: str, value: str, hint: str) -> None:
    (problem,) = cell_problems(2, {"path": "a.jpg", column: value})
    assert f"did you mean {hint}?" in problem.reason


def test_every_problem_of_a_row_is_listed() -> None:
    cells = {"path": "", "diagnosis": "mel", "age": "old", "sex": "?", "split": "all", "sha256": "0"}
    columns = [problem.column for problem in cell_problems(2, cells, ["lesion_id"])]
    assert columns == ["path", "lesion_id", "diagnosis", "age", "sex", "split", "sha256"]
