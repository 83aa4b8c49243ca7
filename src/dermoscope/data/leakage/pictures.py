"""From image files to pairs of near-duplicates, with one image in memory at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage.alignment import LEAST_SIMILARITY, Contrasts, similarity
from dermoscope.data.leakage.search import CANDIDATE_COSINE, candidates, whole_signatures
from dermoscope.data.leakage.signatures import LEAST_CONTRAST, VIEWS, turned
from dermoscope.data.leakage.thumbnails import SIDE, PrintCache
from dermoscope.images import ImageError

_REPORT_EVERY = 100


@dataclass(frozen=True)
class Pictures:
    """The different contents among image files.

    Attributes:
        thumbnails: `[N, 64, 64]`, grey, memory-mapped; one for each content.
        files: For each content, the numbers of the files that have it.
        sha256: For each content, its hash.
        unreadable: Reason by file number.
    """

    thumbnails: NDArray[np.uint8]
    files: Sequence[Sequence[int]]
    sha256: Sequence[str]
    unreadable: Mapping[int, str]


@dataclass(frozen=True)
class NearDuplicate:
    """Two pictures of one scene.

    Attributes:
        first: Number of a thumbnail.
        second: Number of a thumbnail, greater than `first`.
        similarity: Correlation of the aligned details, up to 1.
        orientation: How the second must be turned to lie like the first, see `turned`.
    """

    first: int
    second: int
    similarity: float
    orientation: int


@contextmanager
def collected(
    paths: Sequence[Path], cache: Path | None, on_progress: Callable[[float], None] | None = None
) -> Iterator[Pictures]:
    """Hash and shrink files; the thumbnails live in a temporary file until the context ends.

    Args:
        paths: Image files; those that cannot be read are named with their reason.
        cache: See `PrintCache`.
        on_progress: Called with the finished share, 0 to 1.
    """
    numbers: dict[str, int] = {}
    files: list[list[int]] = []
    unreadable: dict[int, str] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, PrintCache(cache) as prints:
        pixels = Path(folder) / "thumbnails"
        with pixels.open("wb") as stream:
            for number, made in enumerate(prints.prints(paths)):
                if isinstance(made, ImageError):
                    unreadable[number] = made.reason
                elif made.sha256 in numbers:
                    files[numbers[made.sha256]].append(number)
                else:
                    numbers[made.sha256] = len(files)
                    files.append([number])
                    stream.write(made.thumbnail.tobytes())
                if on_progress and number % _REPORT_EVERY == 0:
                    on_progress(number / len(paths))
        if on_progress:
            on_progress(1.0)
        shape = (len(files), SIDE, SIDE)
        # An empty file cannot be mapped.
        mapped = np.memmap(pixels, np.uint8, "r", shape=shape) if files else np.empty(shape, np.uint8)
        yield Pictures(mapped, files, list(numbers), unreadable)


def near_duplicates(
    thumbnails: NDArray[np.uint8],
    *,
    least_cosine: float = CANDIDATE_COSINE,
    least_similarity: float = LEAST_SIMILARITY,
    jobs: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[list[NearDuplicate], list[int]]:
    """Pairs of pictures that show one scene, whole or cropped, in any of eight orientations.

    Args:
        thumbnails: `[N, 64, 64]`, grey.
        least_cosine: Of the signatures, for a pair to be looked at closely.
        least_similarity: Of the aligned details.
        jobs: Threads of the search.
        on_progress: Called with the finished share, 0 to 1.

    Returns:
        The pairs, ordered; and the numbers of even surfaces, which are not compared.
    """
    whole, contrast = whole_signatures(thumbnails)
    featureless = np.flatnonzero(contrast < LEAST_CONTRAST)
    whole[featureless] = 0
    found: dict[tuple[int, int], NearDuplicate] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for group in candidates(thumbnails, whole, least_cosine=least_cosine, jobs=jobs, on_progress=on_progress):
            pairs = list(zip(group.first.tolist(), group.second.tolist(), group.view, group.orientation, strict=True))
            # A pair comes twice, once for either of the two as the cropped one; once is enough if it is found.
            by_first = [
                [pair for pair in same if (min(pair[:2]), max(pair[:2])) not in found]
                for _, same in groupby(pairs, key=itemgetter(0))
            ]
            for alike in pool.map(partial(_alike, thumbnails, least_similarity), by_first):
                found |= {(pair.first, pair.second): pair for pair in alike}
    return [found[pair] for pair in sorted(found)], featureless.tolist()


def _alike(
    thumbnails: NDArray[np.uint8], least: float, pairs: Sequence[tuple[int, int, int, int]]
) -> list[NearDuplicate]:
    """Those of the candidates of one first picture that show its scene."""
    alike: list[NearDuplicate] = []
    if not pairs:
        return alike
    first = Contrasts.of(thumbnails[pairs[0][0]])
    for one, other, view, orientation in pairs:
        value = similarity(first, Contrasts.of(turned(thumbnails[other], orientation)), VIEWS[view])
        if value >= least:
            turn = int(orientation) if one < other else _INVERSE[orientation]
            alike.append(NearDuplicate(min(one, other), max(one, other), value, turn))
    return alike


# Quarter turns undo each other; every other orientation undoes itself.
_INVERSE = (0, 1, 2, 3, 4, 6, 5, 7)
