from __future__ import annotations

import numpy as np
import pytest

from dermoscope.analysis import Analysis
from dermoscope.service.errors import ServiceError
from dermoscope.service.kept_images import KeptImage, KeptImages
from dermoscope.service.settings import Limits
from tests.disc_model import HEIGHT, WIDTH, opened


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def image(case: str | None = None) -> KeptImage:
    return KeptImage(b"x" * 1000, opened()[0], Analysis(image_id="image"), case=case)


def is_kept(images: KeptImages, token: str) -> bool:
    try:
        images.get(token)
    except ServiceError as error:
        assert (error.status_code, error.code) == (404, "image-expired")
        return False
    return True


def test_tokens_are_long_and_random() -> None:
    images = KeptImages(Limits())
    tokens = {images.add(image()) for _ in range(5)}
    assert len(tokens) == 5
    assert min(map(len, tokens)) >= 22


def test_an_image_that_nobody_asks_for_is_dropped() -> None:
    clock = Clock()
    images = KeptImages(Limits(kept_seconds=600), clock)
    used, idle = images.add(image()), images.add(image())
    clock.now = 500
    assert is_kept(images, used)
    clock.now = 700
    assert len(images) == 1
    assert is_kept(images, used)
    assert not is_kept(images, idle)


def test_so_many_bytes_are_kept_but_always_the_last_image() -> None:
    one = image().size_bytes
    assert one > WIDTH * HEIGHT * 3
    images = KeptImages(Limits(kept_bytes=one * 5 // 2))
    tokens = [images.add(image()) for _ in range(3)]
    assert [is_kept(images, token) for token in tokens] == [False, True, True]
    small = KeptImages(Limits(kept_bytes=10))
    assert is_kept(small, small.add(image()))


def test_an_image_grows_as_it_is_worked_on() -> None:
    images = KeptImages(Limits(kept_bytes=image().size_bytes * 2 + 100))
    first, second = images.add(image()), images.add(image())
    images.get(second).opened.draw(np.ones((HEIGHT, WIDTH), np.bool_))
    images.trim()
    assert not is_kept(images, first)
    assert is_kept(images, second)


def test_images_of_a_case_go_with_it() -> None:
    images = KeptImages(Limits())
    own, other = images.add(image("a")), images.add(image("b"))
    images.drop_case("a")
    assert not is_kept(images, own)
    assert is_kept(images, other)


def test_what_is_not_there_cannot_be_dropped() -> None:
    with pytest.raises(ServiceError):
        KeptImages(Limits()).drop("x")
