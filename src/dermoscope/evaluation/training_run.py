"""What a run folder of `dermoscope train` says about how its predictions came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dermoscope.evaluation.problems import InputError, Problem

PREDICTIONS_NAME = "predictions.csv"
TRAINING_NAME = "training.json"
_METRICS_NAME, _HEAD_NAME = "metrics.jsonl", "head.json"
_OF_NETWORKS = ("network.json", "looks.json", "ensemble.json")


LAST_EPOCH = "last epoch"
"""Instead of a measure: what the schedule ends with is kept, and the validation images choose nothing."""


@dataclass(frozen=True)
class TrainingRun:
    """One training of a head, of a network, or of an ensemble.

    Attributes:
        folder: Where it lies.
        recipe: Name of the recipe.
        description: What that is.
        selected_by: The measure that chose the epoch, or `last epoch`; none for a head without epochs.
        published: What the recipe's authors measured, by metric, 0 to 1; empty if they published nothing.
        published_on: On what they measured.
        epochs: Measures of every epoch by seed, in order: training loss, loss, accuracy and so on.
        encoder: Fingerprint of the encoder whose features were learnt from; empty for a network that reads images.
        columns: What of the encoder the head reads.
        question: What it was trained to answer, the malignancy definition included; empty if the run does not say.
        answered: Diagnoses with an answer to that, empty for none recorded: images of others were left out and have no
            prediction. None where every image has one.
    """

    folder: Path
    recipe: str
    description: str
    selected_by: str | None
    published: Mapping[str, float]
    published_on: str
    epochs: Mapping[int, tuple[Mapping[str, float], ...]]
    encoder: str
    columns: tuple[str, ...]
    question: str = ""
    answered: frozenset[str] | None = None

    @property
    def predictions(self) -> Path:
        """Its predictions for validation and test images."""
        return self.folder / PREDICTIONS_NAME

    def chosen_epoch(self, seed: int) -> int | None:
        """The epoch whose weights were kept, counted from 1; among equals the first."""
        if self.selected_by is None:
            return None
        if self.selected_by == LAST_EPOCH:
            return len(self.epochs[seed])
        sign = -1 if self.selected_by == "loss" else 1
        values = [sign * epoch[self.selected_by] for epoch in self.epochs[seed]]
        return 1 + values.index(max(values))


def read_training_run(folder: Path) -> TrainingRun | None:
    """Read a run folder.

    Args:
        folder: Any folder or file.

    Returns:
        None if it is no finished run of `dermoscope train`.

    Raises:
        InputError: If one of its files is broken.
    """
    if not (folder / TRAINING_NAME).is_file():
        return None
    about = _json(folder / TRAINING_NAME)
    reads_images = any((folder / name).exists() for name in _OF_NETWORKS)
    head = {"encoder": "", "columns": ()} if reads_images else _json(folder / _HEAD_NAME)
    epochs: dict[int, list[Mapping[str, float]]] = {}
    try:
        with (folder / _METRICS_NAME).open(encoding="utf-8") as stream:
            for text in stream:
                line = json.loads(text)
                if line["epoch"] is not None:
                    epochs.setdefault(int(line["seed"]), []).append(line["metrics"])
    except (OSError, ValueError, KeyError, TypeError):
        raise _broken(folder / _METRICS_NAME) from None
    try:
        published = about["published"] or {"metrics": {}, "measured_on": ""}
        answered = about.get("answered")  # runs of earlier versions do not say
        return TrainingRun(
            folder=folder,
            recipe=str(about["recipe"]),
            description=str(about["description"]),
            selected_by=about["selected_by"],
            published={str(name): float(value) for name, value in published["metrics"].items()},
            published_on=str(published["measured_on"]),
            epochs={seed: tuple(lines) for seed, lines in epochs.items()},
            encoder=str(head["encoder"]),
            columns=tuple(head["columns"]),
            question=str(about.get("question", "")),
            answered=None if answered is None else frozenset(map(str, answered)),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _broken(folder / TRAINING_NAME) from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _broken(path) from None


def _broken(path: Path) -> InputError:
    return InputError(
        (Problem(path, "is not as dermoscope train writes it; train again, or give its predictions.csv"),), 1
    )
