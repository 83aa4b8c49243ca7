"""The part about how a head was trained: its authors' numbers beside these, and what each epoch brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Estimate
from dermoscope.evaluation.report.document import Cell, Figure, Section, Table
from dermoscope.evaluation.report.parts import Part
from dermoscope.evaluation.report.scores import METRIC_NAMES
from dermoscope.evaluation.training_run import TrainingRun

_MEASURES = ("accuracy", "balanced accuracy")


def training_part(run: TrainingRun, scored: Part | None, where: str) -> Part:
    """Say what the training was.

    Args:
        run: The training.
        scored: The part with the measures of its question; none if no image was scored.
        where: Which images these are, such as `split test`, for captions.
    """
    tables = (_published(run, scored, where),) if run.published else ()
    figures = (_curves(run),) if run.epochs else ()
    lead = f"Recipe {run.recipe}: {run.description}" if run.description else f"Recipe {run.recipe}."
    epochs = {str(seed): {"epochs": len(lines), "chosen": run.chosen_epoch(seed)} for seed, lines in run.epochs.items()}
    numbers = {
        "recipe": run.recipe,
        "selected_by": run.selected_by,
        "seeds": epochs,
        "published": run.published,
        "published_on": run.published_on,
    }
    return Part("training", Section("training", "Training", lead, tables, figures), numbers)


def _published(run: TrainingRun, scored: Part | None, where: str) -> Table:
    measured = {} if scored is None else scored.numbers["metrics"]
    assert isinstance(measured, dict)
    rows: list[tuple[Cell, ...]] = []
    for name, value in run.published.items():
        ours = measured.get(name)
        assert ours is None or isinstance(ours, Estimate)
        rows.append((METRIC_NAMES.get(name, name), value, ours))
    note = f"Published: {run.published_on}. Other images and another split: a landmark, not a comparison."
    caption = f"Beside the published numbers: {where}"
    return Table("published", caption, ("Metric", "Published", "Here"), tuple(rows), note, digits={"Published": 4})


def _curves(run: TrainingRun) -> Figure:
    seeds = list(run.epochs)
    chosen = {seed: run.chosen_epoch(seed) for seed in seeds}
    kept = f"Weights kept: {', '.join(f'epoch {epoch} (seed {seed})' for seed, epoch in chosen.items())}."
    words = f"Loss and accuracy of {run.recipe}, epoch by epoch, on its validation sample. {kept}"

    def draw(path: Path) -> None:
        from dermoscope.evaluation.figures import training_curves

        longest = max(len(lines) for lines in run.epochs.values())
        if len(seeds) == 1:
            (lines,) = run.epochs.values()
            panels = {"loss": {"training": _line(lines, "training loss"), "validation": _line(lines, "loss")}}
            panels |= {measure: {"validation": _line(lines, measure)} for measure in _MEASURES}
        else:
            panels = {
                measure: {f"seed {seed}": _line(run.epochs[seed], measure, longest) for seed in seeds}
                for measure in ("loss", *_MEASURES)
            }
        only = chosen[seeds[0]] if len(seeds) == 1 else None
        training_curves(np.arange(1, longest + 1), panels, path, chosen=only)

    return Figure("training-curves", words, draw, wide=True)


def _line(epochs: Sequence[Mapping[str, float]], measure: str, length: int | None = None) -> NDArray[np.float64]:
    values = [epoch.get(measure, np.nan) for epoch in epochs]
    return np.array(values + [np.nan] * ((length or len(values)) - len(values)))
