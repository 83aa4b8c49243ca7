from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope.data.leakage.ids import same_ids, shared_groups
from dermoscope.data.manifest import Record


def record(image_id: str, source: str = "A", **fields: str) -> Record:
    return Record.model_validate(
        {"image_id": image_id, "path": Path(f"{source}/{image_id}.jpg"), "source": source} | fields
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ISIC_0000001", "ISIC_0000001", True),
        ("ISIC_0000001_downsampled", "ISIC_0000001", True),
        ("ISIC_0000001", "ISIC_0000002", False),
        ("12", "12", False),  # the twelfth image of one hospital is not that of another
    ],
)
def test_same_ids_across_sources(one: str, other: str, same: bool) -> None:
    findings = list(same_ids([record(one), record(other, "B"), record("bystander")]))
    assert len(findings) == same
    if same:
        assert findings[0].key == "ISIC_0000001"
        assert [member.source for member in findings[0].members] == ["A", "B"]


def test_a_bare_number_counts_within_its_source() -> None:
    assert len(list(same_ids([record("12"), record("12")]))) == 1


@pytest.mark.parametrize("column", ["lesion_id", "patient_id"])
@pytest.mark.parametrize(
    ("name", "sources", "splits", "found"),
    [
        ("HAM_1", ("A", "A"), ("train", "test"), True),
        ("HAM_1", ("A", "B"), ("train", "test"), True),
        ("HAM_1", ("A", "A"), ("train", "train"), False),
        ("HAM_1", ("A", "A"), ("train", ""), False),  # an image outside every split is on no side
        ("7", ("A", "A"), ("train", "test"), True),
        ("7", ("A", "B"), ("train", "test"), False),
        ("", ("A", "A"), ("train", "test"), False),
    ],
)
def test_shared_groups(column: str, name: str, sources: tuple[str, str], splits: tuple[str, str], found: bool) -> None:
    rows = [
        record(image_id, source, **{column: name, "split": split})
        for image_id, source, split in zip("ab", sources, splits, strict=True)
    ]
    findings = list(shared_groups(rows))
    assert len(findings) == found
    if found:
        assert findings[0].key == f"{column.removesuffix('_id')} {name}"


def test_a_lesion_and_a_patient_of_the_same_images_are_one_finding() -> None:
    rows = [record(name, lesion_id="L", patient_id="P", split=split) for name, split in (("a", "train"), ("b", "val"))]
    assert len(list(shared_groups(rows))) == 1


def test_a_patient_with_two_lesions_on_two_sides_is_found() -> None:
    rows = [
        record(name, lesion_id=f"L{name}", patient_id="P", split=split)
        for name, split in (("a", "train"), ("b", "val"))
    ]
    (finding,) = shared_groups(rows)
    assert finding.key == "patient P"
