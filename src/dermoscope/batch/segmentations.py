"""Many images segmented into one results folder."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from dermoscope.batch.coco import COCO_NAME, write_coco
from dermoscope.batch.given_prompts import GivenPrompt
from dermoscope.batch.inputs import BatchInput
from dermoscope.batch.results import SEGMENTATIONS
from dermoscope.batch.run import BatchSummary, Progress, run_batch
from dermoscope.batch.run_record import Option
from dermoscope.batch.worker import Answer
from dermoscope.dicom import ModelName, dicom_results
from dermoscope.images import ImageError
from dermoscope.segment.user_prompts import PromptError
from dermoscope.segmenter import Segmenter

TASK = "segment"
"""What `run.json` says of such a folder, so that no other command goes on in it."""


def segment_batch(
    paths: Sequence[str | Path],
    out: Path,
    segmenter: Segmenter,
    *,
    prompts: Mapping[bytes, GivenPrompt] | None = None,
    frame: int = 1,
    jobs: int = 1,
    pictures: bool = False,
    dicom: bool = False,
    settings: Mapping[str, Option] | None = None,
    overwrite: bool = False,
    stop: threading.Event | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> BatchSummary:
    """Segment every image behind some paths and write `segments.jsonl`, `segments.csv`, `coco.json` and masks.

    Lines are written in the order of the inputs. A folder that holds masks of the same bundle, version, options and
    prompts is gone on with: finished images are skipped, failed and changed ones are done again.

    Args:
        paths: Files, folders and patterns.
        out: The results folder; is made if need be.
        segmenter: Segments one image.
        prompts: Clicks and boxes by the `location` of their input, see `match_prompts`; the others are found without.
        frame: Which frame of DICOM files, from 1.
        jobs: Worker threads; as many images are in memory at once.
        pictures: Whether to write `pictures/<image_id>.png`.
        dicom: Whether to write `dicom/<image_id>.seg.dcm` for images that are DICOM.
        settings: How the segmenter was set up, where that changes results; recorded and compared like its options.
        overwrite: Whether to remove results that are there.
        stop: When set, the images in work are finished, the rest is left for the next run.
        on_progress: Is called in this thread after every input.

    Raises:
        BatchUsageError: If the arguments cannot work, or the folder holds something that these results do not go with.
        OutputError: If the folder cannot be written; what was written stays, and the next run goes on from there.
    """
    given = prompts or {}
    model = ModelName(segmenter.bundle.name, segmenter.bundle.fingerprint)

    def work(found: BatchInput, image_id: str) -> Answer:
        image = segmenter.open(found.path, frame=frame)
        prompt = given.get(found.location)
        try:
            result = image.refine(prompt.points, prompt.labels, box=prompt.box) if prompt else image.segment()
        except PromptError as error:
            raise ImageError(found.name, str(error)) from error
        files = {}
        if dicom:
            files = dicom_results(found.path, model, mask=result.mask, frame=frame, is_prompted=prompt is not None)
        record = result.to_record(image_id, found.name)
        return Answer(record, result.mask, image.picture() if pictures else None, files)

    summary = run_batch(
        paths,
        out,
        work,
        kind=SEGMENTATIONS,
        model=segmenter.bundle,
        jobs=jobs,
        pictures=pictures,
        masks=True,
        dicom=dicom,
        settings={
            "task": TASK,
            **asdict(segmenter.options),
            "prompts": _digest(given),
            "frame": frame,
            **(settings or {}),
        },
        overwrite=overwrite,
        stop=stop,
        on_progress=on_progress,
    )
    if not summary.interrupted:
        write_coco(out / SEGMENTATIONS.lines, out / COCO_NAME)
    return summary


def _digest(prompts: Mapping[bytes, GivenPrompt]) -> str | None:
    """Sixteen digits that change whenever a prompt does; none without prompts."""
    if not prompts:
        return None
    text = repr(sorted(prompts.items(), key=lambda item: item[0]))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
