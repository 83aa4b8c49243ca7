"""Small dealings with files that several floors share."""

from __future__ import annotations

import hashlib
from pathlib import Path

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Text that starts with one of these is a formula to a spreadsheet."""


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's contents."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def guard_formula(text: str) -> str:
    """Text as a cell of a CSV file that no spreadsheet runs as a formula; `undo_formula_guard` gives the text back.

    An apostrophe goes in front of what would be one. It also goes in front of text that looks as if it had been guarded
    already, so that every text comes back as it was.
    """
    return f"'{text}" if text.lstrip("'").startswith(FORMULA_STARTS) else text


def undo_formula_guard(cell: str) -> str:
    """The text that `guard_formula` made a cell of; only for files that were written with it."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA_STARTS) else cell
