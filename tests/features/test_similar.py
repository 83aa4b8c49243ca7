from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.features.embed import embed
from dermoscope.features.similar import query_of, similar_cases
from dermoscope.features.store import FeatureStore
from dermoscope.images import ImageError
from tests.features.tiny_encoder import InlineEngine, contract, plain_graph, tiny_encoder, write_pictures


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return write_pictures(tmp_path_factory.mktemp("pictures"), 12)


@pytest.fixture(scope="module")
def store(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    folder = tmp_path_factory.mktemp("store")
    encoder: EncoderFolder = tiny_encoder(folder / "encoder")
    embed(records, encoder, InlineEngine(), folder / "store", views=("original", "hflip"), columns=("mean",))
    return FeatureStore.open(folder / "store", encoder.description.fingerprint)


def test_the_nearest_in_order_with_their_labels(store: FeatureStore, records: list[Record]) -> None:
    query = query_of(records[3].path, contract(), plain_graph)
    found = similar_cases(query, store, records, 4)
    values = store.of(records)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    distances = 1 - unit @ unit[3]
    order = [number for number in np.argsort(distances) if number != 3][:4]
    assert [case.record for case in found] == [records[number] for number in order]
    assert [case.distance for case in found] == pytest.approx(distances[order].tolist(), abs=1e-5)


def test_an_image_that_is_not_stored(store: FeatureStore, records: list[Record], tmp_path: Path) -> None:
    (stranger,) = write_pictures(tmp_path, 1, first=77)
    query = query_of(stranger.path, contract(), plain_graph)
    assert len(similar_cases(query, store, records, 5)) == 5


def test_only_images_of_the_manifest(store: FeatureStore, records: list[Record]) -> None:
    """However many others are nearer."""
    query = query_of(records[0].path, contract(), plain_graph)
    everything = [case.record for case in similar_cases(query, store, records, 99)]
    assert len(everything) == 11
    farthest = everything[-1]
    assert [case.record for case in similar_cases(query, store, [farthest], 3)] == [farthest]


def test_a_copy_of_the_image_and_a_missing_file_are_left_out(
    store: FeatureStore, records: list[Record], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(records[0].path.read_bytes())
    query = query_of(copy, contract(), plain_graph)
    gone = records[1].model_copy(update={"path": tmp_path / "gone.png"})
    assert similar_cases(query, store, [records[0], gone], 3) == []


def test_an_image_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(ImageError, match=r"text\.jpg"):
        query_of(tmp_path / "text.jpg", contract(), plain_graph)
