from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from dermoscope.data.leakage import thumbnails
from dermoscope.data.leakage.thumbnails import Print, PrintCache, print_of, thumbnail
from dermoscope.images import ImageError
from tests.data.leakage.planted import lesion_picture, save_jpeg


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return save_jpeg(lesion_picture(0), tmp_path / "lesion.jpg")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are opened and decoded."""
    seen: list[Path] = []

    def watched(path: Path) -> Print:
        seen.append(path)
        return print_of(path)

    monkeypatch.setattr(thumbnails, "print_of", watched)
    return seen


def test_the_frame_is_squashed_and_averaged() -> None:
    picture = np.zeros((128, 256, 3), np.uint8)
    picture[:, 128:] = 200
    small = thumbnail(picture)
    assert small.shape == (64, 64)
    assert (small[:, :32] == 0).all()
    assert (small[:, 32:] == 200).all()


def test_a_small_image_is_enlarged() -> None:
    assert thumbnail(lesion_picture(0, 20, 16)).shape == (64, 64)


def test_print_of_a_file(image: Path) -> None:
    made = print_of(image)
    assert made.sha256 == hashlib.sha256(image.read_bytes()).hexdigest()
    assert np.abs(made.thumbnail.astype(int) - thumbnail(lesion_picture(0))).mean() < 3


def test_a_kept_print_spares_opening_the_file(image: Path, tmp_path: Path, opened: list[Path]) -> None:
    store = tmp_path / "deep" / "prints.sqlite"
    results = []
    for _ in range(2):
        with PrintCache(store) as cache:
            results += list(cache.prints([image, image]))
    assert opened == [image]
    assert len({made.sha256 for made in results if isinstance(made, Print)}) == 1
    for made in results:
        assert isinstance(made, Print)
        np.testing.assert_array_equal(made.thumbnail, print_of(image).thumbnail)


@pytest.mark.parametrize("change", ["content", "time"])
def test_a_changed_file_is_opened_again(change: str, image: Path, tmp_path: Path, opened: list[Path]) -> None:
    store = tmp_path / "prints.sqlite"
    with PrintCache(store) as cache:
        list(cache.prints([image]))
    if change == "content":
        save_jpeg(lesion_picture(1), image)
    else:
        os.utime(image, ns=(1, 1))
    with PrintCache(store) as cache:
        (made,) = cache.prints([image])
    assert len(opened) == 2
    assert isinstance(made, Print)
    assert made.sha256 == hashlib.sha256(image.read_bytes()).hexdigest()


def test_what_was_done_before_an_interruption_is_kept(image: Path, tmp_path: Path, opened: list[Path]) -> None:
    store = tmp_path / "prints.sqlite"
    with pytest.raises(KeyboardInterrupt), PrintCache(store) as cache:
        next(cache.prints([image]))
        raise KeyboardInterrupt
    with PrintCache(store) as cache:
        list(cache.prints([image]))
    assert opened == [image]


def test_an_unreadable_file_is_a_reason_in_its_place(image: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 nothing")
    with PrintCache(None) as cache:
        first, second, third = cache.prints([tmp_path / "missing.jpg", image, broken])
    assert isinstance(first, ImageError)
    assert first.reason == "does not exist"
    assert isinstance(second, Print)
    assert isinstance(third, ImageError)
