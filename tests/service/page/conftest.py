"""A server and a browser for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("uvicorn", reason="the serve extra is not installed")

from playwright.sync_api import Browser, Page, sync_playwright

from tests.service.page import steps
from tests.service.page.browser import Seen, chromium, launched, opened_page
from tests.service.page.server import running_server


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running server with the default model."""
    if chromium() is None:
        pytest.skip("chromium is not installed")
    with running_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser; playwright keeps an event loop running, beside which no other file could run one of its own."""
    if chromium() is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as engine:
        browser = launched(engine)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def window(browser: Browser, address: str) -> Iterator[tuple[Page, Seen]]:
    """One wide window for all tests of a file; opening one costs more than most tests."""
    with opened_page(browser, address) as opened:
        yield opened


@pytest.fixture
def page(window: tuple[Page, Seen]) -> Iterator[Page]:
    """The page without an image; fails a test that left complaints other than refused requests behind."""
    page, seen = window
    seen.complaints.clear()
    seen.requests.clear()
    yield page
    steps.clear(page)
    assert [complaint for complaint in seen.complaints if "Failed to load resource" not in complaint] == []
