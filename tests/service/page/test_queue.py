"""What happens to images on their way: names, patience, and a server that is gone for a while."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.service.page import states, steps

_NAMES = """() => {
  const ask = (window.honestFetch = window.fetch);
  window.sentNames = [];
  window.fetch = (path, options) => {
    if (options?.body instanceof FormData) for (const [, file] of options.body) window.sentNames.push(file.name);
    return ask(path, options);
  };
}"""


def test_file_names_stay_in_the_page(page: Page) -> None:
    page.evaluate(_NAMES)
    steps.answered(page, steps.SEVERAL_COLOURS, steps.NOT_SKIN)
    assert page.evaluate("window.sentNames") == ["image", "image"]
    expect(page.locator(".entry .name").first).to_have_text(steps.SEVERAL_COLOURS.name)


def test_a_busy_server_gets_the_image_when_it_asked_for_it(page: Page) -> None:
    states.refuse(page, states.ANALYSES, 429, "busy", "the service is busy", retry_after=1)
    steps.choose(page, steps.SEVERAL_COLOURS)
    expect(page.locator(".outcome")).to_contain_text("busy")
    page.unroute(states.ANALYSES)
    steps.settled(page)
    expect(page.locator("#verdict")).to_contain_text("Malignancy risk")


def test_images_wait_for_a_server_that_is_gone(page: Page) -> None:
    page.route("**/v1/**", lambda route: route.abort())
    steps.choose(page, steps.SEVERAL_COLOURS)
    expect(page.locator(".offline")).to_be_visible()
    expect(page.locator(".outcome")).to_have_text("Waiting")
    page.unroute("**/v1/**")
    expect(page.locator(".offline")).to_be_hidden()
    steps.settled(page)
    expect(page.locator("#verdict")).to_contain_text("Malignancy risk")


def test_an_image_can_be_removed_while_it_is_analysed(page: Page) -> None:
    page.route(states.ANALYSES, lambda _route: None)  # never answered
    steps.choose(page, steps.SEVERAL_COLOURS)
    page.locator(".drop-entry").click()
    expect(page.locator(".welcome")).to_be_visible()
