from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    classification_report,
    cohen_kappa_score,
    f1_score,
    roc_auc_score,
)

from dermoscope.evaluation.report.scores import (
    BINARY_METRICS,
    METRIC_NAMES,
    RATES,
    binary_scores,
    class_scores,
    rates_at,
)
from dermoscope.evaluation.tasks import BinaryTask, ClassTask

N, K = 400, 4


def random_classes() -> ClassTask:
    random = np.random.default_rng(0)
    labels = random.choice(K, N, p=[0.5, 0.3, 0.15, 0.05])
    logits = random.normal(size=(N, K))
    logits[np.arange(N), labels] += 1.2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    groups = tuple(f"lesion {number // 2}" for number in range(N))
    return ClassTask("diagnosis", "Diagnosis", ("a", "b", "c", "d"), labels, probabilities, np.arange(N), groups, {})


def random_binary() -> BinaryTask:
    task = random_classes()
    positive = task.labels == 1
    score = task.probabilities[:, 1]
    return BinaryTask("x", "X", "X.", positive, score, task.images, task.groups, 0.4, "given", {}, score)


def test_several_classes_agree_with_scikit_learn() -> None:
    task = random_classes()
    found = class_scores(task, resamples=20, seed=0)
    decided = task.probabilities.argmax(axis=1)
    expected = {
        "balanced_accuracy": balanced_accuracy_score(task.labels, decided),
        "accuracy": accuracy_score(task.labels, decided),
        "kappa": cohen_kappa_score(task.labels, decided),
        "macro_f1": f1_score(task.labels, decided, average="macro"),
        "weighted_f1": f1_score(task.labels, decided, average="weighted"),
        "mean_auc": roc_auc_score(task.labels, task.probabilities, multi_class="ovr"),
    }
    assert {name: found.overall[name].value for name in expected} == pytest.approx(expected)
    report = classification_report(task.labels, decided, target_names=task.classes, output_dict=True)
    for name in task.classes:
        row = found.classes[name]
        assert row["recall"].value == pytest.approx(report[name]["recall"])
        assert row["precision"].value == pytest.approx(report[name]["precision"])
        assert row["f1"].value == pytest.approx(report[name]["f1-score"])
        assert found.support[name] == report[name]["support"]
    others, called = task.labels != 2, decided == 2
    assert found.classes["c"]["specificity"].value == pytest.approx((others & ~called).sum() / others.sum())
    assert found.table[:, :K].sum() == N


def test_one_against_the_rest_agrees_with_scikit_learn() -> None:
    task = random_binary()
    found = binary_scores(task, resamples=20, seed=0)
    called = task.score >= 0.4
    assert found["auc"].value == pytest.approx(roc_auc_score(task.positive, task.score))
    assert found["average_precision"].value == pytest.approx(average_precision_score(task.positive, task.score))
    assert found["brier"].value == pytest.approx(brier_score_loss(task.positive, task.score))
    assert found["dice"].value == pytest.approx(f1_score(task.positive, called))
    assert found["sensitivity"].value == pytest.approx(called[task.positive].mean())
    assert found["specificity"].value == pytest.approx((~called)[~task.positive].mean())
    assert found["ppv"].value == pytest.approx(task.positive[called].mean())
    assert found["npv"].value == pytest.approx((~task.positive)[~called].mean())
    assert found["balanced_accuracy"].value == pytest.approx(balanced_accuracy_score(task.positive, called))
    assert (found["auc"].n, found["auc"].groups) == (N, N // 2)
    assert found["sensitivity"].n == task.positive.sum()
    assert found["ppv"].n == called.sum()


def test_one_number_has_one_interval() -> None:
    task = random_binary()
    found = binary_scores(task, resamples=20, seed=0)
    assert rates_at(task, [task.called], resamples=20, seed=0)[0] == {name: found[name] for name in RATES}


def test_a_perfect_sensitivity_keeps_an_interval() -> None:
    task = random_binary()
    found = rates_at(task, [np.ones(N, np.bool_)], resamples=20, seed=0)[0]
    assert found["sensitivity"].value == 1
    assert found["sensitivity"].low < 0.98
    assert np.isnan(found["npv"].value)


def test_scores_that_are_no_distribution_get_no_calibration() -> None:
    from dataclasses import replace

    found = class_scores(replace(random_classes(), sums_to_one=False), resamples=5, seed=0)
    assert not {"brier", "calibration_error"} & set(found.overall)


def test_progress_ends_at_the_end() -> None:
    seen: list[tuple[int, int]] = []
    class_scores(random_classes(), resamples=50, seed=0, tick=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (50, 50)


def test_every_metric_has_a_name() -> None:
    found = class_scores(random_classes(), resamples=2, seed=0)
    assert {*BINARY_METRICS, *found.overall, *found.classes["a"]} <= set(METRIC_NAMES)
