from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from dermoscope.analysis import Analysis, Evidence, PredictionSet
from dermoscope.batch.errors import OutputError
from dermoscope.batch.results import ResultsFile, encode_line
from dermoscope.report import write_report
from tests.batch.fake_analyzer import FakeBundle, outcome_of

HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>&amp;{{ 7*7 }}"
VOID = {"meta", "img", "input", "br", "link", "hr"}
NO_BUNDLE: dict[str, str] = {}


class Page(HTMLParser):
    """The elements of a page; fails on a tag that is closed but was not opened last."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def attributes(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        visible = (part for tag, parts in self.texts.items() if tag not in ("style", "script") for part in parts)
        return re.sub(r"\s+", " ", " ".join(visible))

    def rows(self) -> list[dict[str, str]]:
        return [attributes for attributes in self.attributes("tr") if "data-verdict" in attributes]


def write(folder: Path, analyses: list[Analysis], embedded: int = 500, rows: int = 5000) -> tuple[str, Page]:
    with ResultsFile(folder / "results.jsonl") as results:
        for one in analyses:
            results.append(encode_line(one))
    bundle = FakeBundle().describe()
    write_report(folder / "results.jsonl", folder / "report.html", bundle=bundle, embedded=embedded, rows=rows)
    text = (folder / "report.html").read_text(encoding="utf-8")
    return text, Page(text)


def analyses(count: int) -> list[Analysis]:
    return [
        outcome_of(f"{n}".encode(), f"image-{n}", f"in/image-{n}.jpg", picture=False, bundle="b").analysis
        for n in range(count)
    ]


def test_the_page_shows_every_image_and_what_failed(tmp_path: Path) -> None:
    _, page = write(tmp_path, [*analyses(50), Analysis.failed("broken", "in/broken.jpg", "is cut short")])
    assert len(page.rows()) == 50
    verdicts = {"flagged", "not flagged", "withheld", "withheld, flagged", "not skin"}
    assert {row["data-verdict"] for row in page.rows()} == verdicts
    options = {attributes["value"] for attributes in page.attributes("option") if "value" in attributes}
    assert verdicts <= options, "each can be looked for"
    assert "50 of 51 images analysed" in page.text
    for words in (
        "in/broken.jpg",
        "is cut short",
        "Research use only. Not a medical device.",
        "graz",
        "Melanoma, basal and squamous cell carcinoma",
        "sensitivity 0.9 on nothing",
        "malignancy AUC (graz)",
        "0.820 to 0.880",
        "CC BY-NC 4.0",
        "no images at all",
        "0123456789abcdef",
        "blurred",
    ):
        assert words in page.text, words


def doubtful(*, abstained: bool, probability: float = 0.6) -> Analysis:
    """A flagged melanoma, as the model sees it, with most of the evidence beside the lesion and two diagnoses left."""
    one = next(analysis for analysis in analyses(50) if not analysis.abstained)
    assert one.malignancy
    risk = {"probability": probability, "flagged": probability >= one.malignancy.threshold}
    changes = {
        "malignancy": one.malignancy.model_copy(update=risk),
        "diagnosis": dict.fromkeys(one.diagnosis, 0.04) | {"MEL": 0.76},
        "prediction_set": PredictionSet(codes=("MEL", "NV"), coverage=0.9),
        "evidence": Evidence(share_inside=0.1, peak_inside=False, grid=((0.0,),), warning="90% lies outside"),
        "abstained": abstained,
        "abstain_reason": "no diagnosis is probable enough" if abstained else "",
    }
    return one.model_copy(update=changes)


def test_a_doubtful_answer_comes_with_its_doubts(tmp_path: Path) -> None:
    _, page = write(tmp_path, [doubtful(abstained=False)])
    assert "Remain possible: melanoma, melanocytic nevus" in page.text
    assert "90% lies outside" in page.text
    assert re.search(r"all lists together, .* hold the true diagnosis for 90.0\W% of images", page.text)


@pytest.mark.parametrize(
    ("mode", "caption", "meaning"),
    [
        ("best", "Answers by group of the diagnosis", "The group of the diagnosis, with the probability"),
        ("", "Answers by most probable lesion group", "The most probable group with its probability"),
    ],
)
def test_the_group_is_named_for_what_it_is(tmp_path: Path, mode: str, caption: str, meaning: str) -> None:
    _, page = write(tmp_path, [doubtful(abstained=False).model_copy(update={"mode": mode})])
    assert caption in page.text
    assert meaning in page.text
    assert ("another group may have a higher one" in page.text) == bool(mode)


def test_no_answer_above_the_operating_point_is_no_all_clear(tmp_path: Path) -> None:
    _, page = write(tmp_path, [doubtful(abstained=True), doubtful(abstained=True, probability=0.1)])
    assert [row["data-verdict"] for row in page.rows()] == ["withheld, flagged", "withheld"]
    assert page.text.count("No answer, but the malignancy risk is at or above the operating point") == 1
    assert re.search(r"1 of them has a malignancy risk of 30.0\W% or more all the same: have it looked at", page.text)
    for withheld in ("Remain possible: ", "90% lies outside", "60.0", "76.0"):
        assert withheld not in page.text, withheld


def test_where_nothing_is_withheld_and_flagged_the_summary_does_not_speak_of_it(tmp_path: Path) -> None:
    _, page = write(tmp_path, [doubtful(abstained=True, probability=0.1)])
    assert "of them" not in page.text


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        ({"modes": {"best": {"networks": ["one"]}}, "mode": "best"}, "the class activation maps of the networks"),
        ({"modes": {"best": {"networks": ["one"]}}}, "leaving out one region of the image after another"),
        ({}, "leaving out one region of the image after another"),
    ],
)
def test_how_the_evidence_was_found(tmp_path: Path, bundle: dict[str, object], words: str) -> None:
    write(tmp_path, analyses(1))
    write_report(tmp_path / "results.jsonl", tmp_path / "report.html", bundle=bundle)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert words in text
    assert ("leaving out" in text) != ("activation maps" in text)


def test_the_page_reaches_for_nothing(tmp_path: Path) -> None:
    text, page = write(tmp_path, analyses(20))
    assert not re.search(r"(https?|ftp|wss?):|//[a-z]", re.sub(r"base64,[^\"]*", "", text.split("<script>")[0]))
    assert not re.search(r"https?:|fetch|XMLHttpRequest|import\(|WebSocket|innerHTML|eval", text.split("<script>")[1])
    assert not page.attributes("link")
    assert not page.attributes("iframe")
    for _, attributes in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        for name in ("src", "href"):
            assert re.match(r"#|data:image/jpeg;base64,|(pictures|masks)/|$", attributes.get(name, ""))


def test_the_policy_admits_the_page_s_own_style_and_script_alone(tmp_path: Path) -> None:
    text, page = write(tmp_path, analyses(2))
    (policy,) = (
        meta["content"] for meta in page.attributes("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    )
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_names_and_reasons_of_strangers_stay_text(tmp_path: Path) -> None:
    names = dict.fromkeys(("image_id", "path", "abstain_reason"), HOSTILE)
    hostile = analyses(1)[0].model_copy(update={**names, "quality": (HOSTILE,), "abstained": True})
    plain, _ = write(tmp_path, analyses(1))
    (tmp_path / "results.jsonl").unlink()
    text, page = write(tmp_path, [hostile, Analysis.failed(HOSTILE, HOSTILE, HOSTILE)])
    assert text.count("<script") == plain.count("<script") == 1
    assert "<img src=x" not in text
    assert page.rows()[0]["data-path"] == HOSTILE
    assert "{{ 7*7 }}" in page.text
    assert not any("onerror" in attributes for _, attributes in page.elements)


def test_pictures_are_embedded_up_to_a_number_and_linked_beyond(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(5):
        cv2.imwrite(str(tmp_path / "pictures" / f"image-{number}.png"), np.zeros((60, 180, 3), np.uint8))
    _, page = write(tmp_path, analyses(6), embedded=3)
    sources = [attributes["src"] for attributes in page.attributes("img")]
    assert [source.partition(":")[0] == "data" for source in sources] == [True, True, True, False, False]
    assert sources[3:] == ["pictures/image-3.png", "pictures/image-4.png"]
    assert all(attributes["alt"] and attributes["loading"] == "lazy" for attributes in page.attributes("img"))


def test_of_too_many_images_the_page_says_what_it_leaves_out(tmp_path: Path) -> None:
    text, page = write(tmp_path, analyses(60), rows=10)
    assert len(page.rows()) == 10
    assert "This page shows the 10 images with the highest malignancy risk; all 60 are in" in page.text
    assert {row["data-verdict"] for row in page.rows()} == {"flagged"}
    assert len(text) < 100_000


@pytest.mark.parametrize(
    "results",
    [
        [],
        [Analysis.failed("x", "x.jpg", "is empty")],
        [Analysis(image_id="bare")],
        [analyses(1)[0].model_copy(update={"gate": None, "mask": None, "malignancy": None})],
    ],
    ids=["nothing", "one failure", "bare", "no answer"],
)
def test_odd_folders_make_a_page(tmp_path: Path, results: list[Analysis]) -> None:
    _, page = write(tmp_path, results)
    assert "Research use only" in page.text
    write_report(tmp_path / "results.jsonl", tmp_path / "bare.html", bundle=NO_BUNDLE)


def test_every_control_has_a_name(tmp_path: Path) -> None:
    text, page = write(tmp_path, analyses(40))
    assert page.attributes("html") == [{"lang": "en"}]
    for control in ("input", "select"):
        assert page.attributes(control)
    for label in re.findall(r"<label[^>]*>(.*?)</label>", text, re.DOTALL):
        assert re.match(r"[A-Z][a-z ]+", label)
    assert len(re.findall(r"<caption", text)) == len(page.attributes("table"))
    assert all("scope" in attributes for attributes in page.attributes("th"))


def test_the_page_is_the_same_for_the_same_results(tmp_path: Path) -> None:
    write(tmp_path, analyses(10))
    pages = []
    for name in ("one.html", "two.html"):
        created = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
        write_report(tmp_path / "results.jsonl", tmp_path / name, bundle=NO_BUNDLE, created=created)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]
    assert b"1 May 2026, 12:30 UTC" in pages[0]


def test_a_damaged_line_leaves_no_half_page(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text("oops\n")
    with pytest.raises(OutputError, match="line 1"):
        write_report(tmp_path / "results.jsonl", tmp_path / "report.html", bundle=NO_BUNDLE)
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]
