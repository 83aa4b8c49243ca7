from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dermoscope.data.leakage import Finding, Kind, LeakReport, check_leaks
from dermoscope.data.manifest import Record
from tests.data.leakage.planted import CHANGES, lesion_picture, save_jpeg

BYSTANDERS = 6


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for seed in range(BYSTANDERS):
        save_jpeg(lesion_picture(seed), folder / f"lesion_{seed}.jpg", 90)
    return folder


@pytest.fixture
def train(originals: Path) -> list[Record]:
    return [Record(image_id=path.stem, path=path, source="A", split="train") for path in sorted(originals.iterdir())]


def kinds(report: LeakReport) -> list[Kind]:
    return [finding.kind for finding in report.findings]


def only(report: LeakReport) -> Finding:
    (finding,) = report.findings
    return finding


def test_different_lesions_are_no_finding(train: list[Record]) -> None:
    report = check_leaks(train)
    assert not report.findings
    assert report.images == BYSTANDERS
    assert report.looked_at_pictures


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change: str, train: list[Record], tmp_path: Path) -> None:
    copy = save_jpeg(CHANGES[change](lesion_picture(2)), tmp_path / "copy.jpg")
    finding = only(check_leaks([*train, Record(image_id="other", path=copy, source="B", split="test")]))
    assert finding.kind is Kind.NEAR_DUPLICATE
    assert {member.image_id for member in finding.members} == {"lesion_2", "other"}
    assert finding.is_leak
    assert finding.splits == ("test", "train")
    assert finding.similarity is not None
    assert 0.7 <= finding.similarity <= 1


@pytest.mark.parametrize(
    ("change", "orientation"),
    [
        ("re-encoded", "as it is"),
        ("flipped left to right", "flipped left to right"),
        ("turned by 90", "turned by 90° clockwise"),  # np.rot90 turns the other way, this turns it back
        ("turned by 270", "turned by 90° anticlockwise"),
    ],
)
@pytest.mark.parametrize("copy_first", [True, False])
def test_the_orientation_says_how_to_turn_the_second_image_back(
    change: str, orientation: str, copy_first: bool, tmp_path: Path
) -> None:
    plain = Record(image_id="plain", path=save_jpeg(lesion_picture(2), tmp_path / "plain.jpg"))
    copy = Record(image_id="copy", path=save_jpeg(CHANGES[change](lesion_picture(2)), tmp_path / "copy.jpg", 60))
    rows = [copy, plain] if copy_first else [plain, copy]
    inverse = {"turned by 90° clockwise": "turned by 90° anticlockwise"}
    inverse |= {value: key for key, value in inverse.items()}
    assert only(check_leaks(rows)).orientation == (inverse.get(orientation, orientation) if copy_first else orientation)


def test_a_copied_file_is_found_as_such(train: list[Record], tmp_path: Path) -> None:
    copy = tmp_path / "renamed.jpg"
    shutil.copy(train[1].path, copy)
    finding = only(check_leaks([*train, Record(image_id="renamed", path=copy, split="val")]))
    assert finding.kind is Kind.SAME_FILE
    assert len(finding.key) == 64
    assert finding.is_leak


def test_the_same_id_is_found_without_its_suffix(train: list[Record], tmp_path: Path) -> None:
    other = save_jpeg(lesion_picture(99), tmp_path / "lesion_3_downsampled.jpg")
    finding = only(check_leaks([*train, Record(image_id=other.stem, path=other, source="B", split="test")]))
    assert (finding.kind, finding.key) == (Kind.SAME_ID, "lesion_3")


def test_one_file_in_two_manifests_is_told_once(train: list[Record]) -> None:
    finding = only(check_leaks([*train, train[0].model_copy(update={"split": "test", "source": "B"})]))
    assert finding.kind is Kind.SAME_ID


@pytest.mark.parametrize("column", ["lesion_id", "patient_id"])
def test_a_group_on_both_sides_is_a_leak(column: str, train: list[Record]) -> None:
    rows = [record.model_copy(update={column: "L1"}) for record in train[:2]]
    assert not check_leaks(rows).findings  # within one split a lesion may have many images
    rows[1] = rows[1].model_copy(update={"split": "val"})
    assert kinds(check_leaks(rows)) == [Kind.SAME_GROUP]


def test_a_near_duplicate_says_what_else_tells_it(train: list[Record], tmp_path: Path) -> None:
    copy = save_jpeg(lesion_picture(0), tmp_path / "copy.jpg")
    rows = [train[0].model_copy(update={"lesion_id": "L"}), Record(image_id="b", path=copy, lesion_id="L")]
    report = check_leaks(rows)
    assert only(report).also == (Kind.SAME_GROUP,)
    assert report.counts()["near-duplicate"]["findings"] == 1
    assert report.counts()["near-duplicate, told by nothing else"]["findings"] == 0


def test_a_duplicate_within_one_split_is_a_finding_but_no_leak(train: list[Record], tmp_path: Path) -> None:
    copy = save_jpeg(lesion_picture(0), tmp_path / "copy.jpg")
    report = check_leaks([*train, Record(image_id="copy", path=copy, split="train")])
    assert kinds(report) == [Kind.NEAR_DUPLICATE]
    assert not report.leaks


def test_a_copy_of_a_copied_file_leaks_through_any_of_its_rows(train: list[Record], tmp_path: Path) -> None:
    shutil.copy(train[0].path, tmp_path / "twin.jpg")
    near = save_jpeg(lesion_picture(0), tmp_path / "near.jpg")
    rows = [
        train[0],
        Record(image_id="twin", path=tmp_path / "twin.jpg", split="test"),
        Record(image_id="near", path=near, split="train"),
    ]
    report = check_leaks(rows)
    assert kinds(report) == [Kind.SAME_FILE, Kind.NEAR_DUPLICATE]
    assert all(finding.is_leak for finding in report.findings)


def test_unreadable_and_even_images_are_named(train: list[Record], tmp_path: Path) -> None:
    broken, even = tmp_path / "broken.jpg", tmp_path / "even.jpg"
    broken.write_bytes(b"no image")
    save_jpeg(lesion_picture(0) * 0 + 90, even)
    rows = [*train, *(Record(image_id=path.stem, path=path) for path in (broken, even, tmp_path / "missing.jpg"))]
    report = check_leaks(rows)
    assert set(report.unreadable) == {str(broken), str(tmp_path / "missing.jpg")}
    assert report.unreadable[str(tmp_path / "missing.jpg")] == "does not exist"
    assert report.featureless == [str(even)]
    assert not report.findings


def test_without_pictures_no_file_is_opened() -> None:
    rows = [Record(image_id="a", path=Path("nowhere.jpg"), split=split) for split in ("train", "test")]
    report = check_leaks(rows, pictures=False)
    assert kinds(report) == [Kind.SAME_ID]
    assert not report.looked_at_pictures


def test_no_records() -> None:
    assert check_leaks([]).findings == ()


def test_a_turned_copy_across_splits_is_a_leak(train: list[Record], tmp_path: Path) -> None:
    copy = save_jpeg(CHANGES["turned by 90"](lesion_picture(4)), tmp_path / "copy.jpg")
    report = check_leaks([*train, Record(image_id="copy", path=copy, split="val")])
    (leak,) = report.leaks
    assert [(member.image_id, member.split) for member in leak.members] == [("lesion_4", "train"), ("copy", "val")]
    assert report.counts()["near-duplicate"]["leaks"] == 1
    assert report.between_splits() == {"train, val": 1}
    assert not check_leaks(train).leaks


def test_progress_comes_to_an_end(train: list[Record]) -> None:
    steps: list[tuple[str, float]] = []
    check_leaks(train, on_progress=lambda name, share: steps.append((name, share)))
    assert ("reading", 1.0) in steps
    assert steps[-1] == ("comparing", 1.0)
