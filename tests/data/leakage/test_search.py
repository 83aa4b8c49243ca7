from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.data.leakage import search
from dermoscope.data.leakage.rows import RowFile
from dermoscope.data.leakage.search import CANDIDATE_COSINE, Candidates, candidates, write_signatures
from dermoscope.data.leakage.signatures import LENGTH, VIEWS, best_orientation, local_contrast, signatures, turned
from dermoscope.data.leakage.thumbnails import thumbnail
from tests.data.leakage.planted import cropped, lesion_picture

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


@pytest.fixture(scope="module")
def many() -> NDArray[np.uint8]:
    """Different lesions, each in all eight orientations and once cropped: 270 in no order."""
    pictures = []
    for seed in range(30):
        lesion = lesion_picture(seed, 96, 96)
        pictures += [turned(thumbnail(lesion), orientation) for orientation in range(8)]
        pictures.append(turned(thumbnail(cropped(0.05, 0.0, 0.0, 0.05)(lesion)), seed % 8))
    return np.stack(pictures)[np.random.default_rng(0).permutation(len(pictures))]


class Watched(RowFile[Any]):
    """Rows that remember the most that were asked for at once."""

    most = 0

    def __getitem__(self, rows: int | slice) -> NDArray[Any]:
        out = super().__getitem__(rows)
        type(self).most = max(self.most, len(out) if isinstance(rows, slice) else 1)
        return out


def whole_signatures(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    with RowFile((LENGTH,), np.float32) as whole:
        write_signatures(pictures, whole)
        return whole[:]


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
    whole = whole_signatures(pictures)
    pairs = found(list(candidates(pictures, whole, least_cosine=least, jobs=jobs)))
    assert {frozenset(pair) for pair in pairs} == by_brute_force(pictures, least)
    assert all(cosine >= least for cosine, _, _ in pairs.values())


@pytest.mark.parametrize("components", [3, 63])
@pytest.mark.parametrize(("rows", "columns"), [(512, 512), (64, 27), (90, 135)])
@pytest.mark.parametrize("least", [0.75, CANDIDATE_COSINE])
def test_nothing_is_missed_among_hundreds(
    least: float, rows: int, columns: int, components: int, many: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few components the bound is made of, it is one; and it holds across the borders of tiles."""
    for name, value in (("_TILE_ROWS", rows), ("_TILE_COLUMNS", columns), ("_COMPONENTS", components)):
        monkeypatch.setattr(search, name, value)
    pairs = found(list(candidates(many, whole_signatures(many), least_cosine=least)))
    expected = by_brute_force(many, least)
    assert len(expected) >= 30 * 8 * 7 // 2
    assert {frozenset(pair) for pair in pairs} == expected


def test_the_bound_spares_most_of_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.stack([thumbnail(lesion_picture(seed, 96, 96)) for seed in range(100)])
    compared = []

    def counted(first: NDArray[np.float32], second: NDArray[np.float32]) -> Any:
        compared.append(len(first))
        return best_orientation(first, second)

    monkeypatch.setattr(search, "best_orientation", counted)
    list(candidates(pictures, whole_signatures(pictures)))
    pairs = 100 * 100 * len(VIEWS)
    assert sum(compared) - 100 * len(VIEWS) < 0.01 * pairs


@pytest.mark.parametrize("jobs", [1, 2])
def test_files_are_read_in_blocks(jobs: int, many: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory does not grow with the number of pictures."""
    for name, value in (("_TILE_ROWS", 24), ("_TILE_COLUMNS", 32), ("_BATCH", 16)):
        monkeypatch.setattr(search, name, value)
    monkeypatch.setattr(search, "RowFile", Watched)
    monkeypatch.setattr(Watched, "most", 0)
    with Watched(many.shape[1:], np.uint8) as thumbnails, Watched((LENGTH,), np.float32) as whole:
        thumbnails.append(many)
        write_signatures(thumbnails, whole, jobs=jobs)
        pairs = found(list(candidates(thumbnails, whole, jobs=jobs)))
    assert 16 <= Watched.most <= 32
    assert pairs == found(list(candidates(many, whole_signatures(many))))


@pytest.mark.usefixtures("tiles")
def test_turned_pictures_are_paired_with_their_orientation(pictures: NDArray[np.uint8]) -> None:
    whole = whole_signatures(pictures)
    pairs = found(list(candidates(pictures, whole)))
    for number in range(9, PICTURES, 10):
        if (number, number - 1) in pairs:
            cosine, view, orientation = pairs[number, number - 1]
        else:
            cosine, view, back = pairs[number - 1, number]
            orientation = (0, 1, 2, 3, 4, 6, 5, 7)[back]
        assert (view, orientation) == (0, number % 8)
        assert cosine == pytest.approx(1, abs=1e-4)


def test_even_surfaces_are_blank_and_named(pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_BATCH", 3)
    some = pictures[:8].copy()
    some[[2, 7]] = 90
    some[[2, 7], 20:40, 20:40] = 91
    with RowFile((LENGTH,), np.float32) as whole:
        assert write_signatures(some, whole, jobs=2) == [2, 7]
        assert np.flatnonzero(~whole[:].any(axis=1)).tolist() == [2, 7]


def test_blank_signatures_pair_with_nothing(pictures: NDArray[np.uint8]) -> None:
    whole = whole_signatures(np.concatenate([pictures[:1], pictures[:1]]))
    whole[0] = 0
    assert not found(list(candidates(np.concatenate([pictures[:1], pictures[:1]]), whole)))


def test_progress_grows_to_one(pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_TILE_ROWS", 9)
    shares: list[float] = []
    whole = whole_signatures(pictures)
    list(candidates(pictures, whole, jobs=2, on_progress=shares.append))
    assert shares == sorted(shares)
    assert shares[-1] == 1
