from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dermoscope.cases import CaseStore, StoreError
from tests.disc_model import HEIGHT, WIDTH, skin_with_lesion
from tests.service.running import Asked, asking, code_of, mask_png, png


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Asked]:
    with CaseStore(tmp_path / "cases") as store, asking(cases=store) as asked:
        yield asked


def keep(service: Asked, data: bytes | None = None, **rest: Any) -> dict[str, Any]:
    answer = service.post("/v1/cases", json={"image": service.kept(data), **rest})
    assert answer.status_code == 201, answer.text
    case: dict[str, Any] = answer.json()
    return case


def other_image(seed: int) -> bytes:
    rgb = skin_with_lesion()
    rgb[:40] = np.random.default_rng(seed).integers(100, 200, (40, WIDTH, 3))
    return png(rgb)


def test_a_case_is_kept_listed_and_sent(service: Asked) -> None:
    case = keep(service, label="NV", note="left arm")
    assert (case["label"], case["label_source"], case["note"]) == ("NV", "person", "left arm")
    assert (case["mask_corrected"], case["has_mask"]) == (False, True)
    assert case["analysis"]["image_id"] == case["id"]
    assert service.get(f"/v1/cases/{case['id']}").json() == case
    assert service.get("/v1/cases").json() == {"cases": [case], "next": None, "total": 1}
    image = service.get(f"/v1/cases/{case['id']}/image.png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(image.content))), skin_with_lesion())
    mask = service.get(f"/v1/cases/{case['id']}/mask.png")
    share = np.asarray(Image.open(io.BytesIO(mask.content))).mean() / 255
    assert share == pytest.approx(case["analysis"]["mask"]["area_fraction"])
    thumbnail = service.get(f"/v1/cases/{case['id']}/thumbnail.jpg")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(thumbnail.content)).size) <= 256


def test_an_image_is_kept_once(service: Asked) -> None:
    token = service.kept()
    assert service.post("/v1/cases", json={"image": token}).status_code == 201
    assert code_of(service.post("/v1/cases", json={"image": token})) == (409, "already-kept")


def test_a_corrected_mask_is_kept_as_such(service: Asked) -> None:
    token = service.kept()
    service.post(f"/v1/images/{token}/refine", json={"points": [[100, 80, 1]]})
    assert service.post("/v1/cases", json={"image": token}).json()["mask_corrected"] is True


def test_an_empty_drawn_mask_says_that_there_is_no_lesion(service: Asked) -> None:
    token = service.kept()
    service("PUT", f"/v1/images/{token}/mask", content=mask_png(np.zeros((HEIGHT, WIDTH), np.bool_)))
    case = service.post("/v1/cases", json={"image": token}).json()
    assert (case["mask_corrected"], case["has_mask"]) == (True, True)
    mask = service.get(f"/v1/cases/{case['id']}/mask.png").content
    assert not np.asarray(Image.open(io.BytesIO(mask))).any()


def test_cases_are_searched_and_paged(service: Asked) -> None:
    cases = [keep(service, other_image(number), label="MEL" if number else "NV") for number in range(3)]
    first = service.get("/v1/cases?limit=2").json()
    assert [case["id"] for case in first["cases"]] == [cases[2]["id"], cases[1]["id"]]
    assert (first["total"], first["next"]) == (3, cases[1]["id"])
    rest = service.get(f"/v1/cases?before={first['next']}").json()
    assert [case["id"] for case in rest["cases"]] == [cases[0]["id"]]
    assert service.get("/v1/cases?label=MEL").json()["total"] == 2
    assert service.get("/v1/cases?search=nevus").json()["total"] >= 1


def test_a_case_is_opened_corrected_and_saved(service: Asked) -> None:
    case = keep(service)
    token = service.post(f"/v1/cases/{case['id']}/open").json()["image"]
    path = f"/v1/images/{token}"
    opened = service.get(path).json()
    assert opened["analysis"] == case["analysis"]
    assert opened["segmentation"]["can_undo"] is False
    assert opened["segmentation"]["area_fraction"] == pytest.approx(case["analysis"]["mask"]["area_fraction"])
    drawn = np.zeros((HEIGHT, WIDTH), np.bool_)
    drawn[10:90, 20:200] = True
    service("PUT", f"{path}/mask", content=mask_png(drawn))
    changed = service("PATCH", f"/v1/cases/{case['id']}", json={"image": token, "label": "BCC"}).json()
    assert (changed["mask_corrected"], changed["label"]) == (True, "BCC")
    assert changed["changed"] > case["changed"]
    mask = service.get(f"/v1/cases/{case['id']}/mask.png").content
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(mask))), drawn * np.uint8(255))


def reopened(service: Asked, case: dict[str, Any]) -> dict[str, Any]:
    token = service.post(f"/v1/cases/{case['id']}/open").json()["image"]
    found: dict[str, Any] = service.get(f"/v1/images/{token}").json()
    return found


def test_an_opened_case_says_whether_its_mask_was_corrected(service: Asked) -> None:
    case = keep(service)
    found, mask = reopened(service, case)["segmentation"], case["analysis"]["mask"]
    assert (found["is_corrected"], found["can_undo"]) == (False, False)
    assert (found["prompt"], found["confidence"]) == (mask["prompt"], mask["confidence"])
    token = service.kept(other_image(1))
    clicked = service.post(f"/v1/images/{token}/refine", json={"points": [[100, 80, 1]]}).json()["segmentation"]
    assert clicked["is_corrected"] is True
    corrected = reopened(service, service.post("/v1/cases", json={"image": token}).json())["segmentation"]
    assert (corrected["is_corrected"], corrected["can_undo"]) == (True, False)
    assert (corrected["prompt"], corrected["confidence"]) == ("corrected", None)
    assert corrected["outline"] == clicked["outline"]


def test_the_scale_of_a_case_outlives_a_lesion_that_was_not_found(service: Asked) -> None:
    service.analyzer.blind = True
    fields = [("image", ("a", png())), ("mm_per_pixel", (None, "0.02"))]
    token = service.post("/v1/analyses?keep=true", files=fields).json()["results"][0]["image"]
    drawn = np.zeros((HEIGHT, WIDTH), np.bool_)
    drawn[10:90, 20:200] = True
    service("PUT", f"/v1/images/{token}/mask", content=mask_png(drawn))
    case = service.post("/v1/cases", json={"image": token}).json()
    assert case["analysis"]["measures"] is None
    measures = reopened(service, case)["measures"]
    assert measures["diameter_mm"] == pytest.approx(0.02 * measures["diameter_px"])


def test_what_is_not_named_stays(service: Asked) -> None:
    path = f"/v1/cases/{keep(service, label='NV', note='left arm')['id']}"
    assert service("PATCH", path, json={}).json()["label"] == "NV"
    assert service("PATCH", path, json={"note": ""}).json()["label"] == "NV"
    changed = service("PATCH", path, json={"label": None}).json()
    assert (changed["label"], changed["note"]) == (None, "")


def test_the_mask_of_another_image_is_refused(service: Asked) -> None:
    case = keep(service)
    answer = service("PATCH", f"/v1/cases/{case['id']}", json={"image": service.kept()})
    assert code_of(answer) == (409, "other-image")


def test_a_deleted_case_is_gone_with_what_was_opened_from_it(service: Asked, tmp_path: Path) -> None:
    case = keep(service, note="left arm")
    path = f"/v1/cases/{case['id']}"
    token = service.post(f"{path}/open").json()["image"]
    assert service("DELETE", path).status_code == 204
    for method, end in (("GET", ""), ("GET", "/image.png"), ("POST", "/open"), ("DELETE", "")):
        assert code_of(service(method, path + end)) == (404, "no-such-case")
    assert code_of(service.get(f"/v1/images/{token}")) == (404, "image-expired")
    assert not list((tmp_path / "cases" / "files").rglob("*.png"))


def test_similar_cases_leave_out_the_case_itself(service: Asked) -> None:
    first, second = keep(service, other_image(1)), keep(service, other_image(2))
    token = service.post(f"/v1/cases/{first['id']}/open").json()["image"]
    (found,) = service.get(f"/v1/images/{token}/similar").json()["cases"]
    assert found["id"] == second["id"]
    assert 0 < found["distance"] < 2
    same = service.get(f"/v1/images/{service.kept(other_image(1))}/similar?limit=1").json()["cases"]
    assert (same[0]["id"], same[0]["distance"]) == (first["id"], pytest.approx(0, abs=1e-5))


def test_cases_are_exported(service: Asked) -> None:
    case = keep(service, label="NV")
    keep(service, other_image(1))
    answer = service.get("/v1/cases/export.zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    assert len([name for name in archive.namelist() if name.startswith("images/")]) == 2
    assert f"images/{case['id']}.png" in archive.read("manifest.csv").decode()
    only = zipfile.ZipFile(io.BytesIO(service.get("/v1/cases/export.zip?corrected=true").content))
    assert len([name for name in only.namelist() if name.startswith("images/")]) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "refusal"),
    [
        ("POST", "", {"image": "x"}, (404, "image-expired")),
        ("POST", "", {}, (422, "invalid-request")),
        ("POST", "", {"image": "x", "note": "a" * 2001}, (422, "invalid-request")),
        ("GET", "?label=nonsense", None, (422, "bad-case")),
        ("GET", "?limit=0", None, (422, "invalid-request")),
        ("GET", "?before=x", None, (404, "no-such-case")),
        ("GET", "/x", None, (404, "no-such-case")),
        ("GET", "/..%2f..%2fetc", None, (404, "not-found")),
        ("PATCH", "/x", {"note": "a"}, (404, "no-such-case")),
        ("PATCH", "/x", {"created": "a"}, (422, "invalid-request")),
    ],
)
def test_what_is_refused(service: Asked, method: str, path: str, body: object, refusal: tuple[int, str]) -> None:
    assert code_of(service(method, f"/v1/cases{path}", json=body)) == refusal


def test_labels_and_notes_that_cannot_be_kept(service: Asked) -> None:
    token = service.kept()
    for change in ({"label": "XX"}, {"note": "a\0b"}):
        assert code_of(service.post("/v1/cases", json={"image": token, **change})) == (422, "bad-case")
    assert service.get("/v1/cases").json()["total"] == 0


def test_a_store_that_fails_does_not_tell_its_paths(service: Asked, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreError("cannot write /home/doctor/cases")

    service.service.history.list = broken  # type: ignore[assignment, method-assign]
    answer = service.get("/v1/cases")
    assert code_of(answer) == (503, "history-failed")
    assert "doctor" not in answer.text
    assert "doctor" in caplog.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/cases"),
        ("GET", "/v1/cases"),
        ("GET", "/v1/cases/export.zip"),
        ("GET", "/v1/cases/x"),
        ("GET", "/v1/cases/x/image.png"),
        ("GET", "/v1/cases/x/thumbnail.jpg"),
        ("GET", "/v1/cases/x/mask.png"),
        ("PATCH", "/v1/cases/x"),
        ("DELETE", "/v1/cases/x"),
        ("POST", "/v1/cases/x/open"),
        ("GET", "/v1/images/x/similar"),
    ],
)
def test_without_a_history_every_way_to_it_says_so(method: str, path: str) -> None:
    with asking() as service:
        assert code_of(service(method, path)) == (503, "history-off")
