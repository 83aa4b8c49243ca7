from __future__ import annotations

import json

from dermoscope.training.evaluation_notes import answered_diagnoses, evaluation_notes
from dermoscope.training.recipes import load_cam_recipe, load_head_recipe
from dermoscope.training.tasks import TASKS, Task


def test_the_diagnoses_with_an_answer() -> None:
    assert answered_diagnoses(TASKS["cancer"]) == ["MEL", "BCC", "AK", "AKIEC", "SCC"]
    binary = answered_diagnoses(Task("malignancy", ("benign", "malignant"), definition="not-nevus"))
    assert set(binary) == {"MEL", "NV", "BCC", "AK", "AKIEC", "BKL", "DF", "VASC", "SCC"}
    assert "AKIEC" not in answered_diagnoses(TASKS["group"])
    assert {"", "NOT_SKIN", "UNK"} < set(answered_diagnoses(TASKS["gate"]))


def test_what_an_evaluation_is_told() -> None:
    recipe = load_cam_recipe("girona-binary")
    notes = json.loads(evaluation_notes(recipe, recipe.task.task, selected_by="accuracy", every_image=False))
    assert (notes["recipe"], notes["selected_by"]) == ("girona-binary", "accuracy")
    assert notes["question"] == "malignancy (not-nevus)"
    assert notes["answered"] == answered_diagnoses(recipe.task.task)
    assert recipe.published
    assert notes["published"] == recipe.published.model_dump()


def test_where_every_image_is_predicted_none_is_left_out() -> None:
    recipe = load_head_recipe("gate")
    notes = json.loads(evaluation_notes(recipe, recipe.task.task, selected_by=None, every_image=True))
    assert (notes["question"], notes["answered"], notes["published"]) == ("gate", None, None)
