from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dermoscope.files import guard_formula, sha256_of, undo_formula_guard


@pytest.mark.parametrize("content", [b"", b"abc", bytes(3_000_000)])
def test_sha256(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_known_value(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of(tmp_path / "file").startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("'=1+1", "''=1+1"),
        ("", ""),
        ("'", "'"),
        ("'plain'", "'plain'"),
        ("a=b", "a=b"),
    ],
)
def test_no_text_runs_as_a_formula_and_every_text_comes_back(text: str, cell: str) -> None:
    assert guard_formula(text) == cell
    assert undo_formula_guard(cell) == text
