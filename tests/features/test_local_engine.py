from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.features.encoder import compile_encoder
from dermoscope.features.extraction import Embedded, Failed, WorkItem, encode_views
from dermoscope.features.local_engine import LocalEngine
from tests.features.tiny_encoder import decoded_or_fail, tiny_encoder, write_pictures

COLUMNS = ("mean", "std", "levels", "spatial")


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_same_bits_as_one_by_one(jobs: int, tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    paths = [record.path for record in write_pictures(tmp_path, 9)]
    paths[4].write_bytes(b"no image")
    items = [WorkItem(number, path, ("original", "rot90")) for number, path in enumerate(paths)]
    outcomes = {outcome.item.index: outcome for outcome in LocalEngine(encoder, jobs=jobs).run(items, COLUMNS)}
    assert sorted(outcomes) == list(range(9))
    graph = compile_encoder(encoder)
    for number, item in enumerate(items):
        found = outcomes[number]
        if number == 4:
            assert isinstance(found, Failed)
            continue
        expected = encode_views(decoded_or_fail(item), graph, COLUMNS)
        assert isinstance(found, Embedded)
        assert isinstance(expected, Embedded)
        assert found.pixels_sha256 == expected.pixels_sha256
        assert all(np.array_equal(found.columns[name], expected.columns[name]) for name in COLUMNS)


def test_memory_holds_a_bounded_number_of_images(tmp_path: Path) -> None:
    paths = [record.path for record in write_pictures(tmp_path / "pictures", 30)]
    taken: list[int] = []

    def items() -> object:
        for number, path in enumerate(paths):
            taken.append(number)
            yield WorkItem(number, path, ("original",))

    outcomes = LocalEngine(tiny_encoder(tmp_path / "encoder"), jobs=1).run(items(), ("mean",))  # type: ignore[arg-type]
    for number, _ in enumerate(outcomes, 1):
        assert len(taken) <= number + 5, "in the pool, at the encoder or waiting for it"
    assert len(taken) == 30
