"""All pairs of pictures whose signatures agree, in any of eight orientations and under small crops.

Every pair is compared, tile by tile, in two steps. First a bound on the cosine that holds for all orientations: one
matrix product of 64 numbers a picture, the principal components of the invariants with the length of what these leave
out, so that by the Cauchy-Schwarz inequality no pair is missed. Then, for the one pair in hundreds that passes it, the
cosine itself. The work grows with the square of the number of pictures; signatures are read from files block by block,
so memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage.rows import RowFile
from dermoscope.data.leakage.signatures import (
    LEAST_CONTRAST,
    LENGTH,
    VIEWS,
    best_orientation,
    invariants,
    local_contrast,
    signatures,
)

CANDIDATE_COSINE = 0.91
"""Least cosine of two signatures for the pair to be aligned and compared in detail.

Of planted copies of real dermoscopic images 99.6 % lie above, of pairs of different lesions 1 in 10,000; see
`studies/data-and-evaluation/leaks.py`."""

Thumbnails = NDArray[np.uint8] | RowFile[np.uint8]
"""`[N, 64, 64]`, grey."""

Signatures = NDArray[np.float32] | RowFile[np.float32]
"""`[N, LENGTH]`."""

Result = TypeVar("Result")

_TILE_ROWS = 512
_TILE_COLUMNS = 512
_BATCH = 128
_COMPONENTS = 63
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


def write_signatures(thumbnails: Thumbnails, whole: RowFile[np.float32], *, jobs: int = 1) -> list[int]:
    """Append the signatures of all pictures to a file.

    Args:
        thumbnails: Read in batches.
        whole: Where they go; blank, all 0, for an even surface.
        jobs: Threads.

    Returns:
        The numbers of even surfaces, those with less than `LEAST_CONTRAST`.
    """
    even: list[int] = []
    for start, (batch, contrast) in _in_batches(lambda rows: _whole(thumbnails[rows]), len(thumbnails), jobs):
        is_even = contrast < LEAST_CONTRAST
        batch[is_even] = 0
        whole.append(batch)
        even += (start + np.flatnonzero(is_even)).tolist()
    return even


def candidates(
    thumbnails: Thumbnails,
    whole: Signatures,
    *,
    least_cosine: float = CANDIDATE_COSINE,
    jobs: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[Candidates]:
    """Find the pairs, each at most twice: once for either of the two as the one that may be cropped.

    Args:
        thumbnails: Read in blocks.
        whole: Their signatures, read in blocks.
        least_cosine: Pairs below are left out.
        jobs: Threads.
        on_progress: Called with the finished share of the work, 0 to 1.
    """
    starts = range(0, len(thumbnails), _TILE_ROWS)
    axes = _principal_axes(whole, jobs)
    with RowFile((axes.shape[1] + 1,), np.float32) as bounds, ThreadPoolExecutor(jobs) as pool:
        for _, own in _in_batches(lambda rows: _bounds(whole[rows], axes), len(whole), jobs):
            bounds.append(own)
        search = partial(_search_rows, thumbnails, whole, bounds, axes, least_cosine)
        # In rounds of as many strips as threads: results of strips far ahead would pile up.
        for begin in range(0, len(starts), jobs):
            yield from pool.map(search, starts[begin : begin + jobs])
            if on_progress:
                on_progress(min(1.0, (begin + jobs) / len(starts)))


def _search_rows(
    thumbnails: Thumbnails,
    whole: Signatures,
    bounds: RowFile[np.float32],
    axes: NDArray[np.float32],
    least: float,
    start: int,
) -> Candidates:
    stop = min(len(thumbnails), start + _TILE_ROWS)
    batches = [_views(thumbnails[begin : min(stop, begin + _BATCH)]) for begin in range(start, stop, _BATCH)]
    rows = np.concatenate(batches, axis=1)
    # An even surface, whose signature is blank, is blank through every window.
    rows[:, ~whole[start:stop].any(axis=1)] = 0
    row_bounds = [_bounds(view, axes) for view in rows]
    parts = []
    for column in range(0, len(whole), _TILE_COLUMNS):
        columns = whole[column : column + _TILE_COLUMNS]
        column_bounds = bounds[column : column + _TILE_COLUMNS].T
        # Whole against whole is symmetric: what lies before the strip was found from the other side.
        for view in range(0 if column + len(columns) > start else 1, len(VIEWS)):
            bound = row_bounds[view] @ column_bounds
            # Several times quicker than `nonzero` of two dimensions where hits are rare.
            row, col = np.divmod(np.flatnonzero(bound >= least - _ROUNDING), bound.shape[1])
            cosine, orientation = best_orientation(rows[view][row], columns[col])
            first, second = row + start, col + column
            keep = (cosine >= least) & (first != second)
            parts.append((first[keep], second[keep], cosine[keep], np.full(keep.sum(), view), orientation[keep]))
    return _best_of_each_pair(Candidates(*(np.concatenate(values) for values in zip(*parts, strict=True))))


def _views(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`[V, N, LENGTH]`: signatures through every window."""
    contrast, _ = local_contrast(thumbnails)
    return np.stack([signatures(contrast, window) for window in VIEWS])


def _whole(thumbnails: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    contrast, levels = local_contrast(thumbnails)
    return signatures(contrast), levels


def _principal_axes(whole: Signatures, jobs: int) -> NDArray[np.float32]:
    """`[LENGTH, _COMPONENTS]`, orthonormal: the directions in which the invariants of these pictures are largest."""
    moments = np.zeros((LENGTH, LENGTH))
    for _, batch in _in_batches(lambda rows: _moments(whole[rows]), len(whole), jobs):
        moments += batch
    return np.asarray(np.linalg.eigh(moments).eigenvectors[:, -_COMPONENTS:], dtype=np.float32)


def _moments(whole: NDArray[np.float32]) -> NDArray[np.float32]:
    values = invariants(whole)
    return values.T @ values


def _bounds(signature: NDArray[np.float32], axes: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[N, _COMPONENTS + 1]`, of which no product is less than that of the invariants."""
    values = invariants(signature)
    components = values @ axes
    rest = np.linalg.norm(values - components @ axes.T, axis=1, keepdims=True)
    return np.concatenate([components, rest], axis=1)


def _in_batches(function: Callable[[slice], Result], length: int, jobs: int) -> Iterator[tuple[int, Result]]:
    """What a function gives for every batch of rows, in order, with the number of its first row."""
    with ThreadPoolExecutor(jobs) as pool:
        for begin in range(0, length, _BATCH * jobs):
            starts = range(begin, min(length, begin + _BATCH * jobs), _BATCH)
            yield from zip(starts, pool.map(function, [slice(start, start + _BATCH) for start in starts]), strict=True)


def _best_of_each_pair(found: Candidates) -> Candidates:
    order = np.lexsort((-found.cosine, found.second, found.first))
    first, second = found.first[order], found.second[order]
    is_best = np.ones(len(order), bool)
    is_best[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    best = order[is_best]
    return Candidates(
        found.first[best], found.second[best], found.cosine[best], found.view[best], found.orientation[best]
    )
