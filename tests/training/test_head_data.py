from __future__ import annotations

import numpy as np
import pytest

from dermoscope.features.errors import FeatureError
from dermoscope.training.head_data import DataError, head_data
from dermoscope.training.recipes import Recipe, load_head_recipe
from tests.training.tiny_heads import PER_CODE, SIZES, TinyFeatures, tiny_records

RECORDS = tiny_records()


def recipe(name: str = "graz-group", *changes: str) -> Recipe:
    return load_head_recipe(name, changes=changes)


def test_every_sample_is_its_own_image_and_view() -> None:
    data = head_data(recipe("graz-group", "sampling.train.per_class=9"), RECORDS, TinyFeatures(signal=100))
    assert np.bincount(data.train.labels).tolist() == [9, 8 + 1, 9, 9, 9]
    hot = data.train.features.argmax(axis=1)
    group_of = {0: 0, 1: 0, 2: 1, 3: 2, 6: 2, 4: 3, 5: 4}
    assert [group_of[place] for place in hot.tolist()] == data.train.labels.tolist()
    assert len(np.unique(data.train.features, axis=0)) == len(data.train.features)


def test_columns_are_joined() -> None:
    data = head_data(recipe("graz-group", "input.columns=[mean, levels]"), RECORDS, TinyFeatures())
    joined = SIZES["mean"] + SIZES["levels"]
    assert {part.shape[1] for part in (data.train.features, data.validation.features, data.features["val"])} == {joined}


def test_copies_are_used_where_the_recipe_says() -> None:
    natural = recipe("graz-malignancy", "sampling.train={kind: natural, views: [original, hflip]}",
                     "sampling.validation={kind: natural}")  # fmt: skip
    data = head_data(natural, RECORDS, TinyFeatures(stored=("original", "hflip")))
    answered = 7  # diagnoses, without NOT_SKIN
    assert len(data.train.labels) == 2 * answered * PER_CODE["train"]
    assert len(data.validation.labels) == answered * PER_CODE["val"]


def test_predictions_are_of_all_images_as_they_are() -> None:
    data = head_data(recipe(), RECORDS, TinyFeatures())
    assert {split: len(images) for split, images in data.images.items()} == {"val": 32, "test": 24}
    assert (data.labels["val"] == -1).sum() == PER_CODE["val"]
    expected = TinyFeatures().of(data.images["test"], "original", "mean")
    assert np.array_equal(data.features["test"], expected)


def test_a_manifest_without_test_images_is_fine() -> None:
    data = head_data(recipe(), [r for r in RECORDS if r.split != "test"], TinyFeatures())
    assert list(data.images) == ["val"]


def test_shuffled_labels_keep_their_frequencies() -> None:
    honest = head_data(recipe(), RECORDS, TinyFeatures())
    shuffled = head_data(recipe("graz-group", "shuffled_labels=true"), RECORDS, TinyFeatures())
    assert np.array_equal(honest.train.features, shuffled.train.features)
    for true, permuted in ((honest.train, shuffled.train), (honest.validation, shuffled.validation)):
        assert np.bincount(true.labels).tolist() == np.bincount(permuted.labels).tolist()
        assert true.labels.tolist() != permuted.labels.tolist()
    assert np.array_equal(honest.labels["val"], shuffled.labels["val"])


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (("NV", "MEL"), "at least two of melanocytic, .*; it has melanocytic"),
        (("NOT_SKIN",), "it has none"),
    ],
)
def test_too_few_classes_are_named(codes: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        head_data(recipe(), tiny_records(codes), TinyFeatures())


def test_a_validation_split_without_answers_is_named() -> None:
    with pytest.raises(DataError, match="the split val has no image whose answer to group"):
        head_data(recipe(), [r for r in RECORDS if r.split != "val"], TinyFeatures())


def test_a_feature_that_is_not_stored_is_found_before_training() -> None:
    with pytest.raises(FeatureError, match="dermoscope embed"):
        head_data(recipe(), RECORDS, TinyFeatures(stored=("original",)))
