"""Draws every state of the page, light and dark, on a phone and on a wide window, to look at.

    python -m studies.service.walk --out shots
    python -m studies.service.walk --out shots --state refined --state history

It starts a server of its own, with the default model and the synthetic example images, and keeps nothing but the
pictures. Needs Chromium.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from tests.service.page.browser import PHONE, WIDE, launched, opened_page
from tests.service.page.server import running_server
from tests.service.page.states import STATES
from tests.service.page.steps import clear

SIZES = {"phone": PHONE, "laptop": (1024, 768), "wide": WIDE, "huge": (1920, 1080)}
DEFAULT_SIZES = ("phone", "wide")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--state", action="append", choices=STATES, help="only this state; may be given several times")
    parser.add_argument("--size", action="append", choices=SIZES, help="only this window; may be given several times")
    parser.add_argument("--full", action="store_true", help="whole pages instead of what a window shows")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as address, sync_playwright() as engine:
        browser = launched(engine)
        for size in options.size or DEFAULT_SIZES:
            with opened_page(browser, address, SIZES[size]) as (page, seen):
                for name in options.state or STATES:
                    STATES[name](page)
                    for scheme in SCHEMES:
                        page.emulate_media(color_scheme=scheme)
                        page.wait_for_timeout(250)
                        page.screenshot(path=options.out / f"{name}-{size}-{scheme}.png", full_page=options.full)
                    print(name, size, *seen.complaints, flush=True)
                    seen.complaints.clear()
                    clear(page)


if __name__ == "__main__":
    main()
