from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation.intervals import Difference, Estimate
from dermoscope.evaluation.report.document import Cell, Table, interval, number, plain, text

NAN = float("nan")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (Estimate(0.5, 0.25, 0.75, 9, 3), "0.500 (0.250 to 0.750)"),
        (Estimate(0.5, NAN, NAN, 9, 3), "0.500"),
        (Difference(0.1, -0.05, 0.2, 0.3, 9, 3), "+0.100 (−0.050 to 0.200)"),
        (Difference(-0.1, -0.2, -0.05, 0.3, 9, 3), "−0.100 (−0.200 to −0.050)"),
        (12345, "12,345"),
        (NAN, "–"),
        (None, "–"),
        ("", ""),
        ("AK", "AK"),
    ],
)
def test_text(cell: Cell, expected: str) -> None:
    assert text(cell) == expected


def test_digits() -> None:
    table = Table("key", "Caption", ("a", "b"), (), digits={"b": 1})
    assert (table.digits_of(0), table.digits_of(1)) == (3, 1)
    assert number(7.26, 1) == "7.3"
    assert interval(Estimate(1, 0.25, 0.75, 1, 1), 1) == "0.2 to 0.8"


def test_plain_is_json() -> None:
    value = {"a": np.array([1.5, NAN]), "b": Estimate(0.5, NAN, 1, 2, 1), "c": (Path("x"), np.int64(3), True, None)}
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {
        "a": [1.5, None],
        "b": {"value": 0.5, "low": None, "high": 1, "n": 2, "groups": 1},
        "c": ["x", 3, True, None],
    }
    with pytest.raises(TypeError, match="object has no place in metrics"):
        plain(object())
