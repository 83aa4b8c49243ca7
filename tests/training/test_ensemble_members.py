from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dermoscope.data.manifest import Record
from dermoscope.training.cam_description import CAMRunError
from dermoscope.training.ensemble_members import Members, read_members
from dermoscope.training.recipes import EnsembleRecipe, load_recipe
from tests.training.tiny_members import tiny_member

MANIFEST = Path("manifest.csv")
CODES = ("NV", "MEL", "BCC", "AKIEC", "NOT_SKIN")
RECORDS = [
    Record(image_id=f"lesion_{number}", path=Path(f"{number}.png"), diagnosis=CODES[number % 5], split=split)
    for number, split in enumerate(("train",) * 5 + ("val",) * 10 + ("test",) * 5)
]

Changes = Callable[[Record], Record | None]


def ensemble_recipe(*changes: str) -> EnsembleRecipe:
    recipe = load_recipe("ensemble-binary", changes=changes)
    assert isinstance(recipe, EnsembleRecipe)
    return recipe


def two_members(folder: Path, recipe: str = "cam-three-class", records: Sequence[Record] = RECORDS) -> list[Path]:
    return [tiny_member(folder / f"member-{seed}", records, recipe, seed) for seed in (1, 2)]


def changed(name: str, **changes: object) -> Changes:
    return lambda record: record.model_copy(update=changes) if record.image_id == name else record


def read(folders: Sequence[Path], change: Changes = lambda record: record, *settings: str) -> Members:
    records = [made for record in RECORDS if (made := change(record))]
    return read_members(ensemble_recipe(*settings), folders, records, MANIFEST)


def test_what_members_say_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    members = read(two_members(tmp_path))
    assert (members.names, members.crops) == (("member-1", "member-2"), ("tight", "full"))
    assert members.task.classes == ("BCC", "MEL", "AKIEC")
    validation = members.answers["val"]
    assert [record.image_id for record in validation.images] == [f"lesion_{n}" for n in (6, 7, 8, 11, 12, 13)]
    assert validation.labels.tolist() == [1, 0, 2, 1, 0, 2]
    assert validation.probabilities.shape == (2, 2, 6, 3)
    np.testing.assert_allclose(validation.probabilities.sum(axis=-1), 1)
    assert set(members.answers) == {"val", "test"}


def test_a_split_that_nobody_has_is_none(tmp_path: Path) -> None:
    records = [record for record in RECORDS if record.split != "test"]
    folders = two_members(tmp_path, records=records)
    members = read_members(ensemble_recipe(), folders, records, MANIFEST)
    assert set(members.answers) == {"val"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            changed("lesion_7", diagnosis="NV"),
            r"has answers for lesion_7 of the split val, but manifest\.csv gives lesion_7 the diagnosis NV, which is "
            r"no answer to cancer; give the --manifest that",
        ),
        (changed("lesion_7", diagnosis=""), r"gives lesion_7 the diagnosis unknown"),
        (changed("lesion_7", split="train"), r"manifest\.csv has lesion_7 in the split train"),
        (changed("lesion_7", image_id="other"), r"lesion_7 of the split val, but manifest\.csv has no such image"),
        (changed("lesion_5", diagnosis="MEL"), r"has no answer for lesion_5, which manifest\.csv has in the split val"),
        (
            lambda record: None if record.split == "test" else record,
            r"has answers for lesion_16 and 2 more images of the split test, but manifest\.csv has no such image",
        ),
    ],
)
def test_another_manifest_is_refused(change: Changes, message: str, tmp_path: Path) -> None:
    with pytest.raises(CAMRunError, match=message):
        read(two_members(tmp_path), change)


def test_test_images_that_no_member_has_seen_are_refused(tmp_path: Path) -> None:
    folders = two_members(tmp_path, records=[record for record in RECORDS if record.split != "test"])
    with pytest.raises(
        CAMRunError, match=r"member-1 has no answer for lesion_16 and 2 more images, which manifest\.csv"
    ):
        read(folders)


def test_a_missing_crop_is_refused(tmp_path: Path) -> None:
    folders = two_members(tmp_path)
    crops = folders[1] / "crops.csv"
    lines = crops.read_text().splitlines(keepends=True)
    crops.write_text("".join(line for line in lines if not line.startswith("lesion_7,val,full")))
    with pytest.raises(CAMRunError, match=r"member-2 has not all crops of lesion_7 in crops\.csv"):
        read(folders)


def test_an_ensemble_needs_validation_images(tmp_path: Path) -> None:
    records = [record for record in RECORDS if record.split != "val"]
    with pytest.raises(CAMRunError, match=r"crops\.csv has no images of the split val"):
        read_members(ensemble_recipe(), two_members(tmp_path, records=records), records, MANIFEST)


def test_masses_weighted_by_accuracy_are_for_two_classes(tmp_path: Path) -> None:
    folders = two_members(tmp_path)
    message = r"masses: accuracy weighted is defined for two classes, and the members have 3 \(BCC, MEL, AKIEC\); take"
    with pytest.raises(ValueError, match=message):
        read(folders, lambda record: record, "masses=accuracy weighted")
    assert read(folders, lambda record: record, "masses=discounted").task.name == "cancer"
