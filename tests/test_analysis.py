from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from dermoscope import taxonomy
from dermoscope.analysis import Analysis, Gate, LesionMask, Malignancy, Measures, Status

COLUMNS = """
    image_id path status reason is_skin p_skin group p_melanocytic p_carcinoma p_keratosis p_fibrous p_vascular
    diagnosis p_MEL p_NV p_BCC p_AKIEC p_BKL p_DF p_VASC p_malignant malignancy_definition p_melanoma
    abstained abstain_reason mask mask_confidence area_fraction flagged malignancy_threshold quality width height
    bundle asymmetry border_irregularity colours diameter_px diameter_mm cut_by_border
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


def test_columns_are_only_added() -> None:
    promised = COLUMNS.split()
    assert list(DONE.to_row())[: len(promised)] == promised


def test_top_answers() -> None:
    assert DONE.top_diagnosis == "NV"
    assert DONE.top_group == taxonomy.GROUPS[2]


def test_row() -> None:
    row = DONE.to_row()
    assert row["status"] == "done"
    assert row["mask"] == "masks/one.png"
    assert row["quality"] == "blurred dark"
    assert (row["group"], row["diagnosis"], row["p_NV"]) == (taxonomy.GROUPS[2], "NV", 0.4)
    assert (row["p_malignant"], row["malignancy_definition"], row["flagged"]) == (0.2, "graz", True)
    assert row["abstained"] is False
    assert (row["asymmetry"], row["border_irregularity"], row["colours"]) == (0.15, 1.4, "light brown; black")
    assert (row["diameter_px"], row["diameter_mm"], row["cut_by_border"]) == (20.5, None, False)
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


def test_other_codes_get_columns_of_their_own() -> None:
    row = DONE.model_copy(update={"diagnosis": DIAGNOSIS | {"SCC": 0.02}}).to_row()
    assert row["p_SCC"] == 0.02


def test_unknown_fields_and_changes_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        Analysis.model_validate({"image_id": "a", "colour": "red"})
    with pytest.raises(ValidationError, match="frozen"):
        DONE.image_id = "other"  # type: ignore[misc]
