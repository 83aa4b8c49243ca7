"""The shortest ways to an answer: one image, or many with the files of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dermoscope.analysis import Analysis
from dermoscope.analyzer import Analyzer, load_analyzer
from dermoscope.batch import BatchSummary
from dermoscope.batch import analyze_batch as run_batch
from dermoscope.batch.segmentations import segment_batch as run_segmentations
from dermoscope.report import write_report
from dermoscope.segment.user_prompts import UserBox
from dermoscope.segmentation import Segmentation
from dermoscope.segmenter import Segmenter, load_segmenter


def analyze(image: str | Path | bytes | NDArray[np.uint8], *, frame: int = 1, bundle: Path | None = None) -> Analysis:
    """Analyse one image. For many, or for masks and pictures, use `dermoscope.load()`.

    The bundle stays loaded between calls.

    Args:
        image: A file, the bytes of one, or an RGB image `[H, W, 3]` uint8.
        frame: Which frame of a DICOM file, from 1.
        bundle: Folder of a bundle; by default the one inside the package.

    Raises:
        ImageError: If the image cannot be read.
        BundleError: If the bundle is missing or damaged.
    """
    path = Path(image) if isinstance(image, (str, Path)) else None
    outcome = _loaded(bundle).analyze(
        image,
        image_id=path.stem if path else "image",
        path=str(path) if path else "",
        frame=frame,
        picture=False,
    )
    return outcome.analysis


def analyze_batch(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    bundle: Path | None = None,
    frame: int = 1,
    jobs: int = 1,
    pictures: bool = True,
    masks: bool = True,
    dicom: bool = False,
    overwrite: bool = False,
) -> BatchSummary:
    """Analyse many images and write the same files as `dermoscope analyze`: tables, masks, pictures, report.

    A second call with the same arguments goes on where the first one stopped.

    Args:
        paths: Files, folders and patterns.
        out: Folder for the results.
        bundle: Folder of a bundle; by default the one inside the package.
        frame: Which frame of DICOM files, from 1.
        jobs: Images analysed at once.
        pictures: Whether to draw pictures.
        masks: Whether to write masks.
        dicom: Whether to write results of DICOM images as DICOM, too.
        overwrite: Remove earlier results from the folder first.

    Raises:
        BatchUsageError: If a pattern matches nothing, or the folder holds results of another model or other options.
        OutputError: If the folder cannot be written.
        BundleError: If the bundle is missing or damaged.
    """
    folder = Path(out)
    analyzer = load_analyzer(bundle, streams=jobs)
    summary = run_batch(
        [str(path) for path in paths],
        folder,
        analyzer,
        frame=frame,
        jobs=jobs,
        pictures=pictures,
        masks=masks,
        dicom=dicom,
        overwrite=overwrite,
    )
    write_report(folder / "results.jsonl", folder / "report.html", bundle=analyzer.describe())
    return summary


def segment_image(
    image: str | Path | bytes | NDArray[np.uint8],
    *,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    box: UserBox | None = None,
    frame: int = 1,
    bundle: Path | None = None,
) -> Segmentation:
    """The lesion mask of one image: found without help, or from clicks and a box.

    For many, or to correct a mask click by click, use `dermoscope.load_segmenter()`. The bundle stays loaded between
    calls.

    Args:
        image: A file, the bytes of one, or an RGB image `[H, W, 3]` uint8.
        points: Clicks `[P, 2]`, x and y in pixels of the original image.
        labels: `[P]`, 1 on the lesion and 0 on the background; all 1 if left out.
        box: Left, top, right, bottom in pixels of the original image.
        frame: Which frame of a DICOM file, from 1.
        bundle: Folder of a bundle; by default the one inside the package.

    Raises:
        ImageError: If the image cannot be read.
        PromptError: If clicks or box lie outside the image or do not fit together.
        BundleError: If the bundle is missing or damaged.
    """
    return _loaded_segmenter(bundle).segment(image, points=points, labels=labels, box=box, frame=frame)


def segment_batch(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    bundle: Path | None = None,
    frame: int = 1,
    jobs: int = 1,
    pictures: bool = False,
    dicom: bool = False,
    overwrite: bool = False,
) -> BatchSummary:
    """Segment many images and write the same files as `dermoscope segment`: masks, tables, outlines.

    A second call with the same arguments goes on where the first one stopped.

    Args:
        paths: Files, folders and patterns.
        out: Folder for the results.
        bundle: Folder of a bundle; by default the one inside the package.
        frame: Which frame of DICOM files, from 1.
        jobs: Images segmented at once.
        pictures: Whether to draw pictures.
        dicom: Whether to write masks of DICOM images as DICOM, too.
        overwrite: Remove earlier results from the folder first.

    Raises:
        BatchUsageError: If a pattern matches nothing, or the folder holds results of another model or other options.
        OutputError: If the folder cannot be written.
        BundleError: If the bundle is missing or damaged.
    """
    segmenter = load_segmenter(bundle, streams=jobs)
    names = [str(path) for path in paths]
    return run_segmentations(
        names,
        Path(out),
        segmenter,
        frame=frame,
        jobs=jobs,
        pictures=pictures,
        dicom=dicom,
        overwrite=overwrite,
    )


@lru_cache(maxsize=1)
def _loaded(bundle: Path | None) -> Analyzer:
    return load_analyzer(bundle)


@lru_cache(maxsize=1)
def _loaded_segmenter(bundle: Path | None) -> Segmenter:
    return load_segmenter(bundle)
