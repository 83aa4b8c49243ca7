from __future__ import annotations

import pytest

from dermoscope.service.security import CONTENT_SECURITY_POLICY, HEADERS
from tests.service.running import ADDRESS, asking, code_of

TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("127.0.0.1:8008", True),
        ("localhost:8008", True),
        ("LOCALHOST:8008", True),
        ("[::1]:8008", True),
        ("127.0.0.1", True),
        ("localhost:80", True),
        ("evil.example", False),
        ("evil.example:8008", False),
        ("127.0.0.1.evil.example:8008", False),
        ("localhost.evil.example", False),
        ("evil.example@localhost", False),
        ("[::1", False),
        ("", False),
        ("localhost:8008, evil.example", False),
    ],
)
def test_only_names_of_the_service_are_answered(host: str, answered: bool) -> None:
    with asking() as service:
        answer = service.get("/v1/health", headers={"Host": host})
    if answered:
        assert answer.status_code == 200
    else:
        assert code_of(answer) == (421, "unknown-host")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": ADDRESS}, True),
        ({"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:3000"}, False),
        ({"Origin": "http://localhost:8008"}, False),
        ({"Origin": f"{ADDRESS}.evil.example"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": ADDRESS, "Sec-Fetch-Site": "cross-site"}, False),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/images/x/undo"), ("DELETE", "/v1/images/x")])
def test_pages_of_other_sites_change_nothing(method: str, path: str, headers: dict[str, str], allowed: bool) -> None:
    with asking() as service:
        refusal = code_of(service(method, path, headers=headers))
    assert refusal == ((404, "image-expired") if allowed else (403, "cross-origin"))


def test_there_is_no_cors() -> None:
    with asking() as service:
        asks = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
        before = service("OPTIONS", "/v1/analyses", headers=asks)
        read = service.get("/v1/health", headers={"Origin": "http://evil.example"})
    assert before.status_code == 405
    for answer in (before, read):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/v1/health", 200),
        ("GET", "/nothing", 404),
        ("PUT", "/v1/health", 405),
        ("POST", "/v1/analyses", 415),
        ("GET", "/v1/cases", 503),
    ],
)
def test_every_answer_has_its_headers(method: str, path: str, status: int) -> None:
    with asking() as service:
        answer = service(method, path)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] in ("no-store", "no-cache")
    assert "server" not in answer.headers


def test_a_fault_has_the_headers_too_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with asking() as service:
        service.service.kept.get = lambda _token: 1 / 0  # type: ignore[assignment, method-assign, return-value]
        answer = service.get("/v1/images/x")
    assert code_of(answer) == (500, "internal")
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "division" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_the_policy_allows_nothing_from_elsewhere() -> None:
    assert "http" not in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": "dermoscope-8008=wrong"},
        {"Cookie": f"other={TOKEN}"},
        {"Cookie": "a=b; ]["},
        {"Authorization": b"Bearer \xff\xfe"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/static/css/app.css", "/v1/health", "/v1/metrics", "/openapi.json", "/nothing"])
def test_without_the_token_nothing_is_answered(path: str, headers: dict[str, str]) -> None:
    with asking(token=TOKEN) as service:
        answer = service.get(path, headers=headers)
    assert code_of(answer) == (401, "token-needed")
    assert TOKEN not in answer.text


def test_the_token_opens() -> None:
    with asking(token=TOKEN) as service:
        for headers in (
            {"Authorization": f"Bearer {TOKEN}"},
            {"Authorization": f"bearer {TOKEN}"},
            {"Cookie": f"theme=dark; dermoscope-8008={TOKEN}"},
        ):
            assert service.get("/v1/health", headers=headers).status_code == 200


def test_the_token_in_the_address_becomes_a_cookie() -> None:
    with asking(token=TOKEN) as service:
        arrived = service.get(f"/?token={TOKEN}")
        assert (arrived.status_code, arrived.headers["location"]) == (303, "/")
        cookie = arrived.headers["set-cookie"]
        assert cookie.startswith(f"dermoscope-8008={TOKEN};")
        assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "samesite=strict", "path=/"}
        assert service.get("/").status_code == 200  # the client kept the cookie
        assert "wrong" not in service.get("/?token=wrong").text


@pytest.mark.parametrize("path", ["/?token=wrong", "/?token=", f"/v1/health?token={TOKEN}", "/?token=%ff%00"])
def test_an_address_opens_only_the_page_and_only_with_the_token(path: str) -> None:
    with asking(token=TOKEN) as service:
        assert code_of(service.get(path)) == (401, "token-needed")


def test_there_are_no_websockets() -> None:
    with asking() as service:

        async def connect() -> None:
            scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b""}
            await service.app(scope, lambda: pytest.fail("listened"), lambda _: pytest.fail("answered"))

        service.run(connect())
