"""What each head of the default model learns, from a manifest. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dermoscope import taxonomy
from dermoscope.data.manifest import Record

BENIGN, MALIGNANT = "benign", "malignant"
NOT_SKIN, SKIN = "not skin", "skin"
OTHER = "other"

ISIC2017_CLASSES = ("NV", "MEL", "BKL")
ISIC2017_PARTS = ("isic2017-melanoma", "isic2017-keratosis")

Reads = Literal["feature", "statistics"]


@dataclass(frozen=True)
class Task:
    """One head's question.

    Attributes:
        name: Also the name of the head's output.
        classes: The answers, in the order of the logits.
        definition: Name of the malignancy definition, where the task has one.
        reads: What of the encoder the head reads, `feature` or `statistics`.
        equal_classes: Whether probabilities speak of equally frequent classes, as balanced accuracy does, or of the
            frequencies among the validation images.
        ranked: Classes whose AUC against the rest makes the mean AUC; all of them if it is empty.
    """

    name: str
    classes: tuple[str, ...]
    definition: str = ""
    reads: Reads = "feature"
    equal_classes: bool = False
    ranked: tuple[str, ...] = ()

    @property
    def ranked_classes(self) -> tuple[int, ...]:
        """Numbers of the classes that the mean AUC is over."""
        return tuple(self.classes.index(name) for name in self.ranked or self.classes)

    def label(self, record: Record) -> int | None:
        """The class of an image, or none where the image has no answer for this task."""
        answer = self._answer(record)
        return None if answer is None else self.classes.index(answer)

    def _answer(self, record: Record) -> str | None:
        code = record.diagnosis
        if self.name == "gate":
            return NOT_SKIN if code == taxonomy.NOT_SKIN else SKIN
        if self.name == "group":
            return taxonomy.GROUP_OF.get(code)
        if self.name in ISIC2017_PARTS:
            return (code if code in self.classes else OTHER) if code in ISIC2017_CLASSES else None
        if self.name in ("diagnosis", "cancer", "isic2017"):
            merged = "AKIEC" if code in ("AK", "SCC") else code
            return merged if merged in self.classes else None
        definition = taxonomy.malignancy_definition(self.definition)
        if code not in definition.decided:
            return None
        return MALIGNANT if code in definition.malignant else BENIGN


DEFAULT_TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            Task("gate", (NOT_SKIN, SKIN), reads="statistics"),
            Task("group", taxonomy.GROUPS, equal_classes=True),
            Task("diagnosis", taxonomy.HAM10000_CODES, equal_classes=True),
            Task("malignancy", (BENIGN, MALIGNANT), definition="graz"),
        )
    }
)
"""The questions of the default model."""

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        **DEFAULT_TASKS,
        "cancer": Task("cancer", ("BCC", "MEL", "AKIEC"), equal_classes=True),
        "isic2017": Task("isic2017", ISIC2017_CLASSES, ranked=("MEL", "BKL")),
        "isic2017-melanoma": Task("isic2017-melanoma", (OTHER, "MEL"), ranked=("MEL",)),
        "isic2017-keratosis": Task("isic2017-keratosis", (OTHER, "BKL"), ranked=("BKL",)),
    }
)
"""Every question that a recipe may ask. `cancer` is Girona's second track, which had SCC where HAM10000 has AKIEC.
`isic2017` is Part 3 of that challenge, where BKL is seborrheic keratosis, as one question, ranked as there: by the AUC
of melanoma and that of keratosis. The two after it are those, each a question of its own."""
