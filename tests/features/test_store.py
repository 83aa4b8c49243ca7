from __future__ import annotations

import builtins
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.features.columns import COLUMNS
from dermoscope.features.database import Database
from dermoscope.features.embed import embed
from dermoscope.features.errors import FeatureError, StoreError
from dermoscope.features.protocol import Features
from dermoscope.features.store import FeatureStore
from dermoscope.features.tables import FeatureTable
from dermoscope.files import sha256_of
from tests.features.tiny_encoder import CHANNELS, InlineEngine, tiny_encoder, write_pictures

VIEWS = ("original", "hflip")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> EncoderFolder:
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return write_pictures(tmp_path_factory.mktemp("pictures"), 6)


@pytest.fixture(scope="module")
def uri(encoder: EncoderFolder, records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    embed(records, encoder, InlineEngine(), store, views=VIEWS, columns=("mean", "std", "levels"), spatial=True)
    return store


@pytest.fixture
def store(uri: Path, encoder: EncoderFolder) -> FeatureStore:
    return FeatureStore.open(uri, encoder.description.fingerprint)


def test_it_is_what_readers_ask_for(store: FeatureStore) -> None:
    features: Features = store
    assert features.columns() == ("mean", "std", "levels")
    assert features.views() == VIEWS


def test_rows_come_in_the_order_of_the_records(store: FeatureStore, records: list[Record]) -> None:
    values = store.of(records)
    assert values.shape == (6, CHANNELS)
    assert values.dtype == np.float32
    assert len(np.unique(values, axis=0)) == 6
    order = [4, 0, 0, 2]
    assert np.array_equal(store.of([records[n] for n in order]), values[order])
    assert not np.array_equal(store.of(records, "hflip", "levels"), store.of(records, "original", "levels"))


def test_many_are_read_as_few_are(store: FeatureStore, records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    few = store.of(records, "hflip")
    monkeypatch.setattr("dermoscope.features.tables._BATCH", 4)
    assert np.array_equal(store.of(records, "hflip"), few)


def test_maps(store: FeatureStore, records: list[Record]) -> None:
    maps = store.maps_of(records[:2], "hflip")
    assert maps.shape == (2, CHANNELS, 4, 4)
    assert maps.dtype == np.float16
    assert maps.astype(np.float32).mean(axis=(2, 3)) == pytest.approx(store.of(records[:2], "hflip"), abs=1e-2)


def test_a_manifest_with_sums_needs_no_file(
    store: FeatureStore, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [record.model_copy(update={"sha256": sha256_of(record.path)}) for record in records]
    values = store.of(records)

    def opened(*_: object, **__: object) -> None:
        pytest.fail("a file was opened")

    fresh = FeatureStore.open(store._database.uri, store.note.fingerprint)
    monkeypatch.setattr("dermoscope.features.store.read_image_file", opened)
    assert np.array_equal(fresh.of(known), values)


def test_no_images(store: FeatureStore) -> None:
    assert store.of([]).shape == (0, CHANNELS)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"view": "rot90"},
            r"mean of .*image00000.png in the view rot90 is not stored, nor of 5 others.*rot90",
        ),
        ({"column": "max"}, r"max is not stored of tiny at 32 px.*stored: mean, std, levels.*--columns max"),
    ],
)
def test_what_is_missing_is_named_with_the_command(
    asked: dict[str, str], message: str, store: FeatureStore, records: list[Record]
) -> None:
    with pytest.raises(FeatureError, match=message):
        store.of(records, **asked)


def test_an_image_that_was_never_embedded(store: FeatureStore, records: list[Record], tmp_path: Path) -> None:
    stranger, gone = write_pictures(tmp_path, 2, first=90)
    gone.path.unlink()
    with pytest.raises(FeatureError, match=r"image00090.png in the view original is not stored\. Make it with"):
        store.of([records[0], stranger])
    with pytest.raises(FeatureError, match=r"image00091.png does not exist"):
        store.of([gone])


def test_another_version_of_an_encoder_is_one_clear_line(uri: Path, encoder: EncoderFolder, tmp_path: Path) -> None:
    other = tiny_encoder(tmp_path, weights="b").description.fingerprint
    with pytest.raises(StoreError) as caught:
        FeatureStore.open(uri, other)
    message = str(caught.value)
    assert other in message
    assert f"it holds those of tiny at 32 px, squash (fingerprint {encoder.description.fingerprint})" in message
    assert "dermoscope embed" in message
    assert "\n" not in message


@pytest.mark.parametrize("what", ["absent", "empty", "foreign", "newer"])
def test_a_folder_that_is_no_store(what: str, encoder: EncoderFolder, tmp_path: Path) -> None:
    import pyarrow as pa

    place = tmp_path / "store"
    fingerprint = encoder.description.fingerprint
    note = b'{"schema_version": 2, "encoder": "e", "fingerprint": "f", "arithmetic": "a", "column": "c", "shape": [1]}'
    metadata = {"newer": {b"dermoscope": note}}
    if what != "absent":
        place.mkdir()
    if what in ("foreign", "newer"):
        import lancedb

        schema = pa.schema([("a", pa.int64())], metadata=metadata.get(what))
        lancedb.connect(place).create_table(f"{fingerprint}.mean", schema=schema)
    message = {
        "absent": "there is no store",
        "empty": "it is empty",
        "foreign": "was not written by dermoscope",
        "newer": "has layout 2, and this version of dermoscope knows 1; update",
    }[what]
    with pytest.raises(StoreError, match=message):
        FeatureStore.open(place, fingerprint)
    assert place.exists() == (what != "absent")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "lancedb":
            raise ModuleNotFoundError("No module named 'lancedb'", name="lancedb")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StoreError, match=r'lancedb is not installed; run: pip install "dermoscope\[store\]"'):
        Database(tmp_path)


def test_nearest(store: FeatureStore, records: list[Record]) -> None:
    values = store.of(records)
    pixels = store.pixels_of(records)
    found = store.nearest(values[2] * 3, 3)
    assert found[0][0] == pixels[records[2].path]
    assert found[0][1] == pytest.approx(0, abs=1e-5)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    expected: Sequence[float] = np.sort(1 - unit @ unit[2])[:3].tolist()
    assert [distance for _, distance in found] == pytest.approx(expected, abs=1e-5)


def test_all_columns_have_a_table(encoder: EncoderFolder, records: list[Record], tmp_path: Path) -> None:
    embed(records[:1], encoder, InlineEngine(), tmp_path, views=("original",), columns=COLUMNS)
    assert FeatureStore.open(tmp_path, encoder.description.fingerprint).columns() == COLUMNS


def test_an_object_store_uri(encoder: EncoderFolder, records: list[Record], tmp_path: Path) -> None:
    """The way of `s3://` and its like, on a local disk."""
    uri = f"file-object-store://{tmp_path}/store"
    for expected in (6, 0):
        engine = InlineEngine()
        embed(records, encoder, engine, uri, views=("original",), columns=("mean",))
        assert len(engine.seen) == expected
    assert FeatureStore.open(uri, encoder.description.fingerprint).of(records).shape == (6, CHANNELS)


class BusyTable:
    """A table into which others write at the same time: the first attempts to merge fail as LanceDB's do."""

    def __init__(self, table: Any, failures: int) -> None:
        self.table, self.failures, self.attempts = table, failures, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def merge_insert(self, key: str) -> Any:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise RuntimeError(
                "lance error: Too many concurrent writers. Attempted 2 times, but failed on retry_timeout"
            )
        return self.table.merge_insert(key)


def test_rows_wait_for_other_writers(
    encoder: EncoderFolder, records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermoscope.features.tables.time.sleep", lambda _: None)
    embed(records[:1], encoder, InlineEngine(), tmp_path, views=("original",), columns=("mean",))
    table = FeatureTable.open(Database(tmp_path), encoder.description.fingerprint, "mean")
    busy = BusyTable(table._table, failures=3)
    monkeypatch.setattr(table, "_table", busy)
    assert table.add([("ab", "original")], np.zeros((1, CHANNELS), np.float32)) == 1
    assert busy.attempts == 4
    assert table.count() == 2


def test_patience_with_other_writers_ends(
    encoder: EncoderFolder, records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermoscope.features.tables.time.sleep", lambda _: None)
    monkeypatch.setattr("dermoscope.features.tables._PATIENCE_S", -1.0)
    embed(records[:1], encoder, InlineEngine(), tmp_path, views=("original",), columns=("mean",))
    table = FeatureTable.open(Database(tmp_path), encoder.description.fingerprint, "mean")
    monkeypatch.setattr(table, "_table", BusyTable(table._table, failures=9))
    with pytest.raises(StoreError, match="Too many concurrent writers"):
        table.add([("ab", "original")], np.zeros((1, CHANNELS), np.float32))
