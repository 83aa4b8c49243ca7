"""Squares are cut once, from the masks that the recipe names, and other squares are not taken for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermoscope.camnet.lesion_views import lesion_views
from dermoscope.cli import main
from dermoscope.data.manifest import Record
from dermoscope.images import decode, read_mask
from dermoscope.images.lesion_crops import cut
from dermoscope.training.crop_images import CropCache, key_of
from dermoscope.training.kept_arrays import CacheError
from tests.training.tiny_crops import diagnosed, small_recipe


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return diagnosed(tmp_path / "images", ("train",) * 4)


def test_a_cache_gives_what_was_cut(tmp_path: Path, records: list[Record]) -> None:
    recipe = small_recipe()
    cache = CropCache(tmp_path / "cache", records, recipe)
    assert (cache.side, cache.missing()) == (80, 4)
    assert cache.try_one() > 0
    assert cache.missing() == 4
    cache.fill()
    assert cache.missing() == 0
    crops, masks = cache.rows(np.array([2, 0]))
    mask = read_mask(records[2].mask_path or Path())
    squares, lesions, _ = lesion_views(decode(records[2].path).rgb, mask, recipe.cleaning, recipe.crops, 80)
    np.testing.assert_array_equal(crops[0], squares)
    np.testing.assert_array_equal(masks[0], lesions)
    assert CropCache(tmp_path / "cache", records, recipe).missing() == 0


@pytest.mark.parametrize(
    "change", ["model.size=96", "crops.middle=0.5", "crops.names=[full]", "cleaning.colour_constancy=true"]
)
def test_a_cache_of_other_crops_is_refused(tmp_path: Path, records: list[Record], change: str) -> None:
    CropCache(tmp_path / "cache", records, small_recipe())
    with pytest.raises(CacheError, match="other images or settings"):
        CropCache(tmp_path / "cache", records, small_recipe(change))


def test_a_cache_of_other_masks_is_refused(tmp_path: Path, records: list[Record]) -> None:
    CropCache(tmp_path / "cache", records, small_recipe())
    assert records[1].mask_path is not None
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(records[1].mask_path)
    with pytest.raises(CacheError, match="other images or settings"):
        CropCache(tmp_path / "cache", records, small_recipe())


def test_predicted_masks_come_from_a_results_folder(
    tmp_path: Path, records: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(record.path) for record in records]
    assert main(["segment", *paths[:3], "--out", str(tmp_path / "found"), "--quiet"]) == 0
    capsys.readouterr()
    recipe = small_recipe("crops.masks=folder")
    without = [record.model_copy(update={"mask_path": None}) for record in records]
    cache = CropCache(tmp_path / "cache", without[:3], recipe, tmp_path / "found")
    cache.fill()
    written = {path.stem for path in (tmp_path / "found" / "masks").glob("*.png")}
    for record, lesions in zip(without[:3], cache.rows(np.arange(3))[1], strict=True):
        assert lesions.any() == (record.image_id in written)
    with pytest.raises(ValueError, match=r"does not know lesion_3; run dermoscope segment"):
        CropCache(tmp_path / "other", without, recipe, tmp_path / "found")
    with pytest.raises(ValueError, match=r"has no segments\.jsonl"):
        CropCache(tmp_path / "other", without, recipe, tmp_path)
    with pytest.raises(ValueError, match=r"name it with --masks"):
        CropCache(tmp_path / "other", without, recipe)


def test_a_missing_mask_says_where_to_get_one(tmp_path: Path, records: list[Record]) -> None:
    without = [record.model_copy(update={"mask_path": None}) for record in records]
    with pytest.raises(ValueError, match=r"lesion_0 has no mask in the manifest; .*--masks"):
        CropCache(tmp_path / "cache", without, small_recipe())
    needless = small_recipe("crops.names=[full]", "loss.lesion_focus=0", "crops.masks=none")
    CropCache(tmp_path / "cache", without, needless).fill()


@pytest.mark.parametrize("masks", ["manifest", "classical"])
def test_squares_without_masks_are_not_taken_for_those_with(tmp_path: Path, records: list[Record], masks: str) -> None:
    plain = ("crops.names=[full]", "loss.lesion_focus=0")
    CropCache(tmp_path / "cache", records, small_recipe(*plain, "crops.masks=none")).fill()
    focused = small_recipe("crops.names=[full]", f"crops.masks={masks}")
    with pytest.raises(CacheError, match=r"made of other images or settings"):
        CropCache(tmp_path / "cache", records, focused)
    # Losses share squares: what one of them left is what another finds.
    cache = CropCache(tmp_path / "other", records, small_recipe(*plain, f"crops.masks={masks}"))
    cache.fill()
    assert cache.rows(np.arange(len(records)))[1].any()
    assert CropCache(tmp_path / "other", records, focused).missing() == 0


def test_another_image_under_the_same_name_is_noticed(tmp_path: Path, records: list[Record]) -> None:
    CropCache(tmp_path / "cache", records, small_recipe()).fill()
    Image.effect_noise((64, 48), 60).convert("RGB").save(records[0].path)
    with pytest.raises(CacheError, match=r"made of other images or settings"):
        CropCache(tmp_path / "cache", records, small_recipe())


def test_a_mask_of_another_size_is_named(tmp_path: Path, records: list[Record]) -> None:
    assert records[0].mask_path is not None
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(records[0].mask_path)
    cache = CropCache(tmp_path / "cache", records, small_recipe())
    with pytest.raises(ValueError, match=r"lesion_0_mask\.png is 9x9, its image .* is 64x48"):
        cache.fill()


def test_some_images_are_cut_and_others_later(tmp_path: Path, records: list[Record]) -> None:
    cache = CropCache(tmp_path / "cache", records, small_recipe())
    some = cache.rows_of([records[2], records[0]])
    assert some.tolist() == [2, 0]
    seen: list[tuple[int, int]] = []
    cache.fill(some, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 2)]
    assert cache.missing(some) == 0
    assert cache.missing() == len(records) - 2
    assert cache.rows(np.array([0]))[0].any()
    assert not cache.rows(np.array([1]))[0].any()


def test_where_a_network_looks_again_is_cut(tmp_path: Path, records: list[Record]) -> None:
    recipe = small_recipe("crops.names=[look]", "crops.masks=none", "loss.lesion_focus=0", "crops.room=1")
    looks = {key_of(record): (number, 2, number + 30, 32) for number, record in enumerate(records)}
    cache = CropCache(tmp_path / "cache", records, recipe, looks=looks)
    cache.fill()
    assert cache.boxes(np.array([3, 1])).tolist() == [[[3, 2, 33, 32]], [[1, 2, 31, 32]]]
    np.testing.assert_array_equal(
        cache.rows(np.array([1]))[0][0, 0], cut(decode(records[1].path).rgb, looks[key_of(records[1])], 64)
    )
    others = {**looks, key_of(records[0]): (0, 0, 20, 20)}
    with pytest.raises(CacheError, match=r"made of other images or settings"):
        CropCache(tmp_path / "cache", records, recipe, looks=others)
