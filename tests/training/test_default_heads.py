from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.data.manifest import Record
from dermoscope.heads.fit import ProbeRecipe
from dermoscope.training.default_heads import fit_head, gate_point, labelled, malignancy_point, probabilities
from dermoscope.training.features import FeatureTable, row_name
from dermoscope.training.tasks import DEFAULT_TASKS

RECORDS = [
    Record(
        image_id=f"{split}{number}", path=Path("a"), source="S", split=split, diagnosis=("NV", "MEL", "")[number % 3]
    )
    for split, count in (("train", 120), ("val", 60))
    for number in range(count)
]


def table() -> FeatureTable:
    random = np.random.default_rng(0)
    rows, features = [], []
    for view in ("original", "view1"):
        for record in RECORDS:
            feature = np.zeros(256)
            feature[:4] = random.normal(0, 1, 4)
            feature[0] += 8 * (record.diagnosis == "MEL")
            rows.append(row_name(record, view))
            features.append(feature)
    return FeatureTable(tuple(rows), np.array(features, np.float32))


def test_labelled_leaves_out_what_has_no_answer() -> None:
    chosen, labels = labelled(DEFAULT_TASKS["malignancy"], RECORDS, "val")
    assert len(chosen) == len(labels) == 40
    assert {record.split for record in chosen} == {"val"}
    assert labels.tolist() == [int(record.diagnosis == "MEL") for record in chosen]


def test_a_head_learns_and_says_how_it_is_calibrated() -> None:
    task = DEFAULT_TASKS["malignancy"]
    recipe = ProbeRecipe(hidden=(16,), batch_size=32, epochs=12, learning_rate=1e-2)
    fitted = fit_head(task, RECORDS, table(), recipe, seeds=(0, 1))
    assert fitted.head.output == "malignancy"
    assert fitted.head.classes == task.classes
    assert fitted.head.frequencies == (0.5, 0.5)
    chosen, labels = labelled(task, RECORDS, "val")
    found = probabilities(fitted, table().of(chosen, "original"))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(1) == labels).mean() > 0.9


@pytest.mark.parametrize("refused", [0.0, 0.003, 0.1])
def test_the_gate_is_best_among_thresholds_that_refuse_few(refused: float) -> None:
    random = np.random.default_rng(0)
    skin = random.random(800) < 0.8
    dermoscopic = skin & (random.random(800) < 0.9)
    p_skin = np.where(skin, random.beta(6, 2, 800), random.beta(2, 6, 800))
    point = gate_point(p_skin, skin, dermoscopic, refused=refused)
    assert (p_skin[dermoscopic] < point.threshold).mean() <= refused

    def balanced(threshold: float) -> float:
        return float((p_skin[skin] >= threshold).mean() + (p_skin[~skin] < threshold).mean()) / 2

    allowed = [t for t in np.linspace(0, 1, 201) if (p_skin[dermoscopic] < t).mean() <= refused]
    assert balanced(point.threshold) >= max(map(balanced, allowed)) - 0.005
    assert f"{refused:.2%}" in point.meaning


@pytest.mark.parametrize("sensitivity", [0.8, 0.9, 1.0])
def test_malignant_lesions_are_flagged_as_often_as_promised(sensitivity: float) -> None:
    random = np.random.default_rng(0)
    malignant = random.random(500) < 0.2
    p_malignant = np.where(malignant, random.beta(4, 2, 500), random.beta(1, 4, 500))
    point = malignancy_point(p_malignant, malignant, sensitivity=sensitivity)
    assert (p_malignant[malignant] >= point.threshold).mean() >= sensitivity
    assert (p_malignant[malignant] >= point.threshold + 0.05).mean() < sensitivity
    assert f"{sensitivity:.2f}" in point.meaning
