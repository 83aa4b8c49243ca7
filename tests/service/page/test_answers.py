"""What the page says about an answer that is doubtful, or that is not given."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.service.page import states, steps

ALL_CLEAR = "No answer is no all-clear"
REMAIN = "Remain possible: melanoma, melanocytic nevus"
BESIDE = "87% of the evidence for malignancy lies outside the outlined lesion"
COVERED = """() => {
  const text = document.createRange();
  text.selectNodeContents(document.querySelector(".entry .outcome"));
  return text.getBoundingClientRect().right > document.querySelector(".drop-entry").getBoundingClientRect().left;
}"""
"""Whether the button that removes an image lies over what came out of it."""


def test_a_warning_and_the_diagnoses_that_remain_are_shown(page: Page) -> None:
    states.doubtful(page)
    expect(page.locator("#result .caution")).to_contain_text(BESIDE)
    expect(page.locator("#result .caution")).not_to_contain_text("as first drawn")
    expect(page.locator("#probabilities")).to_contain_text(REMAIN)
    expect(page.locator("#probabilities")).to_contain_text("the true diagnosis for 90.0\u00a0%")
    expect(page.locator("#probabilities")).to_contain_text("all lists together")


def test_a_warning_about_an_outline_that_was_corrected_says_so(page: Page) -> None:
    states.doubtful(page)
    steps.tool(page, "background")
    steps.click_image(page, 180, 130)
    expect(page.locator("#result .caution")).to_contain_text("as first drawn")


def test_so_it_does_once_the_case_is_opened_again(page: Page) -> None:
    states.doubtful(page)
    steps.tool(page, "background")
    steps.click_image(page, 180, 130)
    steps.keep(page, note="opened again")
    page.locator(".drop-entry").click()
    doubts = {"abstained": False, "abstain_reason": "", "malignancy": states.risk(flagged=True), **states.DOUBTS}
    page.route("**/v1/cases?*", lambda route: route.fulfill(json=with_doubts(route.fetch().json(), doubts)))
    steps.view(page, "History")
    page.locator(".case", has_text="opened again").locator(".face").click()
    expect(page.locator("#result .caution")).to_contain_text("as first drawn")
    expect(page.locator("#lesion")).to_contain_text("a person, before the case was opened")
    expect(page.locator("#undo")).to_be_disabled()


def with_doubts(listed: dict[str, Any], doubts: dict[str, Any]) -> dict[str, Any]:
    """A page of the history whose analyses are doubtful."""
    for case in listed["cases"]:
        case["analysis"] |= doubts
    return listed


def test_beside_another_case_the_group_is_that_of_the_diagnosis(page: Page) -> None:
    groups = {"melanocytic": 0.7, "keratosis": 0.3}
    told = {"diagnosis": {"BKL": 0.3, "MEL": 0.35, "NV": 0.35}, "top_diagnosis": "BKL", "top_group": "keratosis"}
    calm = {"abstained": False, "malignancy": states.risk(flagged=False), "p_melanoma": 0.1, "mode": "best"}
    changes = {**calm, **told, "group": groups}
    page.route("**/v1/cases?*", lambda route: route.fulfill(json=with_doubts(route.fetch().json(), changes)))
    states.compared(page)
    row = page.locator(".comparison tr", has_text="Group of the diagnosis")
    expect(row.locator("td")).to_have_text(["Keratosis (actinic, benign) (30.0\u00a0%)"] * 2)


def test_the_printed_report_says_it_too(page: Page) -> None:
    states.doubtful_report(page)
    expect(page.locator(".report")).to_contain_text(BESIDE)
    expect(page.locator(".report")).to_contain_text(REMAIN)


def test_a_single_diagnosis_is_not_said_to_be_the_only_possible_one(page: Page) -> None:
    alone = {"prediction_set": {"codes": ["NV"], "coverage": 0.9}, "evidence": None}
    states.alter(page, abstained=False, malignancy=states.risk(flagged=False), **alone)
    steps.answered(page, steps.SEVERAL_COLOURS)
    expect(page.locator("#probabilities")).to_be_visible()
    expect(page.locator("#result .remain")).to_have_count(0)
    expect(page.locator("#result .caution")).to_have_count(0)


def test_no_answer_above_the_operating_point_is_no_all_clear(page: Page) -> None:
    states.withheld_flagged(page)
    expect(page.locator("#verdict")).to_contain_text("No diagnosis is probable enough.")
    expect(page.locator("#verdict")).to_contain_text(ALL_CLEAR)
    expect(page.locator(".outcome.withheld.flagged")).to_have_text("No answer, but flagged")
    assert not page.evaluate(COVERED)
    expect(page.locator("#live")).to_contain_text(ALL_CLEAR)
    for withheld in ("#result .remain", "#probabilities", "#result .caution", "#verdict .number"):
        expect(page.locator(withheld)).to_have_count(0)


def test_no_answer_below_the_operating_point_raises_no_alarm(page: Page) -> None:
    states.withheld(page)
    expect(page.locator("#verdict")).to_contain_text("mostly frame")
    expect(page.locator("#verdict")).not_to_contain_text(ALL_CLEAR)
    expect(page.locator(".outcome.withheld")).to_have_text("No answer")
    expect(page.locator(".outcome.flagged")).to_have_count(0)


def test_what_is_not_skin_raises_no_alarm(page: Page) -> None:
    states.alter(page, malignancy=states.risk(flagged=True))
    steps.answered(page, steps.NOT_SKIN)
    expect(page.locator("#verdict")).to_contain_text("does not look like skin")
    expect(page.locator("#verdict")).not_to_contain_text(ALL_CLEAR)
