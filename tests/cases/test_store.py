from __future__ import annotations

import io
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermoscope.analysis import Analysis
from dermoscope.cases import MAX_NOTE, CaseNotFoundError, CaseStore, StoreError
from dermoscope.data.manifest import read_manifest
from dermoscope.images import read_mask
from tests.cases.synthetic_cases import analysis, embedding, image, square
from tests.watch import REPOSITORY

pytest.importorskip("lancedb")

NOWHERE = "0" * 32


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CaseStore]:
    with CaseStore(tmp_path / "cases") as opened:
        yield opened


def files_with(folder: Path, *contents: bytes) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(content in path.read_bytes() for content in contents)]


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_case_comes_back_as_it_was_kept(store: CaseStore) -> None:
    case = store.add(image(), analysis(), embedding(), square(), label="MEL", note="itches\nsince May, it's said")
    assert re.fullmatch("[0-9a-f]{32}", case.id)
    assert store.get(case.id) == case
    assert (case.label, case.label_source, case.note) == ("MEL", "person", "itches\nsince May, it's said")
    assert case.has_mask and not case.mask_corrected
    assert case.created == case.changed and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", case.created)
    assert np.array_equal(pixels(store.image(case.id)), image())
    mask = store.mask(case.id)
    assert mask is not None and np.array_equal(pixels(mask), square() * np.uint8(255))
    assert Image.open(io.BytesIO(store.thumbnail(case.id))).format == "JPEG"


def test_a_large_image_has_a_small_thumbnail(store: CaseStore) -> None:
    case = store.add(image(side=600), analysis(side=600), embedding(), None)
    assert Image.open(io.BytesIO(store.thumbnail(case.id))).size == (256, 256)
    assert not case.has_mask and store.mask(case.id) is None


def test_no_name_and_no_path_is_kept(store: CaseStore, tmp_path: Path) -> None:
    case = store.add(image(), analysis(), embedding(), square())
    assert (case.analysis.image_id, case.analysis.path) == (case.id, "")
    assert not files_with(tmp_path, b"Anna", b"Muster", b"/home/doctor")
    assert Image.open(io.BytesIO(store.image(case.id))).info == {}


def test_only_the_owner_may_read(store: CaseStore, tmp_path: Path) -> None:
    case = store.add(image(), analysis(), embedding(), square())
    store.correct(case.id, mask=square(4), note="seen")
    store.delete(store.add(image(1), analysis(), embedding(1), None).id)
    for path in (tmp_path / "cases", *(tmp_path / "cases").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_what_is_corrected_and_what_stays(store: CaseStore) -> None:
    case = store.add(image(), analysis("NV"), embedding(), square(), label="NV", note="first")
    changed = store.correct(case.id, mask=square(2))
    assert changed.mask_corrected and changed.changed > case.changed and changed.created == case.created
    assert (changed.label, changed.note) == ("NV", "first")
    assert pixels(store.mask(case.id) or b"").sum() == square(2).sum() * 255
    changed = store.correct(case.id, label=None, note="")
    assert (changed.label, changed.label_source, changed.note, changed.mask_corrected) == (None, "", "", True)
    assert store.get(case.id) == changed
    assert np.array_equal(pixels(store.image(case.id)), image())
    assert [near.case for near in store.similar(embedding(), model="bundle-a")] == [changed]


def test_the_models_own_mask_stays_beside_the_last_corrected_one(store: CaseStore, tmp_path: Path) -> None:
    case = store.add(image(), analysis(), embedding(), square())
    for start in (2, 3, 4):
        store.correct(case.id, mask=square(start))
    masks = sorted(path.name for path in tmp_path.rglob("*.png") if path.name != "image.png")
    assert len(masks) == 2 and masks[0].startswith("corrected-") and masks[1] == "mask.png"


def test_a_deleted_case_is_in_no_file(store: CaseStore, tmp_path: Path) -> None:
    kept = [store.add(image(n), analysis(), embedding(n), square(), note=f"kept {n}").id for n in range(1, 30)]
    gone = store.add(image(), analysis(), embedding(), square(), note="unique-planted-note", label="DF").id
    kept += [store.add(image(n), analysis(), embedding(n), square(), note=f"kept {n}").id for n in range(30, 33)]
    store.correct(gone, note="second-planted-note")
    store.correct(gone, mask=square(3))
    png, vector = store.image(gone), embedding().tobytes()
    assert files_with(tmp_path, b"second-planted-note") and files_with(tmp_path, png) and files_with(tmp_path, vector)
    store.delete(gone)
    assert not files_with(tmp_path, b"unique-planted-note", b"second-planted-note", png, png[40:200], vector)
    assert not files_with(tmp_path, gone.encode()) and not list(tmp_path.rglob(f"*{gone}*"))
    with pytest.raises(CaseNotFoundError, match=gone):
        store.get(gone)
    assert sorted(case.id for case in store.list(limit=100).cases) == sorted(kept)
    assert files_with(tmp_path, b"kept 31")
    store.delete(kept[0])
    assert store.list().total == 31


def test_the_last_case_can_be_deleted(store: CaseStore) -> None:
    store.delete(store.add(image(), analysis(), embedding(), None).id)
    assert store.list().total == 0
    assert store.similar(embedding(), model="bundle-a") == ()
    assert store.list(search="x").cases == ()
    assert store.get(store.add(image(), analysis(), embedding(), None).id)


@pytest.mark.parametrize("name", ["get", "image", "thumbnail", "mask", "delete", "correct"])
@pytest.mark.parametrize("case_id", [NOWHERE, "", "../../../etc/passwd", "A" * 32, "' OR 1=1 --", f"{NOWHERE}\n"])
def test_a_case_that_is_not_there(store: CaseStore, name: str, case_id: str) -> None:
    store.add(image(), analysis(), embedding(), None)
    with pytest.raises(CaseNotFoundError, match="there is no case"):
        getattr(store, name)(case_id)
    assert store.list().total == 1


def test_newest_first_in_pages(store: CaseStore) -> None:
    ids = [store.add(image(n), analysis(), embedding(n), None).id for n in range(7)][::-1]
    page = store.list(limit=3)
    assert [case.id for case in page.cases] == ids[:3] and page.next == ids[2] and page.total == 7
    page = store.list(limit=3, before=page.next)
    assert [case.id for case in page.cases] == ids[3:6] and page.next == ids[5] and page.total == 7
    page = store.list(limit=3, before=page.next)
    assert [case.id for case in page.cases] == ids[6:] and page.next is None
    with pytest.raises(CaseNotFoundError):
        store.list(before=NOWHERE)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", {0, 1, 2}),
        ("ITCHES", {0}),
        ("straße", {1}),
        ("STRASSE", {1}),
        ("100%", {1}),
        ("_", set()),
        ("it's", {0}),
        ("\\", {2}),
        ("basal cell", {2}),
        ("carcinoma", {2}),
        ("dermatofibroma", {0}),
        ("melanocytic", {0, 1, 2}),  # non-melanocytic carcinoma, too
        ("nevus", {0}),
        ("' OR '1'='1", set()),
        ("nothing of that", set()),
    ],
)
def test_search(store: CaseStore, search: str, found: set[int]) -> None:
    ids = [
        store.add(image(), analysis("NV"), embedding(), None, label="DF", note="It's said it itches").id,
        store.add(image(), analysis("MEL"), embedding(), None, note="Straße, 100% sure").id,
        store.add(image(), analysis("BCC"), embedding(), None, note="a\\b").id,
    ]
    page = store.list(search=search)
    assert {ids.index(case.id) for case in page.cases} == found and page.total == len(found)


def test_filter_by_label(store: CaseStore) -> None:
    case = store.add(image(), analysis("MEL"), embedding(), None, label="NV", note="one")
    store.add(image(), analysis("NV"), embedding(), None, label="MEL", note="one")
    store.add(image(), analysis("NV"), embedding(), None)
    assert store.list(label="NV").cases == (case,)
    assert store.list(label="NV", search="one").total == 1
    assert store.list(label="NV", search="two").total == 0


def test_similar_cases_are_those_of_the_same_model(store: CaseStore) -> None:
    vector = embedding()
    near = store.add(image(), analysis(), vector + np.float32(0.1) * embedding(1), None)
    far = store.add(image(), analysis(), -vector, None)
    same = store.add(image(), analysis(), 3 * vector, None)
    store.add(image(), analysis(bundle="bundle-b"), vector, None)
    found = store.similar(vector, model="bundle-a")
    assert [one.case for one in found] == [same, near, far]
    assert [one.distance for one in found] == pytest.approx([0, 0.005, 2], abs=0.003)
    assert all(0 <= one.distance <= 2 for one in found)
    assert [one.case for one in store.similar(vector, model="bundle-a", limit=1, exclude=same.id)] == [near]
    assert store.similar(vector, model="bundle-c") == ()


def failed() -> Analysis:
    return Analysis.failed("x", "x", "broken")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "nevus"}, "label: unknown diagnosis code 'nevus'; known codes: MEL"),
        ({"note": "x" * (MAX_NOTE + 1)}, "note: has 2,001 characters"),
        ({"note": "\ud800"}, "note: holds characters"),
        ({"image": np.zeros((48, 48), np.uint8)}, r"image: needs uint8 \[H, W, 3\]"),
        ({"image": np.zeros((48, 48, 3), np.float32)}, "image: needs uint8"),
        ({"image": np.zeros((47, 48, 3), np.uint8)}, "analysis: is of an image 48x48, the image is 48x47"),
        ({"mask": square(side=40)}, r"mask: needs bool \[48, 48\]"),
        ({"mask": square().astype(np.uint8)}, "mask: needs bool"),
        ({"mask": None, "mask_corrected": True}, "mask_corrected: there is no mask"),
        ({"embedding": np.zeros(256, np.float32)}, "embedding: needs finite numbers"),
        ({"embedding": np.full(256, np.nan, np.float32)}, "embedding: needs finite numbers"),
        ({"embedding": np.ones(128, np.float32)}, r"embedding: needs float32 \[256\]"),
        ({"analysis": failed()}, "analysis: is failed"),
        ({"analysis": analysis(bundle="")}, "analysis: does not name its bundle"),
    ],
)
def test_what_cannot_be_kept(store: CaseStore, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    given = {"image": image(), "analysis": analysis(), "embedding": embedding(), "mask": square()} | changes
    with pytest.raises(ValueError, match=message):
        store.add(**given)  # type: ignore[arg-type]
    assert store.list().total == 0 and not list(tmp_path.rglob("*.png"))


def test_a_refused_correction_changes_nothing(store: CaseStore) -> None:
    case = store.add(image(), analysis(), embedding(), square())
    with pytest.raises(ValueError, match="mask"):
        store.correct(case.id, mask=square(side=20), note="new")
    with pytest.raises(ValueError, match="label"):
        store.correct(case.id, label="", note="new")
    assert store.get(case.id) == case


def test_a_store_is_found_again(tmp_path: Path) -> None:
    with CaseStore(tmp_path / "cases") as store:
        cases = tuple(store.add(image(n), analysis(), embedding(n), square()) for n in range(3))[::-1]
    with CaseStore(tmp_path / "cases") as store:
        assert store.list().cases == cases
        assert store.add(image(), analysis(), embedding(), None).created > cases[0].created


def test_ids_stay_in_order_when_the_clock_goes_back(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermoscope.cases.store._now", lambda: 1)
    ids = [store.add(image(n), analysis(), embedding(n), None).id for n in range(3)]
    assert [case.id for case in store.list().cases] == ids[::-1]


def test_two_at_once_are_refused(store: CaseStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"another process has the cases in .* open"):
        CaseStore(tmp_path / "cases")
    program = (
        "import sys; from pathlib import Path; from dermoscope.cases import CaseStore; CaseStore(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "cases")],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(REPOSITORY / "src")},
    )
    assert done.returncode == 1 and "StoreError: another process has the cases in" in done.stderr
    store.add(image(), analysis(), embedding(), None)
    store.close()
    with CaseStore(tmp_path / "cases") as again:
        assert again.list().total == 1


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match="holds other things than cases"):
        CaseStore(tmp_path)
    with pytest.raises(StoreError, match=r"letter.txt is a file"):
        CaseStore(tmp_path / "letter.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_threads_share_a_store(store: CaseStore) -> None:
    def work(number: int) -> str:
        case = store.add(image(number), analysis(), embedding(number), square(), note=f"thread {number}")
        store.list(search="thread", limit=5)
        store.similar(embedding(number), model="bundle-a", exclude=case.id)
        store.correct(case.id, note=f"corrected {number}", mask=square(number % 7))
        if number % 3 == 0:
            store.delete(case.id)
        return case.id

    with ThreadPoolExecutor(6) as threads:
        ids = list(threads.map(work, range(36)))
    kept = {case_id: number for number, case_id in enumerate(ids) if number % 3}
    assert {case.id for case in store.list(limit=100).cases} == set(kept)
    for case_id, number in kept.items():
        assert store.get(case_id).note == f"corrected {number}"
        assert np.array_equal(pixels(store.mask(case_id) or b""), square(number % 7) * np.uint8(255))


def test_many_changes_leave_few_files(store: CaseStore, tmp_path: Path) -> None:
    ids = [store.add(image(n, 16), analysis(side=16), embedding(n), None).id for n in range(150)]
    for case_id in ids[:120]:
        store.correct(case_id, note="seen")
    assert len(list((tmp_path / "cases" / "table").rglob("*.lance"))) < 150
    assert store.list(search="seen").total == 120


def test_a_failed_write_leaves_nothing(store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = store.add(image(), analysis(), embedding(), square())

    def full(*_: object) -> None:
        raise StoreError("no space left")

    monkeypatch.setattr("dermoscope.cases.table.CaseTable.add", full)
    monkeypatch.setattr("dermoscope.cases.table.CaseTable.replace", full)
    with pytest.raises(StoreError, match="no space"):
        store.add(image(1), analysis(), embedding(1), square())
    with pytest.raises(StoreError, match="no space"):
        store.correct(case.id, mask=square(1))
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["image.png", "mask.png"]
    assert store.list().cases == (case,)


def test_export_to_a_folder(store: CaseStore, tmp_path: Path) -> None:
    first = store.add(image(0), analysis(), embedding(), square(), label="MEL").id
    second = store.add(image(1), analysis(), embedding(), None).id
    assert store.export(tmp_path / "out") == 2
    one, two = read_manifest(tmp_path / "out" / "manifest.csv")
    assert (one.image_id, one.diagnosis, one.source, one.lesion_id) == (first, "MEL", "cases", first)
    assert one.path == tmp_path / "out" / "images" / f"{first}.png" and one.path.read_bytes() == store.image(first)
    assert one.mask_path is not None and np.array_equal(read_mask(one.mask_path), square())
    assert (two.image_id, two.diagnosis, two.mask_path) == (second, "", None)
    with pytest.raises(StoreError, match="not an empty folder"):
        store.export(tmp_path / "out")


def test_export_to_a_zip_archive(store: CaseStore, tmp_path: Path) -> None:
    case_id = store.add(image(), analysis(), embedding(), square()).id
    stream = io.BytesIO()
    assert store.export(tmp_path / "out.zip") == store.export(stream) == 1
    assert (tmp_path / "out.zip").read_bytes() == stream.getvalue()
    with zipfile.ZipFile(stream) as archive:
        assert archive.namelist() == [f"images/{case_id}.png", f"masks/{case_id}.png", "manifest.csv"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        archive.extractall(tmp_path / "unpacked")
    (record,) = read_manifest(tmp_path / "unpacked" / "manifest.csv")
    assert record.path.is_file() and record.mask_path is not None and record.mask_path.is_file()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_corrected_cases_hold_only_what_a_person_said(store: CaseStore, tmp_path: Path) -> None:
    store.add(image(0), analysis("NV"), embedding(), square())
    store.add(image(1), analysis("NV"), embedding(), square(), label="NV")  # agreed
    label = store.add(image(2), analysis("NV"), embedding(), square(), label="MEL").id
    mask = store.add(image(3), analysis("NV"), embedding(), square()).id
    both = store.add(image(4), analysis("NV"), embedding(), square(), mask_corrected=True).id
    store.correct(mask, mask=square(1))
    store.correct(both, label="DF")
    assert store.export(tmp_path / "out", corrected=True) == 3
    found = {
        one.image_id: (one.diagnosis, one.mask_path is not None) for one in read_manifest(tmp_path / "out/manifest.csv")
    }
    assert found == {label: ("MEL", False), mask: ("", True), both: ("DF", True)}
