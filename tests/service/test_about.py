from __future__ import annotations

from importlib.util import find_spec

from dermoscope import __version__
from tests.service.running import asking, png


def test_health_says_what_the_service_can_do() -> None:
    with asking() as service:
        health = service.get("/v1/health").json()
    assert health == {
        "status": "ok",
        "version": __version__,
        "bundle": "0123456789abcdef",
        "history": False,
        "dicom": find_spec("pydicom") is not None,
    }


def test_models_are_described() -> None:
    with asking() as service:
        (model,) = service.get("/v1/models").json()["models"]
    assert (model["name"], model["fingerprint"], model["in_use"]) == ("small", "0123456789abcdef", True)
    assert model["malignant_share"] == 0.202


def test_metrics_count_answers_by_route_and_never_by_path() -> None:
    with asking() as service:
        token = service.kept()
        service.get(f"/v1/images/{token}?secret=1")
        service.get("/nothing/at/all")
        service("BREW", "/v1/health")
        answer = service.get("/v1/metrics")
        service.post("/v1/analyses", files=[("image", png())] * 2)
        later = service.get("/v1/metrics").text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert token not in answer.text
    for line in (
        'dermoscope_requests_total{method="GET",route="/v1/images/{token}",status="200"} 1',
        'dermoscope_requests_total{method="GET",route="",status="404"} 1',
        'dermoscope_requests_total{method="other",route="/v1/health",status="405"} 1',
        "dermoscope_analysis_seconds_count 1",
        'dermoscope_analysis_seconds_bucket{le="+Inf"} 1',
        "dermoscope_kept_images 1",
    ):
        assert f"\n{line}\n" in answer.text, line
    assert "\ndermoscope_analysis_seconds_count 3\n" in later
