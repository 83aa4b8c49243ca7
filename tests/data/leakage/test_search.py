from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.data.leakage import search
from dermoscope.data.leakage.search import Candidates, candidates, whole_signatures
from dermoscope.data.leakage.signatures import VIEWS, best_orientation, local_contrast, signatures, turned
from dermoscope.data.leakage.thumbnails import thumbnail
from tests.data.leakage.planted import lesion_picture

PICTURES = 40


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    """Different lesions; every tenth is the one before, turned."""
    own = [thumbnail(lesion_picture(seed)) for seed in range(PICTURES)]
    for number in range(9, PICTURES, 10):
        own[number] = turned(own[number - 1], number % 8)
    return np.stack(own)


@pytest.fixture(params=[(512, 1024), (7, 11), (16, 4)], ids=["one tile", "odd tiles", "small columns"])
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = request.param
    monkeypatch.setattr(search, "_TILE_ROWS", rows)
    monkeypatch.setattr(search, "_TILE_COLUMNS", columns)


def found(groups: list[Candidates]) -> dict[tuple[int, int], tuple[float, int, int]]:
    return {
        (int(first), int(second)): (float(cosine), int(view), int(orientation))
        for group in groups
        for first, second, cosine, view, orientation in zip(
            group.first, group.second, group.cosine, group.view, group.orientation, strict=True
        )
    }


def by_brute_force(pictures: NDArray[np.uint8], least: float) -> set[frozenset[int]]:
    contrast, _ = local_contrast(pictures)
    whole = signatures(contrast)
    pairs = set()
    for window in VIEWS:
        rows = signatures(contrast, window)
        for first in range(len(pictures)):
            cosines, _ = best_orientation(np.repeat(rows[first : first + 1], len(whole), axis=0), whole)
            pairs |= {frozenset((first, int(second))) for second in np.flatnonzero(cosines >= least)}
    return {pair for pair in pairs if len(pair) == 2}


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("least", [0.6, 0.91])
def test_every_pair_is_found_and_no_other(least: float, jobs: int, pictures: NDArray[np.uint8]) -> None:
    whole, _ = whole_signatures(pictures)
    pairs = found(list(candidates(pictures, whole, least_cosine=least, jobs=jobs)))
    assert {frozenset(pair) for pair in pairs} == by_brute_force(pictures, least)
    assert all(cosine >= least for cosine, _, _ in pairs.values())


@pytest.mark.usefixtures("tiles")
def test_turned_pictures_are_paired_with_their_orientation(pictures: NDArray[np.uint8]) -> None:
    whole, _ = whole_signatures(pictures)
    pairs = found(list(candidates(pictures, whole)))
    for number in range(9, PICTURES, 10):
        if (number, number - 1) in pairs:
            cosine, view, orientation = pairs[number, number - 1]
        else:
            cosine, view, back = pairs[number - 1, number]
            orientation = (0, 1, 2, 3, 4, 6, 5, 7)[back]
        assert (view, orientation) == (0, number % 8)
        assert cosine == pytest.approx(1, abs=1e-4)


def test_blank_signatures_pair_with_nothing(pictures: NDArray[np.uint8]) -> None:
    whole, _ = whole_signatures(np.concatenate([pictures[:1], pictures[:1]]))
    whole[0] = 0
    assert not found(list(candidates(np.concatenate([pictures[:1], pictures[:1]]), whole)))


def test_progress_grows_to_one(pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_TILE_ROWS", 9)
    shares: list[float] = []
    whole, _ = whole_signatures(pictures)
    list(candidates(pictures, whole, jobs=2, on_progress=shares.append))
    assert shares == sorted(shares)
    assert shares[-1] == 1
