"""The interface as it is described, and that it keeps what the description says, whatever is sent."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest

from dermoscope.cases import CaseStore
from dermoscope.service.app import create_app
from dermoscope.service.settings import Settings
from dermoscope.service.state import Service
from tests.service.running import SmallAnalyzer, asking

DESCRIPTION = create_app(Service(SmallAnalyzer(), Settings())).openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DESCRIPTION["paths"].items()
    for method, operation in operations.items()
]
CONTRACT = {
    "GET /v1/health",
    "GET /v1/models",
    "GET /v1/metrics",
    "POST /v1/analyses",
    "GET /v1/images/{token}",
    "GET /v1/images/{token}/display.jpg",
    "GET /v1/images/{token}/mask.png",
    "GET /v1/images/{token}/evidence",
    "GET /v1/images/{token}/similar",
    "POST /v1/images/{token}/refine",
    "POST /v1/images/{token}/undo",
    "POST /v1/images/{token}/reset",
    "PUT /v1/images/{token}/mask",
    "DELETE /v1/images/{token}",
    "POST /v1/cases",
    "GET /v1/cases",
    "GET /v1/cases/export.zip",
    "GET /v1/cases/{case_id}",
    "GET /v1/cases/{case_id}/image.png",
    "GET /v1/cases/{case_id}/thumbnail.jpg",
    "GET /v1/cases/{case_id}/mask.png",
    "PATCH /v1/cases/{case_id}",
    "DELETE /v1/cases/{case_id}",
    "POST /v1/cases/{case_id}/open",
}


def test_the_description_has_every_route() -> None:
    assert {f"{method} {path}" for method, path, _ in OPERATIONS} == CONTRACT


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])
def test_every_route_says_what_it_does_and_how_it_refuses(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["description"].endswith("."), path
    statuses = set(operation["responses"])
    assert {"401", "403", "421", "422", "503"} <= statuses
    if "{" in path:
        assert "404" in statuses
    for status, response in operation["responses"].items():
        if status >= "400":
            schema = response["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Error"}
        elif status != "204":
            assert response["content"], f"{method} {path}"


def test_every_json_body_has_an_example() -> None:
    bodies = [operation["requestBody"]["content"] for _, _, operation in OPERATIONS if "requestBody" in operation]
    names = [
        body["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in bodies if "application/json" in body
    ]
    assert names
    for name in names:
        assert DESCRIPTION["components"]["schemas"][name]["examples"], name


def test_the_description_is_sent_and_its_pages_are_not() -> None:
    with asking() as service:
        assert service.get("/openapi.json").json() == DESCRIPTION
        for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
            assert service.get(path).status_code == 404
    assert not re.findall(r"https?://", str(DESCRIPTION))


@pytest.mark.slow
def test_no_request_that_fits_or_breaks_the_description_is_a_fault(tmp_path: Any) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable

    with CaseStore(tmp_path / "cases") as store, asking(cases=store) as service:
        token = service.kept()
        case = service.post("/v1/cases", json={"image": token}).json()["id"]
        known = {"token": token, "case_id": case}
        schema = schemathesis.openapi.from_dict(DESCRIPTION)
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            for found in schema.get_all_operations():
                operation = found.ok()
                if operation.method.upper() == "DELETE":
                    continue  # the images are needed by the others; deleting has its own tests

                @given(sent=operation.as_strategy(generation_mode=mode))
                @settings(
                    max_examples=4,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                def check(sent: Any) -> None:
                    sent.path_parameters = {
                        name: known.get(name, value) for name, value in (sent.path_parameters or {}).items()
                    }
                    asked = sent.as_transport_kwargs(base_url="http://127.0.0.1:8008")
                    answer = service(
                        asked["method"],
                        asked["url"],
                        params=asked.get("params"),
                        headers={name: value.encode() for name, value in (asked.get("headers") or {}).items()},
                        **_body(asked),
                    )
                    assert answer.status_code < 500, (asked, answer.text)
                    assert str(answer.status_code) in (*sent.operation.definition.raw["responses"], "405"), asked

                with contextlib.suppress(Unsatisfiable):  # where nothing is asked for, nothing can be wrong
                    check()


def _body(asked: dict[str, Any]) -> dict[str, Any]:
    if asked.get("files"):
        return {"files": [(name, value) for name, value in asked["files"]]}
    return {name: asked[name] for name in ("json", "data", "content") if asked.get(name) is not None}
