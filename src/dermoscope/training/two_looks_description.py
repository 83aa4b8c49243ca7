"""What a run of a network that looks twice is. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dermoscope import __version__
from dermoscope.camnet.second_look import LookRules

FIRST, SECOND, THIRD = "first", "second", "third"
"""Folders of the looks, in that of the run and in that of its crops; the third look has no network of its own."""


class TwoLooksDescription(BaseModel):
    """The contents of `looks.json`.

    Attributes:
        schema_version: Of this file.
        version: Of `dermoscope`.
        recipe: Name of the recipe.
        task: Name of the question.
        definition: Name of the malignancy definition, where the question has one.
        classes: What the answers stand for, in order.
        ranked: Those of them that the mean AUC is over; all where it is empty.
        look: How the square of the second look is found.
        answer: Which look answers; the average is of the first and the second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    version: str = Field(default=__version__)
    recipe: str
    task: str
    definition: str = ""
    classes: tuple[str, ...]
    ranked: tuple[str, ...] = ()
    look: LookRules
    answer: Literal["second look", "average", "third look"]
