"""Embeddings are computed once, an interrupted build goes on, and another training's cache is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dermoscope.data.manifest import Record
from dermoscope.encoders.inputs import prepare
from dermoscope.engine import compile_graph
from dermoscope.images import decode
from dermoscope.training import kept_arrays
from dermoscope.training.embedding_cache import EmbeddingCache
from dermoscope.training.kept_arrays import CacheError
from dermoscope.training.recipes.augmentation import AugmentationPart
from tests.features.tiny_encoder import CELLS, CHANNELS, tiny_encoder
from tests.training.tiny_masks import pictures


def cache(
    tmp_path: Path, records: list[Record], *, weights: str = "a", copies: int = 2, seed: int = 0
) -> EmbeddingCache:
    encoder = tiny_encoder(tmp_path / f"encoder-{weights}", weights=weights)
    return EmbeddingCache(tmp_path / "cache", encoder, records, AugmentationPart(), copies=copies, seed=seed)


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return pictures(tmp_path / "images", ("train",) * 5)


def test_the_first_copy_is_the_image_as_it_is(tmp_path: Path, records: list[Record]) -> None:
    kept = cache(tmp_path, records)
    kept.fill()
    assert kept.missing == 0
    embeddings, masks = kept.rows(np.array([3, 0]), 0)
    assert embeddings.shape == (2, CHANNELS, CELLS, CELLS)
    assert masks.shape == (2, 4 * CELLS, 4 * CELLS)
    encoder = tiny_encoder(tmp_path / "encoder-a")
    prepared = prepare(decode(records[3].path).rgb, encoder.description.contract)
    found = compile_graph(encoder.graph)({"image": prepared.image, "pool_weights": prepared.pool_weights})
    np.testing.assert_allclose(embeddings[0], found["embedding"][0], atol=2e-2)
    truth = decode(records[3].mask_path or "").rgb[..., 0] > 128
    assert masks[0].mean() / 255 == pytest.approx(truth.mean(), abs=0.01)


def test_other_copies_are_changed_together_with_their_masks(tmp_path: Path, records: list[Record]) -> None:
    kept = cache(tmp_path, records, copies=3)
    kept.fill()
    every = np.arange(5)
    masks = [kept.rows(every, copy)[1] for copy in range(3)]
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[1], masks[2])
    assert all(mask.any() for copy in masks for mask in copy)


def test_rows_come_in_the_order_they_are_asked_for(tmp_path: Path, records: list[Record]) -> None:
    kept = cache(tmp_path, records)
    kept.fill()
    order = np.array([4, 1, 3, 0, 2])
    mixed, sorted_ = kept.rows(order, 1), kept.rows(np.arange(5), 1)
    np.testing.assert_array_equal(mixed[0], sorted_[0][order])
    np.testing.assert_array_equal(mixed[1], sorted_[1][order])


def test_an_interrupted_build_goes_on(tmp_path: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cache(tmp_path / "whole", records)
    whole.fill()
    monkeypatch.setattr(kept_arrays, "_BLOCK", 2)
    broken = cache(tmp_path, records)

    def stop(done: int, _total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.fill(on_progress=stop)
    again = cache(tmp_path, records)
    assert again.missing == 4
    seen: list[Any] = []
    again.fill(on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(8, 10), (10, 10)]
    for copy in range(2):
        for ours, theirs in zip(again.rows(np.arange(5), copy), whole.rows(np.arange(5), copy), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("change", [{"weights": "b"}, {"copies": 3}, {"seed": 1}])
def test_a_cache_of_another_training_is_refused(tmp_path: Path, records: list[Record], change: dict[str, Any]) -> None:
    cache(tmp_path, records)
    with pytest.raises(CacheError, match=r"other images or settings"):
        cache(tmp_path, records, **change)
    with pytest.raises(CacheError, match=r"other images or settings"):
        cache(tmp_path, records[1:])


def test_no_room_is_said_before_the_start(
    tmp_path: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(CacheError, match=r"are needed, but only 1\.0 kB are free; .* --cache"):
        cache(tmp_path, records)
    assert not (tmp_path / "cache" / "embeddings.f16").exists()


def test_a_small_cache_needs_a_small_room(
    tmp_path: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10_000_000))
    assert cache(tmp_path, records).bytes < 9_000_000


def test_a_mask_of_another_size_is_named(tmp_path: Path, records: list[Record]) -> None:
    other = pictures(tmp_path / "others", ("train",), width=30, height=30)[0]
    wrong = records[0].model_copy(update={"mask_path": other.mask_path})
    with pytest.raises(ValueError, match=r"lesion_0_mask.png is 30x30, its image is 64x48"):
        cache(tmp_path, [wrong]).fill()
