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


def test_a_scale_holds_for_images_that_are_opened_after_it(page: Page) -> None:
    page.locator(".welcome .scale-field summary").click()
    page.locator("#scale").fill("50")
    page.locator("#scale").blur()
    expect(page.locator(".welcome .scale-field")).to_contain_text("Not used")
    page.locator("#scale").fill("0.02")
    page.locator("#scale").blur()
    expect(page.locator(".welcome .scale-field")).not_to_contain_text("Not used")
    steps.answered(page, steps.SEVERAL_COLOURS)
    diameter = page.locator("#lesion tr", has_text="Largest distance").first
    expect(diameter).to_contain_text("mm")
    side = page.locator(".side .scale-field")
    expect(side.locator("summary")).to_have_text("Scale: 0.02 mm a pixel")
    side.locator("summary").click()
    expect(page.locator("#scale-more")).to_have_value("0.02")
    page.locator("#scale-more").fill("")
    page.locator("#scale-more").blur()
    side.locator("summary").click()
    steps.answered(page, steps.FLAGGED)
    page.locator(".queue .entry").last.click()
    expect(diameter).to_contain_text("px")
    expect(page.locator("#files")).to_contain_text("with the scale of this one")


def test_a_camera_at_the_desk_gives_an_image(page: Page) -> None:
    page.context.grant_permissions(["camera"])
    page.locator(".welcome .camera").click()
    page.locator("#camera .primary").click()
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator(".entry .name")).to_have_text("Photo")
    steps.settled(page)
    page.context.clear_permissions()
