"""All pairs of pictures whose signatures agree, in any of eight orientations and under small crops.

Every pair is compared, tile by tile: first by a bound on the cosine that holds for all orientations, a single matrix
product, then the one pair in hundreds that passes it by the cosine itself. So nothing is missed, and the memory in use
does not grow with the number of pairs. The work grows with the square of the number of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage.signatures import (
    LENGTH,
    VIEWS,
    best_orientation,
    invariants,
    local_contrast,
    signatures,
)

CANDIDATE_COSINE = 0.91
"""Least cosine of two signatures for the pair to be aligned and compared in detail.

Of planted copies of real dermoscopic images 99.6 % lie above, of pairs of different lesions 1 in 20,000; see
`studies/data-and-evaluation/leaks.py`."""

_TILE_ROWS = 512
_TILE_COLUMNS = 1024
_BATCH = 1024
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Candidates:
    """Pairs of pictures to look at more closely; picture `second` may be a crop of picture `first`.

    Attributes:
        first: `[P]` numbers of pictures.
        second: `[P]`.
        cosine: `[P]`, of the best view and orientation.
        view: `[P]`, index into `VIEWS`: how the first picture is cropped.
        orientation: `[P]`, how the second picture must be turned, see `turned`.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    cosine: NDArray[np.float32]
    view: NDArray[np.intp]
    orientation: NDArray[np.intp]


def whole_signatures(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Signatures of all pictures, and their contrast in grey levels.

    Args:
        thumbnails: `[N, 64, 64]`, which may be memory-mapped: it is read in batches.

    Returns:
        `[N, LENGTH]` and `[N]`.
    """
    whole = np.empty((len(thumbnails), LENGTH), np.float32)
    levels = np.empty(len(thumbnails), np.float32)
    for start in range(0, len(thumbnails), _BATCH):
        batch = slice(start, start + _BATCH)
        contrast, levels[batch] = local_contrast(thumbnails[batch])
        whole[batch] = signatures(contrast)
    return whole, levels


def candidates(
    thumbnails: NDArray[np.uint8],
    whole: NDArray[np.float32],
    *,
    least_cosine: float = CANDIDATE_COSINE,
    jobs: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[Candidates]:
    """Find the pairs, each at most twice: once for either of the two as the one that may be cropped.

    Args:
        thumbnails: `[N, 64, 64]`.
        whole: Their signatures, `[N, LENGTH]`.
        least_cosine: Pairs below are left out.
        jobs: Threads.
        on_progress: Called with the finished share of the work, 0 to 1.
    """
    starts = range(0, len(thumbnails), _TILE_ROWS)
    search = partial(_search_rows, thumbnails, whole, invariants(whole), least_cosine)
    with ThreadPoolExecutor(jobs) as pool:
        # In rounds of as many strips as threads: results of strips far ahead would pile up.
        for begin in range(0, len(starts), jobs):
            yield from pool.map(search, starts[begin : begin + jobs])
            if on_progress:
                on_progress(min(1.0, (begin + jobs) / len(starts)))


def _search_rows(
    thumbnails: NDArray[np.uint8],
    whole: NDArray[np.float32],
    bounds: NDArray[np.float32],
    least: float,
    start: int,
) -> Candidates:
    contrast, _ = local_contrast(thumbnails[start : start + _TILE_ROWS])
    # An even surface, whose signature is blank, is blank through every window.
    blank = ~whole[start : start + _TILE_ROWS].any(axis=1)
    parts = []
    for view, window in enumerate(VIEWS):
        rows = signatures(contrast, window)
        rows[blank] = 0
        rows_bound = invariants(rows)
        # Whole against whole is symmetric: what lies before the strip was found from the other side.
        for column in range(0 if view else start, len(whole), _TILE_COLUMNS):
            bound = rows_bound @ bounds[column : column + _TILE_COLUMNS].T
            # Several times quicker than `nonzero` of two dimensions where hits are rare.
            row, col = np.divmod(np.flatnonzero(bound >= least - _ROUNDING), bound.shape[1])
            cosine, orientation = best_orientation(rows[row], whole[col + column])
            first, second = row + start, col + column
            keep = (cosine >= least) & (first != second)
            parts.append((first[keep], second[keep], cosine[keep], np.full(keep.sum(), view), orientation[keep]))
    return _best_of_each_pair(Candidates(*(np.concatenate(values) for values in zip(*parts, strict=True))))


def _best_of_each_pair(found: Candidates) -> Candidates:
    order = np.lexsort((-found.cosine, found.second, found.first))
    first, second = found.first[order], found.second[order]
    is_best = np.ones(len(order), bool)
    is_best[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    best = order[is_best]
    return Candidates(
        found.first[best], found.second[best], found.cosine[best], found.view[best], found.orientation[best]
    )
