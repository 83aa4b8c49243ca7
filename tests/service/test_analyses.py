from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from dermoscope.analysis import Analysis
from tests.disc_model import HEIGHT, WIDTH
from tests.service.running import asking, code_of, png


def test_one_result_a_file_in_their_order() -> None:
    with asking() as service:
        answer = service.post("/v1/analyses", files=[("image", png()), ("image", b"nothing"), ("image", png())])
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["index"] for result in results] == [0, 1, 2]
    assert [result["image"] for result in results] == [None] * 3
    found = [Analysis.model_validate(result["analysis"]) for result in results]
    assert [analysis.status for analysis in found] == ["done", "failed", "done"]
    assert [analysis.image_id for analysis in found] == ["image-0", "image-1", "image-2"]
    assert (found[0].width, found[0].height) == (WIDTH, HEIGHT)
    assert found[1].reason == "image is not an image in a known format; JPEG, PNG, WebP, TIFF, BMP and DICOM are read"


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", (415, "not-an-image")),
        (b"GIF89a" + bytes(100), (415, "not-an-image")),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", (415, "not-an-image")),
        (png()[:200], (422, "unreadable-image")),
        (png(np.zeros((4, 4, 3), np.uint8)), (422, "unreadable-image")),
    ],
)
def test_a_single_file_that_cannot_be_read_is_a_refusal(data: bytes, refusal: tuple[int, str]) -> None:
    with asking() as service:
        assert code_of(service.post("/v1/analyses", files=[("image", data)])) == refusal


@pytest.mark.parametrize("order", [1, -1])
def test_a_scale_holds_for_all_images(order: int) -> None:
    fields = [("image", ("a", png())), ("image", ("b", png())), ("mm_per_pixel", (None, "0.02"))]
    with asking() as service:
        answer = service.post("/v1/analyses?keep=true", files=fields[::order])
        assert answer.status_code == 200, answer.text
        found = [Analysis.model_validate(result["analysis"]) for result in answer.json()["results"]]
        for one in found:
            assert one.measures
            assert one.measures.diameter_mm == pytest.approx(0.02 * one.measures.diameter_px)
        token = answer.json()["results"][0]["image"]
        clicked = service.post(f"/v1/images/{token}/refine", json={"points": [[250, 190, 1]]}).json()
        assert clicked["measures"]["spacing_mm"] == [0.02, 0.02]


def test_names_of_files_are_neither_returned_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "dermoscope.service")
    with asking() as service:
        files = [("image", ("Anna Muster 1970.jpg", png())), ("image", ("Anna Muster 1970.jpg", b"broken"))]
        answer = service.post("/v1/analyses?keep=true", files=files)
        service.post("/v1/analyses", files=files[1:])
    assert answer.status_code == 200
    assert "Muster" not in answer.text + caplog.text
    assert "POST /v1/analyses 200" in caplog.text


def test_an_archive_holds_the_files_of_the_command_line() -> None:
    with asking() as service:
        answer = service.post(
            "/v1/analyses?pictures=true",
            files=[("image", png()), ("image", b"nothing")],
            headers={"Accept": "application/zip"},
        )
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["results.csv", "results.jsonl", "masks/image-0.png", "pictures/image-0.png"]
    lines = [json.loads(line) for line in archive.read("results.jsonl").splitlines()]
    assert [line["status"] for line in lines] == ["done", "failed"]
    mask = np.asarray(Image.open(io.BytesIO(archive.read("masks/image-0.png"))))
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask.mean() / 255 == pytest.approx(lines[0]["mask"]["area_fraction"])
    assert archive.read("results.csv").decode().splitlines()[1].startswith("image-0,,done,")


def test_an_archive_without_pictures() -> None:
    with asking() as service:
        answer = service.post("/v1/analyses", files=[("image", png())], headers={"Accept": "application/zip"})
    assert not [name for name in zipfile.ZipFile(io.BytesIO(answer.content)).namelist() if "pictures" in name]


def test_a_fault_of_the_analyzer_is_told_without_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    with asking() as service:
        service.analyzer.error = RuntimeError("secret")
        alone = service.post("/v1/analyses", files=[("image", png())])
        several = service.post("/v1/analyses", files=[("image", png()), ("image", png())])
    assert code_of(alone) == (500, "internal")
    assert several.status_code == 200
    assert "secret" not in alone.text + several.text
    assert "secret" in caplog.text


def test_kept_images_have_a_token() -> None:
    with asking() as service:
        assert service.get(f"/v1/images/{service.kept()}").status_code == 200
