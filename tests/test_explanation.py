"""Evidence and prediction sets, as a person reads them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.bundle_parts import Calibration, ConformalPart, Head
from dermoscope.explanation import evidence_record, prediction_set

SKIN = np.full((280, 280, 3), (210, 160, 140), np.uint8)
VIEW = np.ones((280, 280), np.bool_)
MASK = np.zeros((280, 280), np.bool_)
MASK[150:250, 150:250] = True


def evidence_at(rows: slice, columns: slice, background: float = 0.0) -> NDArray[np.float32]:
    found = np.full((28, 28), background, np.float32)
    found[rows, columns] = 1
    return found


def test_evidence_on_the_lesion_is_no_reason_to_worry() -> None:
    found = evidence_record(evidence_at(slice(15, 25), slice(15, 25)), MASK, SKIN, VIEW, flagged=True)
    assert found.share_inside == pytest.approx(1)
    assert found.peak_inside
    assert found.warning == ""
    assert len(found.grid) == len(found.grid[0]) == 14
    assert found.grid[9][9] == 1
    assert found.grid[2][2] == 0


def test_evidence_beside_the_lesion_is() -> None:
    found = evidence_record(evidence_at(slice(0, 8), slice(0, 8)), MASK, SKIN, VIEW, flagged=True)
    assert found.share_inside == 0
    assert not found.peak_inside
    assert found.warning.startswith("100% of the evidence for malignancy lies outside the outlined lesion, on the skin")
    assert found.warning.endswith(": look at the picture; the flag stands")


def test_a_low_risk_needs_no_warning_and_neither_does_a_peak_on_the_lesion() -> None:
    beside = evidence_at(slice(0, 8), slice(0, 8))
    assert evidence_record(beside, MASK, SKIN, VIEW, flagged=False).warning == ""
    beside[20, 20] = 2
    found = evidence_record(beside, MASK, SKIN, VIEW, flagged=True)
    assert found.peak_inside
    assert found.share_inside is not None
    assert found.share_inside < 0.5
    assert found.warning == ""


def test_the_frame_is_named() -> None:
    view = VIEW.copy()
    view[:80, :80] = False
    assert (
        "dark frame" in evidence_record(evidence_at(slice(0, 8), slice(0, 8)), MASK, SKIN, view, flagged=True).warning
    )


def test_hair_is_named() -> None:
    hairy = SKIN.copy()
    for column in range(5, 80, 15):
        hairy[:100, column : column + 2] = 30
    assert "hair" in evidence_record(evidence_at(slice(0, 8), slice(0, 8)), MASK, hairy, VIEW, flagged=True).warning


def test_without_a_mask_or_without_evidence_there_is_no_share() -> None:
    for evidence, mask in ((evidence_at(slice(0, 8), slice(0, 8)), None), (np.full((28, 28), -1, np.float32), MASK)):
        found = evidence_record(evidence, mask, SKIN, VIEW, flagged=True)
        assert found.share_inside is found.peak_inside is None
        assert found.warning == ""


CLASSES = ("MEL", "NV", "BKL")


def conformal(*thresholds: float | None) -> ConformalPart:
    return ConformalPart(method="lac", coverage=0.9, thresholds=thresholds, class_conditional=True, images=(10, 10, 10))


def test_sets_come_in_the_order_of_probability() -> None:
    probabilities = {"MEL": 0.3, "NV": 0.6, "BKL": 0.1}
    found = prediction_set(CLASSES, conformal(0.7, 0.7, 0.7), probabilities)
    assert found
    assert (found.codes, found.coverage) == (("NV", "MEL"), 0.9)


def test_the_answer_is_in_its_own_set() -> None:
    found = prediction_set(CLASSES, conformal(0.3, 0.3, 0.3), {"MEL": 0.25, "NV": 0.4, "BKL": 0.35})
    assert found
    assert found.codes == ("NV",)


def test_a_class_without_a_limit_is_in_every_set() -> None:
    found = prediction_set(CLASSES, conformal(0.1, 0.1, None), {"MEL": 0.3, "NV": 0.7, "BKL": 0.0})
    assert found
    assert found.codes == ("NV", "BKL")


def test_without_a_calibration_there_is_no_set() -> None:
    assert prediction_set(CLASSES, None, {"MEL": 0.3, "NV": 0.6, "BKL": 0.1}) is None


def test_every_class_needs_its_limit() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        Head(
            output="diagnosis",
            classes=CLASSES,
            calibration=Calibration(temperature=1.0, bias=(0.0, 0.0, 0.0)),
            equal_classes=True,
            frequencies=(0.1, 0.8, 0.1),
            conformal=conformal(0.5, 0.5),
        )
