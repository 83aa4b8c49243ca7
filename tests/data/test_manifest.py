from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from dermoscope.data.manifest import (
    COLUMNS,
    TASK_COLUMNS,
    ManifestError,
    Record,
    check_manifest,
    manifest_problems,
    read_manifest,
    write_manifest,
)
from tests.data.fake_layouts import fake_image, fake_mask


def records(folder: Path) -> list[Record]:
    full = Record(
        image_id="ISIC_1",
        path=folder / "images" / "ISIC_1, copy.jpg",
        mask_path=folder / "masks" / "ISIC_1.png",
        diagnosis="MEL",
        source="HAM10000",
        lesion_id="HAM_1",
        patient_id="P1",
        split="train",
        age=42.5,
        sex="female",
        site="lower extremity",
        skin_tone="type II",
        sha256="0" * 64,
    )
    return [full, Record(image_id="b", path=folder / "b.jpg"), Record(image_id="Hautärztin", path=folder / "ä.jpg")]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("place", [".", "elsewhere/deep"])
def test_what_is_written_is_read_back(ending: str, place: str, tmp_path: Path) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    target = tmp_path / place / f"manifest.{ending}"
    assert write_manifest(records(tmp_path), target) == 3
    assert list(read_manifest(target)) == records(tmp_path)
    assert [path.name for path in target.parent.glob("*manifest*")] == [target.name]


def test_a_manifest_moves_with_its_files(tmp_path: Path) -> None:
    write_manifest(records(tmp_path / "old"), tmp_path / "old" / "manifest.csv")
    (tmp_path / "old").rename(tmp_path / "new")
    assert list(read_manifest(tmp_path / "new" / "manifest.csv")) == records(tmp_path / "new")


def test_relative_records_start_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_manifest([Record(image_id="a", path=Path("data/a.jpg"))], Path("out/manifest.csv"))
    (record,) = read_manifest(Path("out/manifest.csv"))
    assert record.path == tmp_path / "data" / "a.jpg"


def test_the_header_and_empty_cells(tmp_path: Path) -> None:
    write_manifest([Record(image_id="b", path=tmp_path / "b.jpg")], tmp_path / "manifest.csv")
    header, row = (tmp_path / "manifest.csv").read_bytes().decode().split("\n")[:2]
    assert header == ",".join(COLUMNS)
    assert row == "b,b.jpg" + "," * (len(COLUMNS) - 2)


def test_nothing_is_left_half_written(tmp_path: Path) -> None:
    def breaking() -> Iterator[Record]:
        yield records(tmp_path)[0]
        raise OSError("the disk is gone")

    (tmp_path / "manifest.csv").write_text("old")
    with pytest.raises(OSError, match="gone"):
        write_manifest(breaking(), tmp_path / "manifest.csv")
    assert (tmp_path / "manifest.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"manifest\.xlsx: is none of"):
        write_manifest([], tmp_path / "manifest.xlsx")


def test_a_column_of_paths_is_enough(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("path\nphotos/one.jpg\n/two.png\n")
    assert [(r.image_id, r.path) for r in read_manifest(tmp_path / "own.csv")] == [
        ("one", tmp_path / "photos" / "one.jpg"),
        ("two", Path("/two.png")),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,colour\na.jpg,red\n", r"row 1: 'colour' is no column .*knows image_id, path"),
        ("image_id\na\n", r"column path: is missing"),
        ("", r"is empty"),
        ("path,age\na.jpg,1\nb.jpg,old\n", r"row 3, column age: 'old'"),
        ("path,image_id\n,a\n", r"row 2, column path: is empty"),
        ("path\na.jpg,more\n", r"row 2: has 2 cells"),
        ("path,diagnosis\na.jpg,melanom\n", r"row 2, column diagnosis: 'melanom'"),
    ],
)
def test_a_wrong_manifest_names_file_row_and_column(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(ManifestError, match=r"(?s)manifest\.csv.*" + message):
        list(read_manifest(tmp_path / "manifest.csv"))


def test_every_problem_is_listed_by_row_and_column(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "b_downsampled.jpg"):
        fake_image(tmp_path / name)
    fake_mask(tmp_path / "a.png", tmp_path / "a.jpg")
    (tmp_path / "own.csv").write_text(
        "path,mask_path,diagnosis,age,split,dx\n"
        "a.jpg,a.png,MEL,40,train,\n"
        "b.jpg,no.png,mel,old,all,\n"
        "gone.jpg,,NV,,,\n"
        "b_downsampled.jpg,,NV,,,\n"
        "short\n"
        ",,,,test,\n"
        "a.jpg,,,200,,\n"
    )
    found = [(p.row, p.column) for p in manifest_problems(tmp_path / "own.csv", needs=("diagnosis", "lesion_id"))]
    assert found == [
        (1, "lesion_id"),
        (1, ""),
        (3, "diagnosis"),
        (3, "age"),
        (3, "split"),
        (3, "mask_path"),
        (4, "path"),
        (5, "image_id"),
        (6, ""),
        (7, "path"),
        (7, "diagnosis"),
        (8, "diagnosis"),
        (8, "age"),
        (8, "image_id"),
    ]
    with pytest.raises(ManifestError) as caught:
        check_manifest(tmp_path / "own.csv", needs=("diagnosis", "lesion_id"))
    assert len(caught.value.problems) == len(found)


def test_files_are_left_alone_when_asked(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("path\ngone.jpg\n")
    assert list(manifest_problems(tmp_path / "own.csv", files=False)) == []
    assert [p.column for p in manifest_problems(tmp_path / "own.csv")] == ["path"]


def test_no_images_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("path\n")
    with pytest.raises(ManifestError, match="has no image"):
        check_manifest(tmp_path / "own.csv")


def test_a_table_that_breaks_off_is_one_more_problem(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(b'path,age\na.jpg,old\nb\xff.jpg,1\nc.jpg,"open\n')
    problems = list(map(str, manifest_problems(tmp_path / "own.csv", files=False)))
    assert [problem.split(":")[0] for problem in problems] == ["row 2, column age", "row 3", "row 4"]


@pytest.mark.parametrize("task", TASK_COLUMNS)
def test_what_a_task_needs_may_not_be_empty(task: str, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(f"{','.join(COLUMNS)}\na,a.jpg{',' * (len(COLUMNS) - 2)}\n")
    found = manifest_problems(tmp_path / "own.csv", needs=TASK_COLUMNS[task], files=False)
    assert tuple(problem.column for problem in found) == TASK_COLUMNS[task]


def test_memory_stays_flat(tmp_path: Path) -> None:
    def many(count: int) -> Iterator[Record]:
        return (Record(image_id=f"ISIC_{n:07d}", path=tmp_path / f"{n}.jpg", site="x" * 500) for n in range(count))

    def peak(count: int) -> int:
        tracemalloc.start()
        write_manifest(many(count), tmp_path / "manifest.csv")
        assert sum(1 for _ in read_manifest(tmp_path / "manifest.csv")) == count
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(4000) < peak(200) + 200_000


@pytest.mark.parametrize(
    ("patient", "lesion", "expected"), [("P", "L", "P"), ("P", "", "P"), ("", "L", "L"), ("", "", "image")]
)
def test_group(patient: str, lesion: str, expected: str) -> None:
    assert Record(image_id="image", path=Path("a"), patient_id=patient, lesion_id=lesion).group_id == expected


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_file_name_that_is_no_text_is_named(ending: str, tmp_path: Path) -> None:
    odd = Path(b"photos/caf\xe9.jpg".decode("utf-8", "surrogateescape"))
    records = [Record(image_id="one", path=Path("one.jpg")), Record(image_id="two", path=odd)]
    with pytest.raises(ManifestError) as refused:
        write_manifest(records, tmp_path / f"manifest{ending}")
    assert "row 3, column path" in str(refused.value)
    assert r"caf\udce9.jpg' is not UTF-8; rename the file" in str(refused.value)
    str(refused.value).encode()
    assert not list(tmp_path.iterdir())
