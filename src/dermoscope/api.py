"""The shortest way to an answer."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.analysis import Analysis
from dermoscope.analyzer import Analyzer, load_analyzer


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


@lru_cache(maxsize=1)
def _loaded(bundle: Path | None) -> Analyzer:
    return load_analyzer(bundle)
