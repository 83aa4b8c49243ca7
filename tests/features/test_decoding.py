from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dermoscope.encoders.inputs import InputContract
from dermoscope.features.decoding import DecodingPool
from dermoscope.features.extraction import Decoded, Failed, WorkItem, decode_views
from tests.bad_inputs import BAD
from tests.features.tiny_encoder import contract, write_pictures


def decode_or_die(item: WorkItem, wanted: InputContract) -> Decoded | Failed:
    """A decoder that a file of a certain name kills, as a harmful one or a lack of memory would."""
    if item.path.name == "deadly.png":
        os.kill(os.getpid(), signal.SIGKILL)
    return decode_views(item, wanted)


def test_a_file_that_kills_its_process_is_the_only_one_that_fails(tmp_path: Path) -> None:
    records = write_pictures(tmp_path, 7)
    paths = [record.path for record in records]
    paths[3:3] = [tmp_path / "deadly.png"]
    items = [WorkItem(number, path, ("original",)) for number, path in enumerate(paths)]
    with DecodingPool(contract(), 2, decode_or_die) as pool:
        found = list(pool.decoded(items))
    assert sorted(one.item.index for one in found) == list(range(8))
    failed = [one for one in found if isinstance(one, Failed)]
    assert [one.item.path.name for one in failed] == ["deadly.png"]
    assert "ends the process that decodes it" in failed[0].reason


def test_items_are_taken_as_they_are_needed(tmp_path: Path) -> None:
    records = write_pictures(tmp_path, 12)
    taken: list[int] = []

    def items() -> list[WorkItem]:
        return [WorkItem(number, record.path, ("original",)) for number, record in enumerate(records)]

    def counted() -> object:
        for item in items():
            taken.append(item.index)
            yield item

    with DecodingPool(contract(), 1) as pool:
        decoded = pool.decoded(counted())  # type: ignore[arg-type]
        next(decoded)
        assert len(taken) <= 4, "two a process, and those that took the place of finished ones"
        assert len(list(decoded)) == 11
    assert taken == list(range(12))


def test_image_libraries_print_no_lines_of_their_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name, make = BAD["TIFF with broken tiles"]  # libtiff writes a line about it to standard error
    make(tmp_path / name)
    with DecodingPool(contract(), 1) as pool:
        (found,) = pool.decoded([WorkItem(0, tmp_path / name, ("original",))])
    assert isinstance(found, Failed)
    assert capfd.readouterr().err == ""
