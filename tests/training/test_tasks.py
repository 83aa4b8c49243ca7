from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope import taxonomy
from dermoscope.data.manifest import Record
from dermoscope.training.tasks import DEFAULT_TASKS


@pytest.mark.parametrize(
    ("task", "diagnosis", "answer"),
    [
        ("gate", "NOT_SKIN", "not skin"),
        ("gate", "MEL", "skin"),
        ("gate", "", "skin"),
        ("group", "MEL", "melanocytic"),
        ("group", "NV", "melanocytic"),
        ("group", "BCC", "non-melanocytic carcinoma"),
        ("group", "DF", "fibrous"),
        ("group", "NOT_SKIN", None),
        ("group", "", None),
        ("diagnosis", "MEL", "MEL"),
        ("diagnosis", "AK", "AKIEC"),
        ("diagnosis", "SCC", "AKIEC"),
        ("diagnosis", "AKIEC", "AKIEC"),
        ("diagnosis", "NOT_SKIN", None),
        ("diagnosis", "", None),
        ("malignancy", "MEL", "malignant"),
        ("malignancy", "BCC", "malignant"),
        ("malignancy", "NV", "benign"),
        ("malignancy", "VASC", "benign"),
        ("malignancy", "NOT_SKIN", None),
        ("malignancy", "", None),
    ],
)
def test_label(task: str, diagnosis: str, answer: str | None) -> None:
    question = DEFAULT_TASKS[task]
    label = question.label(Record(image_id="a", path=Path("a.jpg"), diagnosis=diagnosis))
    assert (None if label is None else question.classes[label]) == answer


def test_the_malignant_codes_are_those_of_the_named_definition() -> None:
    task = DEFAULT_TASKS["malignancy"]
    definition = taxonomy.malignancy_definition(task.definition)
    for code in definition.decided:
        label = task.label(Record(image_id="a", path=Path("a.jpg"), diagnosis=code))
        assert label == int(code in definition.malignant)
