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
from dermoscope.bundle import Bundle
from dermoscope.measures import spacing_of
from dermoscope.report import write_report
from dermoscope.segment.user_prompts import UserBox
from dermoscope.segmentation import Segmentation
from dermoscope.segmenter import Segmenter, load_segmenter


def analyze(
    image: str | Path | bytes | NDArray[np.uint8],
    *,
    frame: int = 1,
    mm_per_pixel: float | None = None,
    bundle: str | Path | Bundle | None = None,
    mode: str | None = None,
    operating_point: str | None = None,
) -> Analysis:
    """Analyse one image. For many, or for masks and pictures, use `dermoscope.load()`.

    What it needs stays loaded between calls, for the last four combinations of bundle, mode and operating point.

    Args:
        image: A file, the bytes of one, or an RGB image `[H, W, 3]` uint8.
        frame: Which frame of a DICOM file, from 1.
        mm_per_pixel: Size of a pixel in millimetres, 0.0001 to 10, so that diameters have a unit; where a DICOM file
            says it itself, that counts.
        bundle: See `dermoscope.load`, as for both that follow; by default the one inside the package.
        mode: Which of its modes answers; the first if left out.
        operating_point: Name of the mode's operating point that flags malignancy; its own if left out.

    Raises:
        ImageError: If the image cannot be read.
        BundleError: If the bundle is missing or damaged, or has no such mode or operating point.
        ValueError: If the size of a pixel is out of range.
    """
    spacing = None if mm_per_pixel is None else spacing_of(mm_per_pixel)
    path = Path(image) if isinstance(image, (str, Path)) else None
    outcome = _loaded(bundle, mode, operating_point).analyze(
        image,
        image_id=path.stem if path else "image",
        path=str(path) if path else "",
        frame=frame,
        picture=False,
        spacing_mm=spacing,
    )
    return outcome.analysis


def analyze_batch(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    bundle: str | Path | Bundle | None = None,
    mode: str | None = None,
    operating_point: str | None = None,
    frame: int = 1,
    mm_per_pixel: float | None = None,
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
        bundle: See `dermoscope.load`, as for both that follow; by default the one inside the package.
        mode: Which of its modes answers; the first if left out.
        operating_point: Name of the mode's operating point that flags malignancy; its own if left out.
        frame: Which frame of DICOM files, from 1.
        mm_per_pixel: Size of a pixel in millimetres, 0.0001 to 10, for all images; where a DICOM file says it itself,
            that counts.
        jobs: Images analysed at once.
        pictures: Whether to draw pictures.
        masks: Whether to write masks.
        dicom: Whether to write results of DICOM images as DICOM, too.
        overwrite: Remove earlier results from the folder first.

    Raises:
        BatchUsageError: If a pattern matches nothing, the size of a pixel is out of range, or the folder holds results
            of another model, mode or operating point, or of other options.
        OutputError: If the folder cannot be written.
        BundleError: If the bundle is missing or damaged, or has no such mode or operating point.
    """
    folder = Path(out)
    analyzer = load_analyzer(bundle, mode=mode, operating_point=operating_point, streams=jobs)
    summary = run_batch(
        [str(path) for path in paths],
        folder,
        analyzer,
        frame=frame,
        mm_per_pixel=mm_per_pixel,
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
    bundle: str | Path | Bundle | None = None,
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
        bundle: See `dermoscope.load`; by default the one inside the package.

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
    bundle: str | Path | Bundle | None = None,
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
        bundle: See `dermoscope.load`; by default the one inside the package.
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


@lru_cache(maxsize=4)  # both modes of the shipped bundle, each at two operating points
def _loaded(bundle: str | Path | Bundle | None, mode: str | None, operating_point: str | None) -> Analyzer:
    return load_analyzer(bundle, mode=mode, operating_point=operating_point)


@lru_cache(maxsize=2)
def _loaded_segmenter(bundle: str | Path | Bundle | None) -> Segmenter:
    return load_segmenter(bundle)
