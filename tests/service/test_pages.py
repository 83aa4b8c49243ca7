from __future__ import annotations

import pytest

from dermoscope.service.pages import page_files
from tests.service.running import asking, code_of


def test_the_page_and_every_file_of_it_is_sent() -> None:
    with asking() as service:
        page = service.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<html" in page.text
        for name, (file, kind) in page_files().items():
            answer = service.get(f"/static/{name}")
            assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
            assert answer.content == file.read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/js",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/js/../../app.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/index.html%00.css",
        "/static/INDEX.HTML",
        "/static/" + "a" * 5000,
        "/app.py",
        "/docs",
        "/redoc",
    ],
)
def test_no_path_leads_anywhere_else(path: str) -> None:
    with asking() as service:
        assert code_of(service.get(path)) == (404, "not-found")


def test_every_media_type_is_one_that_a_page_needs() -> None:
    for name, (_, kind) in page_files().items():
        assert not name.endswith((".py", ".md"))
        assert kind
