"""What a person does on the page."""

from __future__ import annotations

import base64
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.watch import REPOSITORY

IMAGES = REPOSITORY / "examples" / "images"
SEVERAL_COLOURS = IMAGES / "synthetic_several_colours_medium_skin.jpg"
FLAGGED = IMAGES / "synthetic_pigment_network_light_skin.jpg"
NO_LESION = IMAGES / "synthetic_no_lesion_hairy_skin.webp"
NOT_SKIN = IMAGES / "synthetic_not_skin_bricks.jpg"
SIZE = (560, 420)
"""Width and height of the example images, in pixels."""

_TYPES = {".jpg": "image/jpeg", ".webp": "image/webp", ".png": "image/png"}
_DROP = """([target, files]) => {
  const transfer = new DataTransfer();
  for (const { name, type, data } of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  for (const type of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


_UNDO_TRICKS = """() => {
  document.documentElement.classList.remove("dropping");
  window.fetch = window.honestFetch ?? window.fetch;
  document.querySelector("dialog")?.close();
  document.activeElement.blur();
}"""


def clear(page: Page) -> None:
    """Brings the page back to how it is without an image; opening it anew would cost more."""
    page.unroute_all(behavior="ignoreErrors")
    page.emulate_media(media="screen", color_scheme="light")
    page.evaluate(_UNDO_TRICKS)
    page.keyboard.press("Escape")
    expect(page.locator(".offline")).to_be_hidden()
    if page.locator("#history-search").input_value():
        view(page, "History")
        page.locator("#history-search").fill("")
    page.locator("nav button", has_text="Analyse").click()
    evidence = page.locator("#show-evidence")
    if evidence.is_visible() and evidence.is_enabled() and evidence.get_attribute("aria-pressed") == "true":
        evidence.click()
    while page.locator(".drop-entry").count():
        page.locator(".drop-entry").first.click()
    for closer in page.locator(".toast button").all():
        closer.click()
    expect(page.locator(".welcome")).to_be_visible()


def drop(page: Page, *paths: Path) -> None:
    """Drags files onto the page."""
    files = [
        {"name": path.name, "type": _TYPES.get(path.suffix, ""), "data": base64.b64encode(path.read_bytes()).decode()}
        for path in paths
    ]
    page.evaluate(_DROP, [page.locator("body").element_handle(), files])


def choose(page: Page, *paths: Path) -> None:
    """Chooses files with the button."""
    page.locator("input[type=file][multiple]:not([capture])").first.set_input_files(paths)


def answered(page: Page, *paths: Path) -> None:
    """Chooses files and waits until each has its result."""
    before = page.locator(".queue li").count()
    choose(page, *paths)
    expect(page.locator(".queue li")).to_have_count(before + len(paths))
    expect(page.locator("progress")).to_be_hidden()
    settled(page)


def settled(page: Page) -> None:
    """Waits until nothing is loaded any more."""
    expect(page.locator("#verdict")).to_be_visible()
    expect(page.locator(".spinner")).to_have_count(0)
    page.wait_for_load_state("networkidle")


def tool(page: Page, name: str) -> None:
    """Takes a tool."""
    page.locator(f".tool-{name}").click()


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of an example image is in the window."""
    box = page.locator(".picture").bounding_box()
    assert box
    return box["x"] + (x + 0.5) * box["width"] / SIZE[0], box["y"] + (y + 0.5) * box["height"] / SIZE[1]


def click_image(page: Page, x: float, y: float, *, touch: bool = False) -> None:
    """Clicks on a pixel of the image, or taps it, and waits for the new outline."""
    page.locator("#stage").scroll_into_view_if_needed()
    (page.touchscreen.tap if touch else page.mouse.click)(*at(page, x, y))
    drawn(page)


def drag_image(page: Page, *points: tuple[float, float]) -> None:
    """Drags over the image, and waits for the new outline."""
    page.locator("#stage").scroll_into_view_if_needed()
    first, *rest = points
    page.mouse.move(*at(page, *first))
    page.mouse.down()
    for point in rest:
        page.mouse.move(*at(page, *point), steps=4)
    page.mouse.up()
    drawn(page)


def drawn(page: Page) -> None:
    """Waits until the outline is the one that was asked for."""
    page.wait_for_timeout(50)
    expect(page.locator("#stage")).to_have_attribute("aria-busy", "false")


def outline(page: Page) -> Locator:
    """The outline over the image."""
    return page.locator(".overlay .outline .line")


def keep(page: Page, label: str = "", note: str = "") -> None:
    """Keeps the image in view as a case."""
    page.locator("#keep-label").select_option(label)
    page.locator("#keep-note").fill(note)
    page.locator("#keep-form [type=submit]").click()
    expect(page.locator("#delete-case")).to_be_visible()


def view(page: Page, name: str) -> None:
    """Goes to another view."""
    page.locator("nav button", has_text=name).click()
    page.wait_for_load_state("networkidle")
