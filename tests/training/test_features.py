from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dermoscope.data.manifest import Record
from dermoscope.encoders.inputs import InputContract
from dermoscope.engine import Arrays
from dermoscope.training.features import FeatureTable, extract_features

CONTRACT = InputContract(size=16, fit="squash", scaling="imagenet", map_size=4)


class MeanEncoder:
    """A stand-in for the network that remembers how often it ran."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        self.calls += 1
        mean = inputs["image"].mean()
        return {"feature": np.full((1, 256), mean, np.float32), "statistics": np.full((1, 6), -mean, np.float32)}


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    found = []
    for name, grey in (("a", 40), ("b", 120), ("c", 220)):
        Image.new("RGB", (300, 280), (grey, grey, grey)).save(tmp_path / f"{name}.png")
        found.append(Record(image_id=name, path=tmp_path / f"{name}.png", source="S"))
    return found


def test_every_image_in_every_view_once(records: list[Record], tmp_path: Path) -> None:
    encoder, path = MeanEncoder(), tmp_path / "deep" / "features.npz"
    table = extract_features(records, ["original", "view1"], encoder, CONTRACT, path)
    assert encoder.calls == 6
    assert table.rows == tuple(f"S/{name}/{view}" for view in ("original", "view1") for name in "abc")
    assert table.feature.dtype == np.float32
    stored = FeatureTable.load(path)
    assert stored.rows == table.rows
    assert np.array_equal(stored.feature, table.feature)
    assert np.array_equal(stored.statistics, table.statistics)
    assert [file.name for file in path.parent.iterdir()] == ["features.npz"]


def test_only_what_is_missing_is_computed(records: list[Record], tmp_path: Path) -> None:
    first = extract_features(records[:2], ["original"], MeanEncoder(), CONTRACT, tmp_path / "f.npz")
    encoder = MeanEncoder()
    table = extract_features(records, ["original"], encoder, CONTRACT, tmp_path / "f.npz")
    assert encoder.calls == 1
    assert np.array_equal(table.feature[:2], first.feature)
    assert np.array_equal(table.statistics, -table.feature[:, :6])


def test_features_come_in_the_order_asked_for(records: list[Record], tmp_path: Path) -> None:
    table = extract_features(records, ["view1", "original"], MeanEncoder(), CONTRACT, tmp_path / "f.npz")
    dark, light = table.of([records[0], records[2]], "original")[:, 0]
    assert dark < light
    assert table.of([records[2], records[0]], "original")[:, 0].tolist() == [light, dark]
    features, owners = table.all_views_of([records[2], records[0]])
    assert owners.tolist() == [1, 0, 1, 0]
    assert features[2:, 0].tolist() == [dark, light]
    assert table.of([records[0]], "original", "statistics")[0].tolist() == [-dark] * 6
    assert np.array_equal(
        table.all_views_of([records[0]], "statistics")[0][:, 0], [-f for f in features[owners == 1][:, 0]]
    )


def test_an_image_never_extracted_is_named(records: list[Record]) -> None:
    with pytest.raises(KeyError, match="S/a/original"):
        FeatureTable((), np.zeros((0, 256), np.float32), np.zeros((0, 6), np.float32)).of(records, "original")


def test_an_absent_table_is_empty(tmp_path: Path) -> None:
    assert FeatureTable.load(tmp_path / "none.npz").rows == ()
