from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.data.manifest import Record
from dermoscope.heads.fit import ProbeRecipe
from dermoscope.training.default_heads import (
    fit_head,
    gate_point,
    labelled,
    malignancy_point,
    out_of_fold,
    probabilities,
)
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
    return FeatureTable(tuple(rows), np.array(features, np.float32), np.zeros((len(rows), 6), np.float32))


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


@pytest.mark.parametrize(("refused", "count"), [(0.0, 0), (0.0035, 2), (0.1, 80)])
def test_the_gate_refuses_its_share_and_keeps_its_distance(refused: float, count: int) -> None:
    p_skin = np.random.default_rng(0).beta(6, 2, 800)
    point = gate_point(p_skin, refused=refused)
    assert (p_skin < point.threshold).sum() == count
    assert f"{count / 800:.2%}" in point.meaning
    if count:
        below, above = np.sort(p_skin)[count - 1 : count + 1]
        log_odds = np.log([below / (1 - below), above / (1 - above)]).mean()
        assert point.threshold == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1.01e-4)


@pytest.mark.parametrize("sensitivity", [0.8, 0.9, 1.0])
def test_malignant_lesions_are_flagged_as_often_as_promised(sensitivity: float) -> None:
    random = np.random.default_rng(0)
    malignant = random.random(500) < 0.2
    p_malignant = np.where(malignant, random.beta(4, 2, 500), random.beta(1, 4, 500))
    point = malignancy_point(p_malignant, malignant, sensitivity=sensitivity)
    assert (p_malignant[malignant] >= point.threshold).mean() >= sensitivity
    assert (p_malignant[malignant] >= point.threshold + 0.05).mean() < sensitivity
    assert f"{sensitivity:.2f}" in point.meaning


def test_out_of_fold_no_head_judges_what_it_was_trained_on() -> None:
    task, records = DEFAULT_TASKS["malignancy"], RECORDS
    judged = [record for record in records if record.split == "train" and record.diagnosis]
    stored = table()
    # One mislabelled image, far from all others: whoever has seen it believes the label.
    odd = judged[0].model_copy(update={"diagnosis": "MEL"})
    rows = [number for number, row in enumerate(stored.rows) if row.startswith(row_name(odd, ""))]
    stored.feature[rows] = 0
    stored.feature[rows, 5] = 40
    relabelled = [odd if record.image_id == odd.image_id else record for record in records]
    recipe = ProbeRecipe(hidden=(16,), batch_size=32, epochs=12, learning_rate=1e-2)
    seen = probabilities(fit_head(task, relabelled, stored, recipe, (0,)), stored.of([odd], "original"))[0, 1]
    unseen = out_of_fold(task, relabelled, [odd, *judged[1:]], stored, recipe, (0,))
    assert unseen.shape == (len(judged), 2)
    assert seen > 0.9
    assert unseen[0, 1] < 0.5
    truth = np.array([record.diagnosis == "MEL" for record in judged[1:]])
    assert ((unseen[1:, 1] > 0.5) == truth).mean() > 0.9
