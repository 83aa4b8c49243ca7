from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermoscope.data.leakage import Kind
from dermoscope.data.manifest import Record
from dermoscope.files import sha256_of
from dermoscope.training import leaks
from dermoscope.training.leaks import LEAK_CHECK_NAME, LeakCheck, LeaksFoundError, check_before_training, decide
from tests.data.leakage.planted import lesion_picture, save_jpeg
from tests.training.leaky import LEAKS, SPLITS, clean_records, manifest_of


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return clean_records(tmp_path / "images")


def checked(records: list[Record], folder: Path) -> LeakCheck:
    return check_before_training(manifest_of(records, folder), folder / "training")


def test_without_a_leak_training_goes_on(records: list[Record], tmp_path: Path) -> None:
    decision = decide(checked(records, tmp_path))
    assert decision.leaks == 0
    assert set(decision.by_kind.values()) == {0}
    assert decision.images == len(SPLITS)
    assert (decision.allowed, decision.reason) == (False, "")
    assert decision.compared == ("image ids", "lesions and patients", "files", "pictures")


@pytest.mark.parametrize("kind", LEAKS)
def test_a_planted_leak_refuses(kind: Kind, records: list[Record], tmp_path: Path) -> None:
    planted = LEAKS[kind](records[0], tmp_path / "images")
    check = checked([*records, planted], tmp_path)
    with pytest.raises(LeaksFoundError) as refused:
        decide(check)
    said = str(refused.value)
    assert said.startswith(
        f"manifest.csv: leaks between splits: 1, such as lesion_0 (train) and {planted.image_id} (test): {kind.value}. "
    )
    assert '--allow-leaks "reason"' in said
    assert refused.value.check is check
    (leak,) = check.leaks
    assert leak.kind is kind
    assert {(image.image_id, image.split) for image in leak.images} == {("lesion_0", "train"), planted_at(planted)}
    assert (leak.similarity is not None) == (kind is Kind.NEAR_DUPLICATE)


def planted_at(record: Record) -> tuple[str, str]:
    return record.image_id, record.split


@pytest.mark.parametrize("kind", LEAKS)
def test_the_same_within_one_split_is_no_leak(kind: Kind, records: list[Record], tmp_path: Path) -> None:
    planted = LEAKS[kind](records[0], tmp_path / "images").model_copy(update={"split": "train"})
    assert decide(checked([*records, planted], tmp_path)).leaks == 0


def test_the_message_names_the_first_few(records: list[Record], tmp_path: Path) -> None:
    twins = [
        Record(
            image_id=record.image_id,
            path=save_jpeg(lesion_picture(50 + number), tmp_path / f"{number}.jpg"),
            split="train" if record.split == "test" else "test",
        )
        for number, record in enumerate(records)
    ]
    check = checked([*records, *twins], tmp_path)
    with pytest.raises(
        LeaksFoundError, match=r": 5, such as lesion_0 .*; lesion_1 .*; lesion_2 .*same id\. "
    ) as refused:
        decide(check)
    assert "lesion_3" not in str(refused.value)


def test_a_reason_lets_training_go_on_and_is_kept(records: list[Record], tmp_path: Path) -> None:
    planted = LEAKS[Kind.SAME_FILE](records[0], tmp_path / "images")
    decision = decide(checked([*records, planted], tmp_path), " to compare with a published split ")
    assert (decision.allowed, decision.reason) == (True, "to compare with a published split")
    assert decision.leaks == 1
    assert decision.by_kind[Kind.SAME_FILE] == 1
    assert decision.between_splits == {"test, train": 1}


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_reason_says_something(reason: str, records: list[Record], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--allow-leaks: expected a reason"):
        decide(checked(records, tmp_path), reason)


def test_the_result_is_kept_without_paths(records: list[Record], tmp_path: Path) -> None:
    planted = LEAKS[Kind.NEAR_DUPLICATE](records[0], tmp_path / "images")
    check = checked([*records, planted], tmp_path)
    kept = (tmp_path / "training" / LEAK_CHECK_NAME).read_text()
    assert [file.name for file in (tmp_path / "training").iterdir()] == [LEAK_CHECK_NAME]
    assert LeakCheck.model_validate_json(kept) == check
    assert check.manifest_sha256 == sha256_of(tmp_path / "manifest.csv")
    assert str(tmp_path) not in kept


def test_what_cannot_be_opened_is_counted(records: list[Record], tmp_path: Path) -> None:
    records[1].path.write_bytes(b"no image")
    check = checked(records, tmp_path)
    assert (check.images, check.unreadable, decide(check).unreadable) == (len(SPLITS), 1, 1)


def test_a_second_run_does_not_pay_again(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = LEAKS[Kind.SAME_FILE](records[0], tmp_path / "images")
    first = checked([*records, planted], tmp_path)
    monkeypatch.delattr(leaks, "check_leaks")
    again = check_before_training(tmp_path / "manifest.csv", tmp_path / "training")
    assert again == first
    with pytest.raises(LeaksFoundError):
        decide(again)


def test_another_manifest_is_checked_anew(records: list[Record], tmp_path: Path) -> None:
    assert not checked(records, tmp_path).leaks
    assert checked([*records, LEAKS[Kind.SAME_FILE](records[0], tmp_path / "images")], tmp_path).leaks


@pytest.mark.parametrize(
    "damage", [{"version": "0.0"}, {"schema_version": 9}, {"leaks": "none"}, {"manifest_sha256": "0"}], ids=str
)
def test_a_result_of_another_check_is_not_trusted(
    damage: dict[str, object], records: list[Record], tmp_path: Path
) -> None:
    planted = LEAKS[Kind.SAME_FILE](records[0], tmp_path / "images")
    honest = checked([*records, planted], tmp_path)
    kept = tmp_path / "training" / LEAK_CHECK_NAME
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"leaks": []} | damage))
    assert check_before_training(tmp_path / "manifest.csv", tmp_path / "training") == honest
    assert LeakCheck.model_validate_json(kept.read_bytes()) == honest


def test_half_a_file_is_no_result(records: list[Record], tmp_path: Path) -> None:
    honest = checked(records, tmp_path)
    kept = tmp_path / "training" / LEAK_CHECK_NAME
    kept.write_bytes(kept.read_bytes()[:100])
    assert check_before_training(tmp_path / "manifest.csv", tmp_path / "training") == honest
