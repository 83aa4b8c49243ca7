"""Many images analysed into one results folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from dermoscope.batch.errors import BatchUsageError
from dermoscope.batch.inputs import BatchInput
from dermoscope.batch.protocols import ImageAnalyzer
from dermoscope.batch.results import ANALYSES
from dermoscope.batch.run import BatchSummary, Progress, run_batch
from dermoscope.batch.worker import Answer
from dermoscope.dicom import ModelName, dicom_results
from dermoscope.measures import spacing_of


def analyze_batch(
    paths: Sequence[str | Path],
    out: Path,
    analyzer: ImageAnalyzer,
    *,
    frame: int = 1,
    mm_per_pixel: float | None = None,
    jobs: int = 1,
    pictures: bool = True,
    masks: bool = True,
    dicom: bool = False,
    overwrite: bool = False,
    stop: threading.Event | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> BatchSummary:
    """Analyse every image behind some paths and write the results into one folder.

    Lines are written in the order of the inputs, so that two runs over the same files can be compared line by line.
    A folder that holds results of the same bundle, version and options, those of the analyzer among them, is gone on
    with: finished images are skipped, failed and changed ones are analysed again. Whatever goes wrong with one image is
    the reason in its row.

    Args:
        paths: Files, folders and patterns.
        out: The results folder; is made if need be.
        analyzer: Analyses one image.
        frame: Which frame of DICOM files, from 1.
        mm_per_pixel: Size of a pixel in millimetres, 0.0001 to 10, of all images that do not say it themselves.
        jobs: Worker threads; as many images are in memory at once.
        pictures: Whether to write `pictures/<image_id>.png`.
        masks: Whether to write `masks/<image_id>.png`.
        dicom: Whether to write `dicom/<image_id>.seg.dcm` and `dicom/<image_id>.sr.dcm` for images that are DICOM.
        overwrite: Whether to remove results that are there.
        stop: When set, the images in work are finished, the rest is left for the next run.
        on_progress: Is called in this thread after every input.

    Raises:
        BatchUsageError: If the arguments cannot work, or the folder holds something that these results do not go with.
        OutputError: If the folder cannot be written; what was written stays, and the next run goes on from there.
    """
    try:
        spacing = None if mm_per_pixel is None else spacing_of(mm_per_pixel)
    except ValueError as error:
        raise BatchUsageError(str(error)) from None
    model = ModelName(analyzer.bundle.name, analyzer.bundle.fingerprint)

    def work(found: BatchInput, image_id: str) -> Answer:
        outcome = analyzer.analyze(
            Path(found.path),
            image_id=image_id,
            path=found.name,
            frame=frame,
            picture=pictures,
            spacing_mm=spacing,
        )
        files = {}
        if dicom:
            files = dicom_results(found.path, model, mask=outcome.mask, analysis=outcome.analysis, frame=frame)
        return Answer(outcome.analysis, outcome.mask, outcome.picture, files)

    return run_batch(
        paths,
        out,
        work,
        kind=ANALYSES,
        model=analyzer.bundle,
        jobs=jobs,
        pictures=pictures,
        masks=masks,
        dicom=dicom,
        settings={"frame": frame, "mm_per_pixel": mm_per_pixel, **analyzer.settings},
        overwrite=overwrite,
        stop=stop,
        on_progress=on_progress,
    )
