"""The ways in for images beside the button: the clipboard and a camera at the desk."""

from __future__ import annotations

import base64

from playwright.sync_api import Page, expect

from tests.service.page import steps

_PASTE = """([target, data]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  transfer.items.add(new File([bytes], "image.png", { type: "image/png" }));
  target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
}"""


def test_an_image_can_be_pasted(page: Page) -> None:
    data = base64.b64encode(steps.NOT_SKIN.read_bytes()).decode()
    page.evaluate(_PASTE, [page.locator("body").element_handle(), data])
    expect(page.locator(".entry .name")).to_have_text("Pasted image")
    steps.settled(page)
    expect(page.locator("#verdict")).to_contain_text("does not look like skin")
    expect(page.locator("#similar")).to_have_count(0)


def test_a_camera_at_the_desk_gives_an_image(page: Page) -> None:
    page.context.grant_permissions(["camera"])
    page.locator(".welcome .camera").click()
    page.locator("#camera .primary").click()
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator(".entry .name")).to_have_text("Photo")
    steps.settled(page)
    page.context.clear_permissions()
