from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from dermoscope.data.leakage.alignment import HALF_SIZE_SLACK, LEAST_SIMILARITY, Contrasts, similarity
from dermoscope.data.leakage.pictures import collected, near_duplicates
from dermoscope.data.leakage.signatures import Window, turned
from dermoscope.data.leakage.thumbnails import thumbnail
from tests.data.leakage.planted import CHANGES, lesion_picture, save_jpeg


def test_one_thumbnail_a_content(tmp_path: Path) -> None:
    paths = [save_jpeg(lesion_picture(seed), tmp_path / f"{seed}.jpg") for seed in range(3)]
    paths.insert(1, tmp_path / "missing.jpg")
    paths.append(Path(shutil.copy(paths[0], tmp_path / "copy.jpg")))
    with collected(paths, None) as seen:
        assert [list(files) for files in seen.files] == [[0, 4], [2], [3]]
        assert seen.unreadable == {1: "does not exist"}
        assert len(set(seen.sha256)) == len(seen.thumbnails) == 3
        for number, seed in enumerate(range(3)):
            difference = seen.thumbnails[number].astype(int) - thumbnail(lesion_picture(seed))
            assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("orientation", range(8))
def test_the_orientation_lays_the_second_on_the_first(orientation: int, jobs: int) -> None:
    pictures = [thumbnail(lesion_picture(seed)) for seed in range(5)]
    pictures.append(turned(pictures[2], orientation))
    (pair,), even = near_duplicates(np.stack(pictures), jobs=jobs)
    assert (pair.first, pair.second) == (2, 5)
    np.testing.assert_array_equal(turned(pictures[5], pair.orientation), pictures[2])
    assert pair.similarity == pytest.approx(1, abs=1e-4)
    assert even == []


def test_even_surfaces_are_named_and_not_compared() -> None:
    even = np.full((2, 64, 64), 90, np.uint8)
    even[:, 20:40, 20:40] = 91  # the same faint square in both
    pairs, numbers = near_duplicates(np.concatenate([even, thumbnail(lesion_picture(0))[None]]))
    assert pairs == []
    assert numbers == [0, 1]


@pytest.mark.parametrize("change", CHANGES)
def test_half_the_size_rejects_no_copy(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    agreed = []

    def watched(first: Contrasts, second: Contrasts, window: Window) -> float:
        agreed.append((len(first.fine), similarity(first, second, window)))
        return agreed[-1][1]

    monkeypatch.setattr("dermoscope.data.leakage.pictures.similarity", watched)
    for seed in range(6):
        lesion = lesion_picture(seed)
        assert near_duplicates(np.stack([thumbnail(lesion), thumbnail(CHANGES[change](lesion))]))[0]
    at_half = [value for side, value in agreed if side == 32]
    assert len(at_half) >= 6
    assert min(at_half) > LEAST_SIMILARITY - HALF_SIZE_SLACK + 0.1


def test_half_the_size_rejects_different_lesions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the alignment at full size, which takes long."""
    aligned = []

    def watched(first: Contrasts, second: Contrasts, window: Window) -> float:
        aligned.append(len(first.fine))
        return similarity(first, second, window)

    monkeypatch.setattr("dermoscope.data.leakage.pictures.similarity", watched)
    different = np.stack([thumbnail(lesion_picture(seed)) for seed in range(8)])
    assert near_duplicates(different, least_cosine=-1)[0] == []
    assert aligned.count(32) == 8 * 7
    assert aligned.count(64) < 8


def test_no_picture_is_no_pair() -> None:
    with collected([], None) as seen:
        assert near_duplicates(seen.thumbnails) == ([], [])


def test_thresholds_decide() -> None:
    pictures = np.stack([thumbnail(lesion_picture(seed)) for seed in (1, 1, 2)])
    assert len(near_duplicates(pictures)[0]) == 1
    assert near_duplicates(pictures, least_cosine=1.01)[0] == []
    assert near_duplicates(pictures, least_similarity=1.01)[0] == []
    assert len(near_duplicates(pictures, least_cosine=-1, least_similarity=-1)[0]) == 3
