"""At most one reason, always the same one first."""

from __future__ import annotations

import pytest

from dermoscope import taxonomy
from dermoscope.abstention import NOT_SKIN_REASON, group_disagreement, reason_to_abstain
from dermoscope.analysis import Evidence, Gate, PredictionSet
from dermoscope.bundle_parts import AbstentionPart

SKIN, NOT_SKIN = (Gate(is_skin=is_skin, p_skin=0.5, threshold=0.5) for is_skin in (True, False))
STRICT = AbstentionPart(
    quality=("blurred",), least_evidence_inside=0.3, most_disagreement=0.5, least_certainty=0.4, largest_set=2
)
BESIDE = Evidence(share_inside=0.2, peak_inside=False, grid=((0.0,),))
THREE = PredictionSet(codes=("MEL", "NV", "BKL"), coverage=0.9)


def reason(
    gate: Gate = SKIN,
    quality: tuple[str, ...] = (),
    rules: AbstentionPart | None = STRICT,
    out_of_distribution: float | None = None,
    disagreement: float = 0.0,
    certainty: float = 1.0,
    prediction_set: PredictionSet | None = None,
    evidence: Evidence | None = None,
) -> str:
    return reason_to_abstain(
        gate,
        quality,
        rules,
        out_of_distribution=out_of_distribution,
        disagreement=disagreement,
        certainty=certainty,
        prediction_set=prediction_set,
        evidence=evidence,
    )


def test_the_order_of_reasons() -> None:
    everything = {
        "gate": NOT_SKIN,
        "quality": ("blurred",),
        "out_of_distribution": 1.1,
        "disagreement": 0.6,
        "certainty": 0.3,
        "prediction_set": THREE,
        "evidence": BESIDE,
    }
    reasons = []
    for name in ("gate", "quality", "out_of_distribution", "disagreement", "certainty", "prediction_set", "evidence"):
        reasons.append(reason(**everything))  # type: ignore[arg-type]
        del everything[name]
    assert reasons == [
        NOT_SKIN_REASON,
        "the image is blurred",
        "the image is unlike those that the model was calibrated on",
        "the parts of the model contradict each other",
        "no diagnosis is probable enough",
        "3 diagnoses remain possible",
        "the evidence for malignancy lies beside the lesion",
    ]
    assert reason(**everything) == ""  # type: ignore[arg-type]


def test_without_rules_only_what_always_withheld_an_answer_does() -> None:
    nothing = reason(
        quality=("blurred",), rules=None, disagreement=1.0, certainty=0.0, prediction_set=THREE, evidence=BESIDE
    )
    assert nothing == ""
    assert reason(gate=NOT_SKIN, rules=None) == NOT_SKIN_REASON
    assert reason(quality=("blurred", "mostly frame"), rules=None) == "the image is mostly frame"


@pytest.mark.parametrize("rules", [None, AbstentionPart(), STRICT])
def test_rules_cannot_lift_what_always_holds(rules: AbstentionPart | None) -> None:
    assert reason(gate=NOT_SKIN, rules=rules)
    assert reason(quality=("mostly frame",), rules=rules)


def test_limits_themselves_are_allowed() -> None:
    assert reason(disagreement=0.5) == ""
    assert reason(certainty=0.4) == ""
    assert reason(prediction_set=PredictionSet(codes=("MEL", "NV"), coverage=0.9)) == ""
    assert reason(evidence=Evidence(share_inside=0.3, peak_inside=True, grid=((0.0,),))) == ""


def test_what_was_not_computed_is_no_reason() -> None:
    assert reason(evidence=Evidence(share_inside=None, peak_inside=None, grid=((0.0,),))) == ""
    assert reason() == ""


def test_disagreement_is_the_mass_that_would_have_to_move() -> None:
    melanocytic = dict.fromkeys(taxonomy.GROUPS, 0.0) | {"melanocytic": 1.0}
    assert group_disagreement(melanocytic, {"MEL": 0.5, "NV": 0.5}) == 0
    assert group_disagreement(melanocytic, {"DF": 1.0}) == 1
    assert group_disagreement(melanocytic, {"NV": 0.7, "BKL": 0.3}) == pytest.approx(0.3)
