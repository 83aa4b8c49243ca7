from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from dermoscope.evaluation.training_run import LAST_EPOCH
from dermoscope.training.head_metrics import HeadEpoch, decisions, is_better


def test_as_scikit_learn_has_them() -> None:
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 4, 200), random.integers(0, 4, 200)
    found, confusion = decisions(labels, predicted, 4)
    assert confusion == tuple(map(tuple, confusion_matrix(labels, predicted).tolist()))
    assert found == pytest.approx(
        {
            "accuracy": accuracy_score(labels, predicted),
            "balanced accuracy": recall_score(labels, predicted, average="macro"),
            "macro F1": f1_score(labels, predicted, average="macro"),
            "weighted F1": f1_score(labels, predicted, average="weighted"),
        }
    )


@pytest.mark.parametrize(("select", "better"), [("loss", False), ("accuracy", True), ("balanced accuracy", False)])
def test_losses_are_better_when_smaller(select: str, better: bool) -> None:
    best = {"loss": 0.5, "accuracy": 0.5, "balanced accuracy": 0.5}
    now = {"loss": 0.6, "accuracy": 0.6, "balanced accuracy": 0.5}
    assert is_better(now, best, select) is better
    assert is_better(now, None, select)


def test_the_last_epoch_is_the_best_whatever_it_measures() -> None:
    best, now = {"loss": 0.1, "accuracy": 0.9}, {"loss": 0.2, "accuracy": 0.8}
    assert is_better(now, best, LAST_EPOCH)


def test_a_line_holds_the_confusion_matrix() -> None:
    line = HeadEpoch(head="h", seed=1, epoch=2, metrics={"loss": 0.5}, confusion=((3, 1), (0, 2)))
    assert json.loads(line.model_dump_json()) == {
        "head": "h",
        "seed": 1,
        "epoch": 2,
        "metrics": {"loss": 0.5},
        "confusion": [[3, 1], [0, 2]],
    }
