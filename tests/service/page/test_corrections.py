"""What a person corrects, by every tool and by the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.service.page import steps
from tests.service.page.browser import Seen


def test_undo_and_reset_bring_the_first_outline_back(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    outline = steps.outline(page)
    found = str(outline.get_attribute("d"))
    steps.tool(page, "background")
    steps.click_image(page, 180, 130)
    page.keyboard.press("Control+z")
    expect(outline).to_have_attribute("d", found)
    steps.tool(page, "box")
    steps.drag_image(page, (200, 100), (350, 300))
    expect(page.locator(".draft .dashed")).to_have_count(1)
    expect(outline).not_to_have_attribute("d", found)
    page.locator("#reset").click()
    expect(outline).to_have_attribute("d", found)
    expect(page.locator("#undo")).to_be_disabled()


@pytest.mark.parametrize(("tool", "sign"), [("paint", 1), ("erase", -1)])
def test_the_brush_adds_and_takes_away(page: Page, tool: str, sign: int) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    area = page.locator("#lesion .facts > div", has_text="Share of the image").locator("dd")
    before = percent(area.inner_text())
    steps.tool(page, tool)
    steps.drag_image(page, (300, 220), (500, 220))
    expect(page.locator("#lesion")).to_contain_text("with the brush")
    assert sign * (percent(area.inner_text()) - before) > 0.2


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    page.keyboard.press("l")
    page.locator("#stage").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#live")).to_contain_text("Cross at")
    page.keyboard.press("Enter")
    steps.drawn(page)
    expect(page.locator(".marks .positive")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".tool-move")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("+")
    expect(page.locator(".zoom")).not_to_have_text("120 %")


def test_an_image_that_was_put_away_is_sent_again_with_its_outline(
    page: Page, window: tuple[Page, Seen], address: str
) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    steps.tool(page, "background")
    steps.click_image(page, 180, 130)

    requests = window[1].requests
    refined = next(request for request in requests if request.endswith("/refine"))
    page.request.delete(refined.removesuffix("/refine"))
    steps.click_image(page, 400, 130)
    expect(page.locator(".toast")).to_have_count(0)
    expect(page.locator(".marks .negative")).to_have_count(1)
    paths = [request.removeprefix(address) for request in requests]
    assert paths.count("/v1/analyses?keep=true") == 2
    assert sum(path.endswith("/mask") for path in paths) == 1


def percent(text: str) -> float:
    return float(text.replace("\u00a0%", ""))
