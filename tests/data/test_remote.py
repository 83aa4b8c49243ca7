from __future__ import annotations

import pytest
from pydantic import ValidationError

from dermoscope.data.remote import RemoteFile, is_safe_address


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://example.org/a", True),
        ("http://127.0.0.1:8000/a", True),
        ("http://localhost/a", True),
        ("http://example.org/a", False),
        ("http://127.0.0.1.example.org/a", False),
        ("http://localhost@example.org/a", False),
        ("ftp://example.org/a", False),
        ("file:///etc/passwd", False),
        ("https:///a", False),
    ],
)
def test_only_https(address: str, safe: bool) -> None:
    assert is_safe_address(address) == safe


@pytest.mark.parametrize("name", ["", "../a.zip", "a/b.zip", "a\\b.zip", ".hidden", "dermoscope-download.json", "a\n"])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(ValidationError, match="plain file name"):
        RemoteFile(name=name, address="https://example.org/a")


@pytest.mark.parametrize(
    ("name", "stem", "is_archive"),
    [("a.zip", "a", True), ("b.1.tar.gz", "b.1", True), ("c.TGZ", "c", True), ("d.csv", "d.csv", False)],
)
def test_archives(name: str, stem: str, is_archive: bool) -> None:
    file = RemoteFile(name=name, address="https://example.org/a")
    assert (file.stem, file.is_archive) == (stem, is_archive)
