"""From image files to pairs of near-duplicates, with one image in memory at a time and some 180 bytes kept of each."""

from __future__ import annotations

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
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from dermoscope.data.leakage.alignment import HALF_SIZE_SLACK, LEAST_SIMILARITY, Contrasts, similarity
from dermoscope.data.leakage.rows import RowFile
from dermoscope.data.leakage.search import CANDIDATE_COSINE, Thumbnails, candidates, write_signatures
from dermoscope.data.leakage.signatures import LENGTH, VIEWS, turned
from dermoscope.data.leakage.thumbnails import SIDE, PrintCache
from dermoscope.images import ImageError

_REPORT_EVERY = 100


class FilesByContent:
    """For each content, the numbers of the files that have it, in order.

    Args:
        contents: `[F]`, for each file the number of its content; -1 where it could not be read.
        number: Of contents; each has a file.
    """

    def __init__(self, contents: NDArray[np.int64], number: int) -> None:
        self._order = np.argsort(contents, kind="stable")
        self._starts = np.searchsorted(contents[self._order], np.arange(number + 1))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, content: int) -> list[int]:
        """The files of one content."""
        files: list[int] = self._order[self._starts[content] : self._starts[content + 1]].tolist()
        return files

    def __iter__(self) -> Iterator[list[int]]:
        return (self[content] for content in range(len(self)))


@dataclass(frozen=True)
class Pictures:
    """The different contents among image files.

    Attributes:
        thumbnails: `[N, 64, 64]`, grey, in a file; one for each content.
        files: For each content, the numbers of the files that have it.
        sha256: For each content, its hash, 32 bytes.
        unreadable: Reason by file number.
    """

    thumbnails: RowFile[np.uint8]
    files: FilesByContent
    sha256: Sequence[bytes]
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
    numbers: dict[bytes, int] = {}
    contents = np.full(len(paths), -1)
    unreadable: dict[int, str] = {}
    with RowFile((SIDE, SIDE), np.uint8) as thumbnails, PrintCache(cache) as prints:
        for number, made in enumerate(prints.prints(paths)):
            if isinstance(made, ImageError):
                unreadable[number] = made.reason
            else:
                # A content not met before gets the next number.
                contents[number] = numbers.setdefault(bytes.fromhex(made.sha256), len(numbers))
                if len(numbers) > len(thumbnails):
                    thumbnails.append(made.thumbnail[None])
            if on_progress and number % _REPORT_EVERY == 0:
                on_progress(number / len(paths))
        if on_progress:
            on_progress(1.0)
        yield Pictures(thumbnails, FilesByContent(contents, len(numbers)), list(numbers), unreadable)


def near_duplicates(
    thumbnails: Thumbnails,
    *,
    least_cosine: float = CANDIDATE_COSINE,
    least_similarity: float = LEAST_SIMILARITY,
    jobs: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[list[NearDuplicate], list[int]]:
    """Pairs of pictures that show one scene, whole or cropped, in any of eight orientations.

    Args:
        thumbnails: `[N, 64, 64]`, grey; read in blocks.
        least_cosine: Of the signatures, for a pair to be looked at closely.
        least_similarity: Of the aligned details.
        jobs: Threads of the search.
        on_progress: Called with the finished share, 0 to 1.

    Returns:
        The pairs, ordered; and the numbers of even surfaces, which are not compared.
    """
    found: dict[tuple[int, int], NearDuplicate] = {}
    # Threads of the matrix products on top of threads that call them wait for each other, busily.
    one_thread = threadpool_limits(limits=1, user_api="blas")
    with one_thread, RowFile((LENGTH,), np.float32) as whole, ThreadPoolExecutor(jobs) as pool:
        featureless = write_signatures(thumbnails, whole, jobs=jobs)
        for group in candidates(thumbnails, whole, least_cosine=least_cosine, jobs=jobs, on_progress=on_progress):
            pairs = list(zip(group.first.tolist(), group.second.tolist(), group.view, group.orientation, strict=True))
            # A pair comes twice, once for either of the two as the cropped one; once is enough if it is found.
            by_first = [
                [pair for pair in same if (min(pair[:2]), max(pair[:2])) not in found]
                for _, same in groupby(pairs, key=itemgetter(0))
            ]
            for alike in pool.map(partial(_alike, thumbnails, least_similarity), by_first):
                found |= {(pair.first, pair.second): pair for pair in alike}
    return [found[pair] for pair in sorted(found)], featureless


def _alike(thumbnails: Thumbnails, least: float, pairs: Sequence[tuple[int, int, int, int]]) -> list[NearDuplicate]:
    """Those of the candidates of one first picture that show its scene."""
    alike: list[NearDuplicate] = []
    if not pairs:
        return alike
    first = thumbnails[pairs[0][0]]
    small, large = Contrasts.at_half_size(first), Contrasts.of(first)
    for one, other, view, orientation in pairs:
        second = turned(thumbnails[other], orientation)
        # Alignment is what takes long, and at a quarter of the pixels most pairs are seen to differ.
        if similarity(small, Contrasts.at_half_size(second), VIEWS[view]) < least - HALF_SIZE_SLACK:
            continue
        value = similarity(large, Contrasts.of(second), VIEWS[view])
        if value >= least:
            turn = int(orientation) if one < other else _INVERSE[orientation]
            alike.append(NearDuplicate(min(one, other), max(one, other), value, turn))
    return alike


# Quarter turns undo each other; every other orientation undoes itself.
_INVERSE = (0, 1, 2, 3, 4, 6, 5, 7)
