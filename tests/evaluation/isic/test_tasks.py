from __future__ import annotations

import pytest

from dermoscope.evaluation.isic import CLASSIFICATION_TASKS, SEGMENTATION_TASKS


@pytest.mark.parametrize(
    ("name", "categories", "ranking", "exclusive"),
    [
        ("isic2016-task3", 1, "average_precision", False),
        ("isic2017-task3", 2, "auc", False),
        ("isic2018-task3", 7, "balanced_accuracy", True),
        ("isic2019", 9, "balanced_accuracy", True),
        ("isic2020", 1, "auc", False),
    ],
)
def test_classification_tasks(name: str, categories: int, ranking: str, exclusive: bool) -> None:
    task = CLASSIFICATION_TASKS[name]
    assert (task.name, len(task.categories), task.ranking, task.exclusive) == (name, categories, ranking, exclusive)


def test_segmentation_tasks() -> None:
    assert {name: task.ranking for name, task in SEGMENTATION_TASKS.items()} == {
        "isic2016-task1": "jaccard",
        "isic2017-task1": "jaccard",
        "isic2018-task1": "thresholded_jaccard",
    }
    assert all(task.name == name for name, task in SEGMENTATION_TASKS.items())
