"""Every state of the page and the way to it, for the tests and for those who look at it.

Whoever adds a state to the page adds it here: it is then checked for accessibility and drawn by `studies/service`.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect

from tests.service.page import steps

Reach = Callable[[Page], None]
ANALYSES = "**/v1/analyses*"
# Not a route: the browser does not show the files of a form to one, so they would be lost on the way to the server.
_ALTER = """(changes) => {
  const ask = (window.honestFetch = window.fetch);
  window.fetch = async (path, options) => {
    const response = await ask(path, options);
    if (!path.startsWith("/v1/analyses")) return response;
    const data = await response.json();
    for (const { analysis } of data.results) Object.assign(analysis, changes);
    return new Response(JSON.stringify(data), { status: response.status, headers: response.headers });
  };
}"""


DOUBTS: Mapping[str, Any] = MappingProxyType(
    {
        "p_melanoma": 0.4,
        "prediction_set": {"codes": ["MEL", "NV"], "coverage": 0.9},
        "evidence": {
            "share_inside": 0.13,
            "peak_inside": False,
            "grid": [[0.0]],
            "warning": "87% of the evidence for malignancy lies outside the outlined lesion, at the dark frame of the "
            "image: look at the picture; the flag stands",
        },
    }
)
"""Fields of an analysis with more than one diagnosis in its set, and with most of its evidence beside the lesion."""


def risk(*, flagged: bool) -> dict[str, Any]:
    """A malignancy risk on one side of its operating point."""
    meaning = "sensitivity 0.95 for malignancy (graz)"
    probability = 0.6 if flagged else 0.02
    return {
        "probability": probability,
        "definition": "graz",
        "threshold": 0.1,
        "operating_point": meaning,
        "flagged": flagged,
    }


def refuse(page: Page, path: str, status: int, code: str, message: str = "", retry_after: int = 0) -> None:
    """Lets the server answer with an error from now on."""
    body = json.dumps({"error": {"code": code, "message": message}})
    headers = {"Content-Type": "application/json", **({"Retry-After": str(retry_after)} if retry_after else {})}
    page.route(path, lambda route: route.fulfill(status=status, headers=headers, body=body))


def alter(page: Page, **changes: Any) -> None:
    """Changes fields of every analysis on its way to the page."""
    page.evaluate(_ALTER, changes)


def welcome(page: Page) -> None:
    expect(page.locator(".welcome")).to_be_visible()


def shortcuts(page: Page) -> None:
    page.locator("#shortcuts-open").click()


def camera_denied(page: Page) -> None:
    page.locator(".welcome .camera").click()
    expect(page.locator("#camera [role=status]")).to_contain_text("cannot be used")


def dropping(page: Page) -> None:
    page.evaluate("document.documentElement.classList.add('dropping')")


def analysing(page: Page) -> None:
    page.route(ANALYSES, lambda _route: None)  # never answered
    steps.choose(page, steps.SEVERAL_COLOURS, steps.FLAGGED, steps.NOT_SKIN)
    expect(page.locator(".spinner").first).to_be_visible()


def below(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)


def many(page: Page) -> None:
    steps.answered(page, *sorted(steps.IMAGES.iterdir())[4:])


def flagged_with_evidence(page: Page) -> None:
    steps.answered(page, steps.FLAGGED, steps.SEVERAL_COLOURS)
    page.locator("#show-evidence").click()
    expect(page.locator(".evidence")).to_be_visible()


def refined(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    steps.tool(page, "lesion")
    steps.click_image(page, 250, 200)
    steps.tool(page, "background")
    steps.click_image(page, 470, 330)
    expect(page.locator(".marks .click")).to_have_count(2)


def boxed(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    steps.tool(page, "box")
    steps.drag_image(page, (150, 80), (300, 250), (410, 370))


def painted(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    steps.tool(page, "paint")
    steps.drag_image(page, (400, 200), (460, 220), (470, 260))


def cross(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    steps.tool(page, "lesion")
    page.locator("#stage").focus()
    page.keyboard.press("ArrowLeft")


def not_skin(page: Page) -> None:
    steps.answered(page, steps.NOT_SKIN)


def no_lesion(page: Page) -> None:
    steps.answered(page, steps.NO_LESION)


def withheld(page: Page) -> None:
    reason = "the image is mostly frame"
    quality = ["blurred", "mostly frame"]
    alter(page, abstained=True, abstain_reason=reason, quality=quality, malignancy=risk(flagged=False))
    steps.answered(page, steps.SEVERAL_COLOURS)


def withheld_flagged(page: Page) -> None:
    reason = "no diagnosis is probable enough"
    flagged = {"malignancy": risk(flagged=True), "flagged_without_answer": True}
    alter(page, abstained=True, abstain_reason=reason, **flagged, **DOUBTS)
    steps.answered(page, steps.SEVERAL_COLOURS)


def doubtful(page: Page) -> None:
    alter(page, abstained=False, abstain_reason="", malignancy=risk(flagged=True), **DOUBTS)
    steps.answered(page, steps.SEVERAL_COLOURS)


def doubtful_report(page: Page) -> None:
    doubtful(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")


def poor_quality(page: Page) -> None:
    alter(page, quality=["too small", "blurred", "under-exposed", "over-exposed"])
    steps.answered(page, steps.SEVERAL_COLOURS)


def not_an_image(page: Page) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "letter.txt"
        text.write_text("This is not an image.")
        steps.answered(page, text)


def too_large(page: Page) -> None:
    refuse(page, ANALYSES, 413, "file-too-large")
    steps.answered(page, steps.SEVERAL_COLOURS)


def busy(page: Page) -> None:
    refuse(page, ANALYSES, 429, "busy", "the service is busy", retry_after=5)
    steps.choose(page, steps.SEVERAL_COLOURS)
    expect(page.locator(".outcome")).to_contain_text("busy")


def offline(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    page.route("**/v1/**", lambda route: route.abort())
    steps.choose(page, steps.FLAGGED)
    expect(page.locator(".offline")).to_be_visible()


def refused_click(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    refuse(page, "**/refine", 429, "busy", "the service is busy; try again in a few seconds", retry_after=3)
    steps.tool(page, "lesion")
    steps.click_image(page, 250, 200)
    expect(page.locator(".toast")).to_be_visible()


def report(page: Page) -> None:
    steps.answered(page, steps.FLAGGED)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")


def tiff(page: Page) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "microscope.tif"
        with Image.open(steps.SEVERAL_COLOURS) as image:
            image.save(copy)
        steps.answered(page, copy)
    expect(page.locator(".picture")).to_have_attribute("src", re.compile("display"))
    page.wait_for_load_state("networkidle")


def history_off(page: Page) -> None:
    refuse(page, "**/v1/cases*", 503, "history-off", 'the history is off; run pip install "dermoscope[store]"')
    steps.view(page, "History")
    expect(page.locator(".empty")).to_be_visible()


def history_empty(page: Page) -> None:
    page.route("**/v1/cases?*", lambda route: route.fulfill(json={"cases": [], "next": None, "total": 0}))
    steps.view(page, "History")
    expect(page.locator(".empty")).to_be_visible()


def kept(page: Page) -> None:
    steps.answered(page, steps.SEVERAL_COLOURS)
    steps.keep(page, "MEL", "Back, left. Look again in May.")


def with_similar(page: Page) -> None:
    kept(page)
    steps.answered(page, steps.FLAGGED)
    page.locator(".queue .entry").last.click()
    expect(page.locator(".neighbour").first).to_be_visible()


def recorrected(page: Page) -> None:
    kept(page)
    steps.tool(page, "background")
    steps.click_image(page, 180, 130)
    page.locator("#keep-form [type=submit]").scroll_into_view_if_needed()


def history(page: Page) -> None:
    recorrected(page)
    page.locator("#keep-form [type=submit]").click()
    steps.answered(page, steps.FLAGGED)
    page.locator(".queue .entry").last.click()
    steps.keep(page)
    steps.view(page, "History")
    expect(page.locator(".case").first).to_be_visible()


def export_menu(page: Page) -> None:
    history(page)
    page.locator("#export summary").click()


def nothing_found(page: Page) -> None:
    history(page)
    page.locator("#history-search").fill("zebra")
    expect(page.locator(".empty")).to_be_visible()


def picked(page: Page) -> None:
    history(page)
    boxes = page.locator(".case input[type=checkbox]")
    boxes.nth(0).check()
    boxes.nth(1).check()


def compared(page: Page) -> None:
    picked(page)
    page.locator("#compare").click()
    expect(page.locator(".pair .drawing")).to_have_count(2)
    page.wait_for_load_state("networkidle")


def deleting(page: Page) -> None:
    kept(page)
    page.locator("#delete-case").click()
    expect(page.locator("dialog")).to_be_visible()


STATES: Mapping[str, Reach] = MappingProxyType(
    {
        "welcome": welcome,
        "shortcuts": shortcuts,
        "camera-denied": camera_denied,
        "dropping": dropping,
        "analysing": analysing,
        "below": below,
        "flagged-with-evidence": flagged_with_evidence,
        "many": many,
        "refined": refined,
        "boxed": boxed,
        "painted": painted,
        "cross": cross,
        "not-skin": not_skin,
        "no-lesion": no_lesion,
        "withheld": withheld,
        "withheld-flagged": withheld_flagged,
        "doubtful": doubtful,
        "doubtful-report": doubtful_report,
        "poor-quality": poor_quality,
        "not-an-image": not_an_image,
        "too-large": too_large,
        "busy": busy,
        "offline": offline,
        "refused-click": refused_click,
        "tiff": tiff,
        "history-off": history_off,
        "history-empty": history_empty,
        "report": report,
        "kept": kept,
        "recorrected": recorrected,
        "with-similar": with_similar,
        "history": history,
        "export-menu": export_menu,
        "nothing-found": nothing_found,
        "picked": picked,
        "compared": compared,
        "deleting": deleting,
    }
)
"""Name of a state to what a person does to get there from a fresh page. Some keep cases in the history."""
