"""Every state of the page: usable by everybody, in light and dark, and never wider than the window."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.service.page.accessibility import faults
from tests.service.page.browser import PHONE, WIDE, Seen
from tests.service.page.states import STATES

NARROWEST = (320, 568)
ENLARGED = (640, 400)
"""A window of 1280 × 800 at 200 % zoom."""

_QUICK = ("welcome", "flagged-with-evidence", "not-skin")
_ALL = [pytest.param(name, marks=[] if name in _QUICK else pytest.mark.slow) for name in STATES]


@pytest.mark.parametrize("name", _ALL)
def test_state(page: Page, window: tuple[Page, Seen], address: str, name: str) -> None:
    STATES[name](page)
    assert faults(page) == []
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(250)
    assert faults(page, "color-contrast") == []
    for width, height in (PHONE, NARROWEST, ENLARGED, WIDE):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert window[1].strangers(address) == []
