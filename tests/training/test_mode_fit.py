"""What is fitted for a mode holds on images that it was not fitted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope import taxonomy
from dermoscope.ensemble.ensemble import Ensemble, Rule
from dermoscope.evaluation import conformal
from dermoscope.evaluation.conformal import ConformalSets, summarise_sets
from dermoscope.network_parts import MemberPart
from dermoscope.training.mode_fit import COVERAGE, UNCERTAIN, MemberAnswers, fit_mode
from tests.test_fusion import NETWORK

QUICK: tuple[Rule, ...] = ("mean", "geometric mean", "dempster-shafer")
"""Stacking takes long; it has a test of its own."""

CLASSES = taxonomy.HAM10000_CODES
SHARES = np.array([0.12, 0.6, 0.06, 0.05, 0.11, 0.03, 0.03])


def answers(images: int, *, skill: tuple[float, ...] = (1.2, 1.2), seed: int = 0, odd: float = 3.0) -> MemberAnswers:
    """Members that see the truth through noise and are too sure of themselves by the factor `odd`."""
    random = np.random.default_rng(seed)
    labels = random.choice(len(CLASSES), images, p=SHARES)
    truth = np.eye(len(CLASSES))[labels]
    logits = np.stack([[how * truth + random.normal(0, 1, (images, len(CLASSES))) for _ in range(2)] for how in skill])
    # What such noise makes the exact posterior is `skill * logits` and the logarithm of the shares.
    exact = np.array(skill)[:, None, None, None] * logits * odd + np.log(SHARES)
    odds = np.exp(exact - exact.max(axis=-1, keepdims=True))
    names = tuple(f"network {number}" for number in range(1, len(skill) + 1))
    groups = [f"a/{number // 2}" for number in range(images)]
    said = odds / odds.sum(axis=-1, keepdims=True)
    return MemberAnswers(names, ("tight", "full"), CLASSES, said, labels, groups, ["a"] * images)


def parts(said: MemberAnswers) -> list[MemberPart]:
    """Networks of these names and crops, of which the fit reads no more than that."""
    views = {"crops": {"names": list(said.crops)}}
    return [MemberPart.model_validate({**NETWORK, **views, "name": name}) for name in said.members]


def malignant(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    codes = taxonomy.malignancy_definition("graz").malignant
    return np.asarray(probabilities[..., [code in codes for code in CLASSES]].sum(axis=-1), np.float64)


@pytest.fixture(scope="module")
def held_out() -> MemberAnswers:
    return answers(6000, seed=1)


def test_it_is_calibrated_on_images_it_has_not_seen(held_out: MemberAnswers) -> None:
    said = answers(2000)
    part = fit_mode(said, parts(said), meaning="", rules=QUICK).part
    found = Ensemble(part.fusion).combine(held_out.probabilities)
    right = found.argmax(axis=1) == held_out.labels
    assert abs(found.max(axis=1).mean() - right.mean()) < 0.02
    # Before, members are much too sure: the test can fail.
    before = held_out.probabilities[0, 0]
    assert before.max(axis=1).mean() - (before.argmax(axis=1) == held_out.labels).mean() > 0.04
    assert part.frequencies == pytest.approx(SHARES, abs=0.02)


@pytest.mark.parametrize("sensitivity", [0.9, 0.95])
def test_operating_points_reach_their_sensitivity(held_out: MemberAnswers, sensitivity: float) -> None:
    said = answers(3000)
    part = fit_mode(said, parts(said), meaning="", sensitivity=sensitivity, rules=QUICK).part
    found = Ensemble(part.fusion).combine(held_out.probabilities)
    codes = taxonomy.malignancy_definition("graz").malignant
    truth = np.array([CLASSES[label] in codes for label in held_out.labels.tolist()])
    flagged = malignant(found) >= part.malignancy_point.threshold
    assert flagged[truth].mean() == pytest.approx(sensitivity, abs=0.025)
    assert part.points[f"malignancy (graz), sensitivity {sensitivity:.2f}"] == part.malignancy_point
    melanoma = held_out.labels == CLASSES.index("MEL")
    point = part.points[f"melanoma, sensitivity {sensitivity:.2f}"]
    assert (found[melanoma, CLASSES.index("MEL")] >= point.threshold).mean() == pytest.approx(sensitivity, abs=0.03)


def test_a_source_with_few_images_weighs_as_much_as_one_with_many() -> None:
    """Nine tenths of the images are of a camera that members see well, a tenth of one where they see less."""
    fitted_on, held = (two_cameras(3000, seed=seed) for seed in (2, 3))
    pooled = replace(fitted_on, sources=["a"] * len(fitted_on.sources))
    codes = taxonomy.malignancy_definition("graz").malignant
    truth = np.array([CLASSES[label] in codes for label in held.labels.tolist()])
    other = np.array(held.sources) == "b"
    found: dict[str, tuple[float, float]] = {}
    for name, said in (("each the same", fitted_on), ("pooled", pooled)):
        part = fit_mode(said, parts(said), meaning="", rules=("mean",)).part
        risk = malignant(Ensemble(part.fusion).combine(held.probabilities))
        flagged = risk >= part.malignancy_point.threshold
        found[name] = flagged[truth & ~other].mean(), flagged[truth & other].mean()
        assert ("2 sources that weigh the same" in part.malignancy_point.meaning) == (name == "each the same")
    assert np.mean(found["each the same"]) == pytest.approx(0.95, abs=0.02)
    assert np.mean(found["pooled"]) < 0.93
    assert found["each the same"][1] > found["pooled"][1] + 0.03


def test_a_source_with_hardly_any_malignant_image_sets_no_threshold_alone() -> None:
    said = two_cameras(3000, seed=2)
    # Five malignant images of a third camera, which are hardly ever flagged.
    third = np.flatnonzero((said.labels == CLASSES.index("MEL")) & (np.array(said.sources) == "a"))[:5].tolist()
    probabilities = said.probabilities.copy()
    probabilities[:, :, third] = np.where(np.array(CLASSES) == "NV", 0.999, 0.001 / (len(CLASSES) - 1))
    sources = ["c" if row in third else source for row, source in enumerate(said.sources)]
    of_three, of_two = (
        fit_mode(one, parts(one), meaning="", rules=("mean",)).part.malignancy_point
        for one in (replace(said, probabilities=probabilities, sources=names) for names in (sources, said.sources))
    )
    assert of_three == of_two
    assert "2 sources" in of_two.meaning


def two_cameras(images: int, *, seed: int) -> MemberAnswers:
    seen_well, seen_less = answers(images, seed=seed), answers(images, skill=(0.7, 0.7), seed=seed)
    assert (seen_well.labels == seen_less.labels).all()
    other = np.arange(images) % 10 == 0
    said = np.where(other[None, None, :, None], seen_less.probabilities, seen_well.probabilities)
    sources = ["b" if is_other else "a" for is_other in other.tolist()]
    return replace(seen_well, probabilities=said, sources=sources)


def test_prediction_sets_keep_their_promise_and_no_diagnosis_pays_for_the_others(held_out: MemberAnswers) -> None:
    said = answers(2000)
    part = fit_mode(said, parts(said), meaning="", rules=QUICK).part
    assert part.conformal
    limits = np.array([np.inf if limit is None else limit for limit in part.conformal.thresholds])
    rule = ConformalSets("lac", COVERAGE, limits, False, np.array(part.conformal.images))
    found = Ensemble(part.fusion).combine(held_out.probabilities)
    odds = found / np.array(part.frequencies)
    sets = rule.sets(odds / odds.sum(axis=1, keepdims=True))
    summary = summarise_sets(held_out.labels, sets)
    assert summary.coverage == pytest.approx(COVERAGE, abs=0.02)
    assert summary.class_coverage.min() > COVERAGE - 0.08
    # At the frequencies of the images, the rare diagnoses pay for the nevi: the test can fail.
    _, first = np.unique(said.groups, return_index=True)
    folded = fit_mode(said, parts(said), meaning="", rules=QUICK).probabilities
    at_frequencies = conformal.fit(said.labels[first], folded[first], COVERAGE).sets(found)
    assert summarise_sets(held_out.labels, at_frequencies).class_coverage.min() < COVERAGE - 0.15


def test_the_least_certain_answers_are_withheld_and_are_more_often_wrong(held_out: MemberAnswers) -> None:
    said = answers(2000)
    part = fit_mode(said, parts(said), meaning="", rules=QUICK).part
    assert part.abstention
    assert part.abstention.least_certainty
    found = Ensemble(part.fusion).combine(held_out.probabilities)
    withheld = found.max(axis=1) < part.abstention.least_certainty
    wrong = found.argmax(axis=1) != held_out.labels
    assert withheld.mean() == pytest.approx(UNCERTAIN, abs=0.02)
    assert wrong[withheld].mean() > 1.5 * wrong[~withheld].mean()


def test_a_member_that_knows_nothing_costs_next_to_nothing() -> None:
    said = answers(1500, skill=(1.5, 0.0))
    alone = replace(said, members=said.members[:1], probabilities=said.probabilities[:1])
    both, one = (fit_mode(each, parts(each), meaning="", rules=QUICK) for each in (said, alone))
    assert min(both.log_losses.values()) < 1.03 * min(one.log_losses.values())
    assert both.log_losses[both.part.fusion.rule] == min(both.log_losses.values())
    # The plain mean has no way to trust one member more: the test can fail.
    assert both.log_losses["mean"] > 1.1 * min(one.log_losses.values())


def test_a_simpler_rule_wins_a_tie() -> None:
    said = answers(600, skill=(1.2,))
    one_crop = replace(said, crops=("full",), probabilities=said.probabilities[:, :1])
    fitted = fit_mode(one_crop, parts(one_crop), meaning="", rules=QUICK)
    # Of one answer, all three make the same.
    assert fitted.part.fusion.rule == "mean"


def test_too_few_images_of_a_diagnosis_are_named() -> None:
    said = answers(120)
    with pytest.raises(ValueError, match=r"too few to calibrate on: .*VASC \d"):
        fit_mode(said, parts(said), meaning="")
