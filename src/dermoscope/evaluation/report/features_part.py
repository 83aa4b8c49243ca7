"""The part about the features a head reads: a map on which images that the encoder finds alike lie side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dermoscope.data.manifest import Record
from dermoscope.evaluation.problems import InputError, Problem
from dermoscope.evaluation.report.document import Figure, Section
from dermoscope.evaluation.report.parts import Part, Settings
from dermoscope.evaluation.tasks import BinaryTask, ClassTask
from dermoscope.evaluation.training_run import TrainingRun
from dermoscope.evaluation.truth import Matched
from dermoscope.features.errors import FeatureError, StoreError

MOST_POINTS = 1500


def features_part(
    run: TrainingRun, store: str, task: ClassTask | BinaryTask, matched: Matched, where: str, settings: Settings
) -> Part:
    """Map the features of the scored images.

    Args:
        run: The training that read them.
        store: Where they are stored.
        task: The question whose answers give the colours.
        matched: The images.
        where: Which images these are, such as `split test`, for captions.
        settings: How numbers are made.

    Raises:
        InputError: If the features are not stored.
    """
    from dermoscope.evaluation.figures import embedding_map, project, sample_evenly
    from dermoscope.features.store import FeatureStore

    settings.on_progress("Map of the features", 0, 1)
    if isinstance(task, ClassTask):
        labels, classes = task.labels, task.classes
    else:
        labels, classes = task.positive.astype(np.intp), ("negative", "positive")
    chosen = sample_evenly(labels, MOST_POINTS, seed=settings.seed)
    records = [_record(matched, int(task.images[row])) for row in chosen]
    try:
        stored = FeatureStore.open(store, run.encoder)
        features = np.concatenate([stored.of(records, column=column) for column in run.columns], axis=1)
    except (FeatureError, StoreError) as error:
        raise InputError((Problem(Path(store), str(error)),), 1) from None
    points = project(features)

    def draw(path: Path) -> None:
        embedding_map(points, labels[chosen], classes, path, total=len(labels))

    caption = f"{' + '.join(run.columns)} of {stored.note.encoder}, by {task.title.lower()}: {where}"
    figure = Figure("features", caption, draw, wide=True)
    lead = (
        "What the head reads of each image, laid out in two dimensions by t-SNE; nothing was learnt from labels here."
    )
    section = Section("features", "Features", lead, figures=(figure,))
    return Part("features", section, {"encoder": stored.note.encoder, "columns": run.columns, "points": len(chosen)})


def _record(matched: Matched, image: int) -> Record:
    truth = matched.truth
    return Record(image_id=truth.image_ids[image], path=truth.image_paths[image], source=truth.sources[image])
