"""The way of a person through the page, on a phone and on a wide window."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dermoscope.bundle import Bundle
from tests.service.page import steps
from tests.service.page.browser import PHONE, WIDE, opened_page
from tests.service.page.server import running_server

SHARE = Bundle.default().describe(Bundle.default().mode()[0])["malignant_share"]
WHERE = re.compile(rf"where {100 * SHARE:.1f}\s% of all lesions are malignant")
ANSWERED = re.compile(r"malignancy risk \d+\.\d\s%")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Address of a server of its own, whose history holds no case of another test."""
    with running_server(tmp_path) as address:
        yield address


@pytest.mark.parametrize(("size", "touch"), [(PHONE, True), (WIDE, False)], ids=["phone", "wide"])
def test_from_a_dropped_image_to_a_deleted_case(
    browser: Browser, address: str, size: tuple[int, int], touch: bool
) -> None:
    with opened_page(browser, address, size, touch=touch) as (page, seen):
        steps.drop(page, steps.SEVERAL_COLOURS)
        steps.settled(page)
        expect(page.locator("#live")).to_contain_text(ANSWERED)
        expect(page.locator("#verdict")).to_contain_text("At or above the operating point")
        expect(page.locator("#verdict")).to_contain_text("graz")
        expect(page.locator("#verdict")).to_contain_text(WHERE)

        found = steps.outline(page).get_attribute("d")
        refine(page, touch)
        assert steps.outline(page).get_attribute("d") != found
        steps.keep(page, "NV", "a note to find")

        correct_label(page)
        manifest = exported(page)
        assert [row["diagnosis"] for row in manifest] == ["MEL"]
        delete(page)

        assert seen.strangers(address) == []
        assert seen.complaints == []


def refine(page: Page, touch: bool) -> None:
    steps.tool(page, "background")
    steps.click_image(page, 180, 130, touch=touch)
    steps.tool(page, "lesion")
    steps.click_image(page, 280, 300, touch=touch)
    expect(page.locator(".marks .positive")).to_have_count(1)
    expect(page.locator(".marks .negative")).to_have_count(1)
    expect(page.locator("#undo")).to_be_enabled()


def correct_label(page: Page) -> None:
    steps.view(page, "History")
    page.locator("#history-search").fill("to find")
    expect(page.locator(".case")).to_have_count(1)
    expect(page.locator(".case h2")).to_have_text("Melanocytic nevus")
    page.locator(".case .face").click()
    page.locator("#keep-label").select_option("MEL")
    page.locator("#keep-form [type=submit]").click()
    expect(page.locator("#live")).to_have_text("Changes saved.")


def exported(page: Page) -> list[dict[str, str]]:
    steps.view(page, "History")
    expect(page.locator(".case h2")).to_have_text("Melanoma")
    page.locator("#export summary").click()
    with page.expect_download() as download:
        page.locator("#export a").first.click()
    with zipfile.ZipFile(Path(download.value.path())) as archive:
        return list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))


def delete(page: Page) -> None:
    page.locator(".case [aria-label^='Delete']").click()
    page.locator("#confirm-delete").click()
    expect(page.locator(".case")).to_have_count(0)
    expect(page.locator(".empty")).to_be_visible()
