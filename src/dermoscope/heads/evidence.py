"""Where the evidence for malignancy lies: occlusion on the embedding map. Torch-free.

The feature is a weighted mean over the cells of the map, so leaving a region out of it costs no second pass through the
encoder. The evidence of a region is how much the log-odds fall when the region is left out.
Reference for occlusion as explanation: Zeiler and Fergus, ECCV 2014 (arXiv 1311.2901).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

FloatMap = NDArray[np.float32]


def occlusion_evidence(
    embedding: FloatMap,
    pool_weights: FloatMap,
    log_odds: Callable[[FloatMap], NDArray[np.floating]],
    *,
    grid: int = 14,
    spread: float = 1.5,
) -> FloatMap:
    """Evidence map of one image.

    Args:
        embedding: `[256, h, w]`.
        pool_weights: `[h, w]`, the share of each cell in the feature; sums to one.
        log_odds: From features `[N, 256]` to log-odds of malignancy `[N]`.
        grid: Regions along one side.
        spread: Standard deviation of a region's soft edge, in regions.

    Returns:
        `[h, w]`, positive where the image speaks for malignancy, in log-odds; zero in the padding.
    """
    height, width = pool_weights.shape
    regions = _soft_regions(height, width, grid, spread)
    share = regions * pool_weights.reshape(1, -1)
    whole = embedding.reshape(embedding.shape[0], -1)
    total = whole @ pool_weights.ravel()
    remaining = np.maximum(1.0 - share.sum(axis=1), 1e-3)
    without = (total[None] - share @ whole.T) / remaining[:, None]
    drop = np.asarray(log_odds(total[None])) - np.asarray(log_odds(without.astype(np.float32)))
    empty = share.sum(axis=1) < 1e-6
    evidence = np.where(empty, 0.0, drop).reshape(grid, grid).astype(np.float32)
    smooth = cv2.resize(evidence, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.where(pool_weights > 0, smooth, 0.0), np.float32)


def _soft_regions(height: int, width: int, grid: int, spread: float) -> FloatMap:
    """Gaussian windows around the centres of a grid, `[grid * grid, height * width]`, at most one."""
    centres = (np.arange(grid) + 0.5) / grid
    y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    rows = np.exp(-0.5 * np.square((y[None] - centres[:, None]) * grid / spread))
    columns = np.exp(-0.5 * np.square((x[None] - centres[:, None]) * grid / spread))
    return np.asarray(np.einsum("ah,bw->abhw", rows, columns).reshape(grid * grid, -1), np.float32)
