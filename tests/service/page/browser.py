"""A browser that writes down what a page does behind its user's back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect

PHONE = (360, 740)
WIDE = (1440, 900)
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
)


def chromium() -> str | None:
    """Path of the browser, or none where it is not installed."""
    return shutil.which("chromium")


PATIENCE = 60_000
"""Milliseconds that a test waits for what it expects, on a machine that has other work too."""


def launched(playwright: Playwright) -> Browser:
    """The browser, without anything it would do on its own."""
    expect.set_options(timeout=PATIENCE)
    return playwright.chromium.launch(executable_path=chromium(), args=list(_ARGUMENTS))


@dataclass
class Seen:
    """What happened on a page.

    Attributes:
        requests: Address of every request.
        complaints: Errors and warnings of the console, uncaught errors, violations of the content security policy.
    """

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def strangers(self, address: str) -> list[str]:
        """Requests to anywhere but the server."""
        own = (f"{address}/", "blob:", "data:")
        return [request for request in self.requests if not request.startswith(own)]


@contextmanager
def opened_page(
    browser: Browser, address: str, size: tuple[int, int] = WIDE, *, dark: bool = False, touch: bool = False
) -> Iterator[tuple[Page, Seen]]:
    """A page of a server in a window of its own, and what is seen on it."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        has_touch=touch,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    page, seen = context.new_page(), Seen()

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.complaints.append(f"{message.type}: {message.text}")

    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", listen)
    page.on("pageerror", lambda error: seen.complaints.append(f"uncaught: {error}"))
    page.goto(f"{address}/", wait_until="commit")
    expect(page.locator(".welcome")).to_be_visible()
    try:
        yield page, seen
    finally:
        context.close()
