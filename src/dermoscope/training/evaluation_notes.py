"""What the folder of a run tells `dermoscope evaluate` about its training. Torch-free."""

from __future__ import annotations

import json
from pathlib import Path

from dermoscope import taxonomy
from dermoscope.data.manifest import Record
from dermoscope.training.recipes import CAMRecipe, EnsembleRecipe, Recipe, TwoLooksRecipe
from dermoscope.training.tasks import Task


def evaluation_notes(
    recipe: Recipe | CAMRecipe | TwoLooksRecipe | EnsembleRecipe,
    task: Task,
    *,
    selected_by: str | None,
    every_image: bool,
) -> bytes:
    """The contents of `training.json`.

    Args:
        recipe: What was done.
        task: The question.
        selected_by: The measure that chose the epoch, or `last epoch`; none where no epoch was chosen.
        every_image: Whether images without an answer to the question have predictions, too; an evaluation leaves them
            out where they have none.
    """
    notes = {
        "schema_version": 1,
        "recipe": recipe.name,
        "description": recipe.description,
        "selected_by": selected_by,
        "question": f"{task.name} ({task.definition})" if task.definition else task.name,
        "answered": None if every_image else answered_diagnoses(task),
        "published": None if recipe.published is None else recipe.published.model_dump(),
    }
    return f"{json.dumps(notes, indent=1)}\n".encode()


def answered_diagnoses(task: Task) -> list[str]:
    """Every diagnosis of which a question has an answer; the empty one is that of an image without any."""
    records = (Record(image_id="", path=Path(), diagnosis=code) for code in ("", *taxonomy.CODE_NAMES))
    return [record.diagnosis for record in records if task.label(record) is not None]
