"""The shortest ways to an answer: one image, or many with the files of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Analysis
from dermoscope.analyzer import Analyzer, load_analyzer
from dermoscope.batch import BatchSummary
from dermoscope.batch import analyze_batch as run_batch
from dermoscope.report import write_report


def analyze(image: str | Path | bytes | NDArray[np.uint8], *, bundle: Path | None = None) -> Analysis:
    """Analyse one image. For many, or for masks and pictures, use `dermoscope.load()`.

    The bundle stays loaded between calls.

    Args:
        image: A file, the bytes of one, or an RGB image `[H, W, 3]` uint8.
        bundle: Folder of a bundle; by default the one inside the package.

    Raises:
        ImageError: If the image cannot be read.
        BundleError: If the bundle is missing or damaged.
    """
    path = Path(image) if isinstance(image, (str, Path)) else None
    outcome = _loaded(bundle).analyze(
        image, image_id=path.stem if path else "image", path=str(path) if path else "", picture=False
    )
    return outcome.analysis


def analyze_batch(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    bundle: Path | None = None,
    jobs: int = 1,
    pictures: bool = True,
    masks: bool = True,
    overwrite: bool = False,
) -> BatchSummary:
    """Analyse many images and write the same files as `dermoscope analyze`: tables, masks, pictures, report.

    A second call with the same arguments goes on where the first one stopped.

    Args:
        paths: Files, folders and patterns.
        out: Folder for the results.
        bundle: Folder of a bundle; by default the one inside the package.
        jobs: Images analysed at once.
        pictures: Whether to draw pictures.
        masks: Whether to write masks.
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
        jobs=jobs,
        pictures=pictures,
        masks=masks,
        overwrite=overwrite,
    )
    write_report(folder / "results.jsonl", folder / "report.html", bundle=analyzer.bundle.describe())
    return summary


@lru_cache(maxsize=1)
def _loaded(bundle: Path | None) -> Analyzer:
    return load_analyzer(bundle)
