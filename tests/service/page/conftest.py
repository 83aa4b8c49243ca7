"""A server and a browser for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("uvicorn", reason="the serve extra is not installed")

from playwright.sync_api import Browser, sync_playwright

from tests.service.page.browser import chromium, launched
from tests.service.page.server import running_server


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running server with the default model."""
    if chromium() is None:
        pytest.skip("chromium is not installed")
    with running_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser."""
    if chromium() is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as engine:
        browser = launched(engine)
        yield browser
        browser.close()
