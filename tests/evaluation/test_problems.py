from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.evaluation.problems import InputError, Problem, Problems


def test_a_problem_names_file_row_and_column() -> None:
    assert str(Problem(Path("a.csv"), "is wrong", 7, "MEL")) == "a.csv, row 7, column MEL: is wrong"
    assert str(Problem(Path("a.csv"), "is wrong")) == "a.csv: is wrong"


def test_file_names_cannot_write_on_the_terminal() -> None:
    assert "\x1b" not in str(Problem(Path("a\x1b[2J.csv"), "is\nwrong", 1, "\x1bM"))
    assert "\n" not in str(Problem(Path("a.csv"), "is\nwrong"))


def test_the_first_are_kept_and_all_are_counted() -> None:
    problems = Problems(limit=2)
    problems.check()
    for row in range(5):
        problems.add(Path("a.csv"), "is wrong", row)
    with pytest.raises(InputError) as caught:
        problems.check()
    assert [problem.row for problem in caught.value.problems] == [0, 1]
    assert caught.value.count == 5
    assert str(caught.value).splitlines()[0] == "5 problems in the input; nothing was written"
    assert str(caught.value).endswith("and 3 more problems")
