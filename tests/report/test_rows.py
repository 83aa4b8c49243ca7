from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from dermoscope.analysis import Analysis, Evidence, Measures, PredictionSet
from dermoscope.report.rows import Thumbnails, row_of, share
from tests.batch.fake_analyzer import outcome_of


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0 %"), (0.00049, "< 0.1 %"), (0.2384, "23.8 %"), (0.99951, "> 99.9 %"), (1.0, "100.0 %"), (None, "–")],
)
def test_shares_never_round_to_certainty(value: float | None, text: str) -> None:
    assert share(value).text == text.replace(" %", "\u00a0%")


def test_a_withheld_answer_is_not_shown() -> None:
    verdicts = set()
    for number in range(60):
        analysis = outcome_of(bytes([number]), "x", "a/b/x.jpg", picture=False, bundle="b").analysis
        row = row_of(analysis, None)
        verdicts.add(row.verdict)
        has_answer = row.verdict in ("flagged", "not flagged")
        assert (row.risk.text != "–") == (row.melanoma.text != "–") == bool(row.group) == bool(row.diagnosis)
        assert bool(row.group) == has_answer
        assert bool(row.why) == (not has_answer)
        assert row.folder == "a/b"
    assert verdicts == {"flagged", "not flagged", "withheld", "withheld, flagged", "not skin"}


def measures(*, cut: bool = False, millimetres: float | None = None) -> Measures:
    return Measures(
        asymmetry=0.123,
        asymmetry_axes=(0.1, 0.146),
        border_irregularity=1.4,
        colours=("light brown", "black"),
        colour_shares={"light brown": 0.8, "black": 0.1},
        colour_variance=100.0,
        diameter_px=1204.4,
        equivalent_diameter_px=1000.0,
        diameter_mm=millimetres,
        equivalent_diameter_mm=millimetres,
        spacing_mm=None,
        cut_by_border=cut,
    )


def answered() -> Analysis:
    found = (outcome_of(bytes([n]), "x", "x.jpg", picture=False, bundle="b").analysis for n in range(60))
    return next(analysis for analysis in found if not analysis.abstained)


@pytest.mark.parametrize(
    ("measured", "diameter"),
    [
        (measures(), "1,204 px"),
        (measures(millimetres=6.24), "6.2 mm"),
        (measures(cut=True), "≥ 1,204 px"),
    ],
)
def test_the_letters(measured: Measures, diameter: str) -> None:
    row = row_of(answered().model_copy(update={"measures": measured}), None)
    texts = {letter: text.replace("\u00a0", " ") for letter, text in row.letters}
    assert texts == {"A": "12.3 %", "B": "1.40", "C": "light brown, black", "D": diameter}
    assert row.is_cut == measured.cut_by_border


def test_without_a_mask_there_are_no_letters() -> None:
    row = row_of(answered().model_copy(update={"measures": None}), None)
    assert row.letters == ()
    assert not row.is_cut


def test_evidence_belongs_to_an_answer() -> None:
    evidence = Evidence(share_inside=0.25, peak_inside=False, grid=((0.0,),), warning="75% lies outside")
    analysis = answered().model_copy(update={"evidence": evidence})
    row = row_of(analysis, None)
    assert (row.evidence.value, row.warning) == (0.25, "75% lies outside")
    withheld = row_of(analysis.model_copy(update={"abstained": True, "abstain_reason": "x"}), None)
    assert (withheld.evidence.value, withheld.warning) == (-1, "")


def test_the_diagnoses_that_remain_belong_to_an_answer_and_are_several() -> None:
    two = PredictionSet(codes=("NV", "MEL"), coverage=0.9)
    analysis = answered().model_copy(update={"prediction_set": two})
    assert row_of(analysis, None).remain == ("melanocytic nevus", "melanoma")
    withheld = {"abstained": True, "abstain_reason": "x"}
    assert row_of(analysis.model_copy(update=withheld), None).remain == ()
    alone = {"prediction_set": PredictionSet(codes=("NV",), coverage=0.9)}
    assert row_of(analysis.model_copy(update=alone), None).remain == ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("pictures/a.png", "pictures/b #1.png", "masks/a.png", "masks/c.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.full((300, 900, 3), 90, np.uint8))
    (tmp_path / "pictures" / "broken.png").write_text("x")
    (tmp_path / "pictures" / "empty.png").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("image_id", "target"),
    [("a", "pictures/a.png"), ("b #1", "pictures/b%20%231.png"), ("c", "masks/c.png"), ("gone", None)],
)
def test_thumbnails_are_embedded_and_then_linked(folder: Path, image_id: str, target: str | None) -> None:
    embedded, linked = (Thumbnails(folder, embedded=count).of(image_id) for count in (1, 0))
    if target is None:
        assert embedded is None
        assert linked is None
        return
    assert embedded is not None
    assert linked is not None
    assert embedded.target == linked.target == linked.source == target
    head, _, data = embedded.source.partition(",")
    assert head == "data:image/jpeg;base64"
    small = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert small is not None
    assert small.shape == (112, 336, 3)


def test_only_the_first_few_are_embedded(folder: Path) -> None:
    thumbnails = Thumbnails(folder, embedded=2)
    kinds = [thumbnail.source[:4] for name in ("a", "gone", "c", "b #1") if (thumbnail := thumbnails.of(name))]
    assert kinds == ["data", "data", "pict"]


@pytest.mark.parametrize("image_id", ["broken", "empty"])
def test_a_damaged_picture_is_linked(folder: Path, image_id: str) -> None:
    thumbnail = Thumbnails(folder, embedded=1).of(image_id)
    assert thumbnail is not None
    assert thumbnail.source == f"pictures/{image_id}.png"
