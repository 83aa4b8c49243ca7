from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dermoscope.files import sha256_of


@pytest.mark.parametrize("content", [b"", b"abc", bytes(3_000_000)])
def test_sha256(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_known_value(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of(tmp_path / "file").startswith("ba7816bf8f01cfea")
