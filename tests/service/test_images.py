from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dermoscope.service.images import MOST_CLICKS, MOST_STEPS
from dermoscope.service.settings import Limits
from tests.disc_model import HEIGHT, WIDTH, skin_with_lesion
from tests.service.running import asking, code_of, mask_png, png


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_clicks_refine_the_mask_and_can_be_taken_back() -> None:
    with asking() as service:
        token = service.kept()
        path = f"/v1/images/{token}"
        first = service.get(path).json()
        assert first["image"] == token
        assert first["segmentation"]["can_undo"] is False
        assert first["segmentation"]["prompts"] == {"points": [], "box": None}
        assert first["segmentation"]["outline"] == [list(map(list, first["analysis"]["mask"]["outline"][0]))]
        clicked = service.post(f"{path}/refine", json={"points": [[100, 80, 1]]}).json()["segmentation"]
        assert clicked["prompts"] == {"points": [[100, 80, 1]], "box": None}
        assert (clicked["prompt"], clicked["can_undo"]) == ("clicks", True)
        boxed = service.post(f"{path}/refine", json={"points": [[300, 80, 0]], "box": [50, 40, 200, 140]}).json()
        prompts = boxed["segmentation"]["prompts"]
        assert prompts == {"points": [[100, 80, 1], [300, 80, 0]], "box": [50, 40, 200, 140]}
        assert service.post(f"{path}/undo").json()["segmentation"] == clicked
        assert service.post(f"{path}/undo").json()["segmentation"] == first["segmentation"]
        assert service.post(f"{path}/undo").json()["segmentation"] == first["segmentation"]
        service.post(f"{path}/refine", json={"points": [[100, 80, 1]]})
        again = service.post(f"{path}/reset").json()["segmentation"]
    assert (again["outline"], again["can_undo"]) == (first["segmentation"]["outline"], False)


def test_a_drawn_mask_goes_in_and_comes_out_as_it_is() -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[100:150, 200:300] = mask[10:20, 10:20] = True
    with asking() as service:
        path = f"/v1/images/{service.kept()}"
        answer = service("PUT", f"{path}/mask", content=mask_png(mask), headers={"Content-Type": "image/png"})
        assert answer.json()["segmentation"]["box"] == [10, 10, 300, 150]
        back = service.get(f"{path}/mask.png")
    assert back.headers["content-type"] == "image/png"
    assert np.array_equal(pixels(back.content), mask * 255)


def test_where_there_is_no_mask_the_mask_file_is_empty() -> None:
    with asking() as service:
        path = f"/v1/images/{service.kept()}"
        empty = mask_png(np.zeros((HEIGHT, WIDTH), np.bool_))
        assert service("PUT", f"{path}/mask", content=empty).json()["segmentation"]["box"] is None
        assert not pixels(service.get(f"{path}/mask.png").content).any()


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", (415, "not-an-image")),
        (b"nothing", (415, "not-an-image")),
        (mask_png(np.zeros((WIDTH, HEIGHT), np.bool_)), (422, "bad-prompt")),
        (bytes(100_000), (413, "file-too-large")),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(content: bytes, refusal: tuple[int, str]) -> None:
    with asking(limits=Limits(file_bytes=50_000)) as service:
        path = f"/v1/images/{service.kept()}"
        before = service.get(path).json()
        assert code_of(service("PUT", f"{path}/mask", content=content)) == refusal
        assert service.get(path).json() == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "bad-prompt"),
        ({"points": [[9999, 5, 1]]}, "bad-prompt"),
        ({"box": [10, 10, 5, 20]}, "bad-prompt"),
        ({"points": [[1, 2, 3]]}, "invalid-request"),
        ({"points": [[1, 2]]}, "invalid-request"),
        ({"points": [["a", 2, 1]]}, "invalid-request"),
        ({"points": [[1e308, 2, 1]]}, "invalid-request"),
        ({"points": "x"}, "invalid-request"),
        ({"points": [[1, 2, 1]] * 101}, "invalid-request"),
        ({"clicks": []}, "invalid-request"),
        ([], "invalid-request"),
    ],
)
def test_prompts_that_cannot_be_meant(body: object, code: str) -> None:
    with asking() as service:
        path = f"/v1/images/{service.kept()}"
        assert code_of(service.post(f"{path}/refine", json=body)) == (422, code)
        assert service.get(path).json()["segmentation"]["can_undo"] is False


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"points": [[NaN, 1, 1]]}', b'{"points": [[1, 1, Infinity]]}', b""])
def test_bodies_that_are_no_json(body: bytes) -> None:
    with asking() as service:
        answer = service.post(
            f"/v1/images/{service.kept()}/refine", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code in (400, 422)
    code_of(answer)


def test_an_image_takes_so_many_clicks_and_steps() -> None:
    with asking() as service:
        path = f"/v1/images/{service.kept()}"
        many = [[100 + number, 100, 1] for number in range(MOST_CLICKS)]
        assert service.post(f"{path}/refine", json={"points": many}).status_code == 200
        one = {"points": [[100, 200, 1]]}
        assert code_of(service.post(f"{path}/refine", json=one)) == (409, "too-many-steps")
        service.post(f"{path}/reset")
        assert service.post(f"{path}/refine", json=one).status_code == 200
        kept = service.service.kept.get(path.rsplit("/", 1)[1])
        kept.opened._steps *= MOST_STEPS
        assert code_of(service.post(f"{path}/refine", json={"box": [1, 1, 50, 50]})) == (409, "too-many-steps")


def test_the_display_copy_is_small_and_without_metadata() -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "Anna Muster"
    Image.fromarray(np.full((600, 900, 3), 120, np.uint8)).save(stream, format="JPEG", exif=exif)
    with asking() as service:
        path = f"/v1/images/{service.kept(stream.getvalue())}/display.jpg"
        small, whole = service.get(f"{path}?side=300"), service.get(path)
    assert Image.open(io.BytesIO(small.content)).size == (300, 200)
    shown = Image.open(io.BytesIO(whole.content))
    assert (shown.size, shown.format, dict(shown.getexif())) == ((900, 600), "JPEG", {})
    assert b"Muster" not in whole.content


def test_evidence_is_a_grid() -> None:
    with asking() as service:
        path = f"/v1/images/{service.kept()}"
        evidence = service.get(f"{path}/evidence").json()
        everything = mask_png(np.ones((HEIGHT, WIDTH), np.bool_))
        service("PUT", f"{path}/mask", content=everything)
        assert service.get(f"{path}/evidence").json()["share_inside"] == 1
        service("PUT", f"{path}/mask", content=mask_png(np.zeros((HEIGHT, WIDTH), np.bool_)))
        assert service.get(f"{path}/evidence").json()["share_inside"] is None
    assert (evidence["rows"], evidence["columns"]) == (3, 4)
    assert [len(row) for row in evidence["values"]] == [4] * 3
    assert evidence["values"][0][0] == -1
    assert 0 < evidence["share_inside"] < 1


def test_measures_are_those_of_the_mask_as_it_stands() -> None:
    with asking() as service:
        path = f"/v1/images/{service.kept()}"
        first = service.get(path).json()
        assert first["measures"] == first["analysis"]["measures"]
        mask = np.zeros((HEIGHT, WIDTH), np.bool_)
        mask[100:200, 100:300] = True
        drawn = service("PUT", f"{path}/mask", content=mask_png(mask)).json()["measures"]
        assert drawn["diameter_px"] == pytest.approx(np.hypot(100, 200), rel=0.02)
        assert service.get(path).json()["measures"] == drawn
        assert service.post(f"{path}/undo").json()["measures"] == first["measures"]
        empty = service("PUT", f"{path}/mask", content=mask_png(np.zeros((HEIGHT, WIDTH), np.bool_)))
        assert empty.json()["measures"] is None


def test_a_dicom_file_is_shown_without_its_patient() -> None:
    dicom_files = pytest.importorskip("tests.dicom_files")
    data = dicom_files.dicom(skin_with_lesion())
    with asking() as service:
        path = f"/v1/images/{service.kept(data)}"
        shown = service.get(f"{path}/display.jpg")
        refused = service.post("/v1/analyses?frame=2", files=[("image", data)])
    assert Image.open(io.BytesIO(shown.content)).size == (WIDTH, HEIGHT)
    assert code_of(refused) == (422, "unreadable-image")
    assert not [secret for secret in dicom_files.SECRETS.values() if secret in refused.text]


def test_a_dropped_image_is_gone() -> None:
    with asking() as service:
        path = f"/v1/images/{service.kept()}"
        assert service("DELETE", path).status_code == 204
        for method, end in (("GET", ""), ("DELETE", ""), ("POST", "/undo"), ("PUT", "/mask"), ("GET", "/evidence")):
            assert code_of(service(method, path + end)) == (404, "image-expired")


def test_the_oldest_image_is_dropped_first() -> None:
    with asking(limits=Limits(kept_images=2)) as service:
        first, second = service.kept(), service.kept()
        service.get(f"/v1/images/{first}")
        service.kept(png(np.full((64, 64, 3), 100, np.uint8)))
        assert service.get(f"/v1/images/{first}").status_code == 200
        assert service.get(f"/v1/images/{second}").status_code == 404
