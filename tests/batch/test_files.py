from __future__ import annotations

import errno
from pathlib import Path

import pytest

from dermoscope.batch.errors import OutputError
from dermoscope.batch.files import replace_file, replacing, writing_to


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    replace_file(path, b"old")

    def fail_halfway() -> None:
        with replacing(path) as stream:
            stream.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert path.read_bytes() == b"old"
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("number", "way_out"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "make it writable")])
def test_errors_name_the_folder_and_the_way_out(number: int, way_out: str) -> None:
    with pytest.raises(OutputError, match=f"cannot write to results: .*{way_out}"), writing_to(Path("results")):
        raise OSError(number, "No")
