from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from dermoscope import taxonomy
from dermoscope.analysis import Analysis, Evidence, Gate, LesionMask, Malignancy, Measures, PredictionSet, Status

COLUMNS = """
    image_id path status reason is_skin p_skin group p_melanocytic p_carcinoma p_keratosis p_fibrous p_vascular
    diagnosis p_MEL p_NV p_BCC p_AKIEC p_BKL p_DF p_VASC p_malignant malignancy_definition p_melanoma
    abstained abstain_reason mask mask_confidence area_fraction flagged malignancy_threshold quality width height
    bundle asymmetry border_irregularity colours diameter_px diameter_mm cut_by_border out_of_distribution
    mode prediction_set evidence_inside evidence_warning flagged_without_answer
"""
DIAGNOSIS = dict.fromkeys(taxonomy.HAM10000_CODES, 0.1) | {"NV": 0.4}
GROUP = dict.fromkeys(taxonomy.GROUPS, 0.1) | {taxonomy.GROUPS[2]: 0.6}
DONE = Analysis(
    image_id="one",
    path="photos/one.jpg",
    width=40,
    height=30,
    quality=("blurred", "dark"),
    gate=Gate(is_skin=True, p_skin=0.9, threshold=0.5),
    mask=LesionMask(
        prompt="box", confidence=0.8, area_fraction=0.25, box=(1, 2, 3, 4), outline=(((1, 2), (3, 4)),), candidates=()
    ),
    measures=Measures(
        asymmetry=0.15,
        asymmetry_axes=(0.1, 0.2),
        border_irregularity=1.4,
        colours=("light brown", "black"),
        colour_shares={"light brown": 0.7, "black": 0.2},
        colour_variance=120.0,
        diameter_px=20.5,
        equivalent_diameter_px=18.0,
        diameter_mm=None,
        equivalent_diameter_mm=None,
        spacing_mm=None,
        cut_by_border=False,
    ),
    diagnosis=DIAGNOSIS,
    group=GROUP,
    malignancy=Malignancy(probability=0.2, definition="graz", threshold=0.1, operating_point="x", flagged=True),
    prediction_set=PredictionSet(codes=("NV", "MEL"), coverage=0.9),
    evidence=Evidence(share_inside=0.25, peak_inside=False, grid=((0.0,),), warning="75% lies outside"),
    p_melanoma=0.05,
    timings_ms={"decode": 1.5},
    bundle="0123456789abcdef",
)


def test_json_and_back() -> None:
    assert Analysis.model_validate_json(json.dumps(DONE.to_dict())) == DONE


def test_a_record_from_before_there_were_measures_still_reads() -> None:
    record = DONE.to_dict()
    del record["measures"]
    assert Analysis.model_validate(record).measures is None


def test_what_follows_is_written_and_derived_anew_when_it_is_read() -> None:
    in_mode = DONE.model_copy(update={"mode": "best", "abstained": True})
    record = in_mode.to_dict()
    assert (record["top_diagnosis"], record["top_group"]) == ("NV", "melanocytic")
    assert record["flagged_without_answer"] is True
    assert Analysis.model_validate(record | {"top_group": "vascular"}) == in_mode
    del record["top_group"], record["top_diagnosis"], record["flagged_without_answer"]
    assert Analysis.model_validate(record) == in_mode, "as it was written before"


def test_the_scale_outlives_a_missing_lesion() -> None:
    found = DONE.model_copy(update={"measures": None, "spacing_mm": (0.02, 0.02)})
    assert Analysis.model_validate_json(json.dumps(found.to_dict())).spacing_mm == (0.02, 0.02)
    assert DONE.measures
    record = DONE.to_dict()
    del record["spacing_mm"]
    assert Analysis.model_validate(record).spacing_mm is None
    record["measures"]["spacing_mm"] = [0.03, 0.03]
    assert Analysis.model_validate(record).spacing_mm == (0.03, 0.03), "older records have it there alone"


def test_columns_are_only_added() -> None:
    promised = COLUMNS.split()
    assert list(DONE.to_row())[: len(promised)] == promised


def test_top_answers() -> None:
    assert DONE.top_diagnosis == "NV"
    assert DONE.top_group == taxonomy.GROUPS[2]


@pytest.mark.parametrize(("code", "group"), [("BCC", "non-melanocytic carcinoma"), ("AKIEC", "keratosis")])
def test_in_a_mode_the_group_is_that_of_the_diagnosis(code: str, group: str) -> None:
    """Two diagnoses of another group may outweigh it together; `AKIEC` lies in two groups."""
    diagnosis = {code: 0.4, "MEL": 0.3, "NV": 0.2, "BKL": 0.1}
    groups = {"melanocytic": 0.5, "keratosis": 0.3, "non-melanocytic carcinoma": 0.2}
    assert set(groups) <= set(taxonomy.GROUPS)
    by_head = DONE.model_copy(update={"diagnosis": diagnosis, "group": groups})
    assert by_head.top_group == "melanocytic"
    assert by_head.model_copy(update={"mode": "best"}).top_group == group


def test_row() -> None:
    row = DONE.to_row()
    assert row["status"] == "done"
    assert row["mask"] == "masks/one.png"
    assert row["quality"] == "blurred dark"
    assert (row["group"], row["diagnosis"], row["p_NV"]) == (taxonomy.GROUPS[2], "NV", 0.4)
    assert (row["p_malignant"], row["malignancy_definition"], row["flagged"]) == (0.2, "graz", True)
    assert row["abstained"] is False
    assert row["flagged_without_answer"] is False
    assert DONE.model_copy(update={"abstained": True}).to_row()["flagged_without_answer"] is True
    assert (row["asymmetry"], row["border_irregularity"], row["colours"]) == (0.15, 1.4, "light brown; black")
    assert (row["diameter_px"], row["diameter_mm"], row["cut_by_border"]) == (20.5, None, False)
    assert row["prediction_set"] == "NV MEL"
    assert DONE.model_copy(update={"mode": "best"}).to_row()["mode"] == "best"
    assert (row["evidence_inside"], row["evidence_warning"]) == (0.25, "75% lies outside")
    assert all(f"p_{taxonomy.GROUP_COLUMNS[group]}" in row for group in taxonomy.GROUPS)


def test_a_failed_image_has_the_same_columns_and_no_numbers() -> None:
    failed = Analysis.failed("bad", "bad.jpg", "is truncated")
    row = failed.to_row()
    assert list(row) == list(DONE.to_row())
    assert {name: value for name, value in row.items() if value not in (None, "")} == {
        "image_id": "bad",
        "path": "bad.jpg",
        "status": "failed",
        "reason": "is truncated",
    }
    assert failed.status is Status.FAILED
    assert failed.top_group is failed.top_diagnosis is None


@pytest.mark.parametrize(
    ("is_skin", "abstained", "flagged", "expected"),
    [(True, True, True, True), (True, True, False, False), (True, False, True, False), (False, True, True, False)],
)
def test_flagged_without_an_answer(is_skin: bool, abstained: bool, flagged: bool, expected: bool) -> None:
    assert DONE.gate
    assert DONE.malignancy
    changes = {
        "gate": DONE.gate.model_copy(update={"is_skin": is_skin}),
        "malignancy": DONE.malignancy.model_copy(update={"flagged": flagged}),
        "abstained": abstained,
    }
    assert DONE.model_copy(update=changes).flagged_without_answer == expected


def test_without_gate_or_risk_it_is_clear_what_is_flagged() -> None:
    withheld = DONE.model_copy(update={"abstained": True})
    assert withheld.model_copy(update={"gate": None}).flagged_without_answer
    assert not withheld.model_copy(update={"malignancy": None}).flagged_without_answer


def test_other_codes_get_columns_of_their_own() -> None:
    row = DONE.model_copy(update={"diagnosis": DIAGNOSIS | {"SCC": 0.02}}).to_row()
    assert row["p_SCC"] == 0.02


def test_unknown_fields_and_changes_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        Analysis.model_validate({"image_id": "a", "colour": "red"})
    with pytest.raises(ValidationError, match="frozen"):
        DONE.image_id = "other"  # type: ignore[misc]
