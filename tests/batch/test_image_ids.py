from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dermoscope.batch.image_ids import comparison_key, distinct_id, image_id_of


@pytest.mark.parametrize(
    ("path", "image_id"),
    [
        ("photos/ISIC_0024306.jpg", "ISIC_0024306"),
        ("a.b.jpg", "a.b"),
        ("no extension", "no extension"),
        ("-rf.jpg", "rf"),
        ("=cmd().jpg", "_cmd()"),
        ("+1.jpg", "1"),
        (".hidden.jpg", "hidden"),
        ("läsion ä.jpg", "läsion ä"),
        ("la\u0308sion.jpg", "läsion"),
        ("मस्सा.jpg", "मस्सा"),
        ("two\nlines.jpg", "two_lines"),
        ("a\u202egpj.exe.jpg", "a_gpj.exe"),
        ("<img src=x onerror=alert(1)>.jpg", "_img src_x onerror_alert(1)_"),
        ("a/b\\c:d.jpg", "b_c_d"),
        ("CON.jpg", "_CON"),
        ("nul.tar.jpg", "_nul.tar"),
        ("trailing. .jpg", "trailing"),
        ("...", "image"),
        ("", "image"),
        ("/", "image"),
        (os.fsdecode(b"\xffx.jpg"), "_x"),
    ],
)
def test_the_stem_made_safe(path: str, image_id: str) -> None:
    assert image_id_of(path) == image_id


def test_a_long_name_is_cut_and_stays_distinct() -> None:
    one, two = (image_id_of("ä" * 200 + end + ".jpg") for end in "ab")
    assert one != two
    assert one.startswith("ä" * 40)
    assert len(one.encode()) <= 100


@given(st.text(max_size=300))
def test_every_name_is_safe(stem: str) -> None:
    image_id = image_id_of(f"{stem.encode('utf-8', 'replace').decode().replace('/', '')}.jpg")
    assert 0 < len(image_id.encode()) <= 100
    assert image_id.isprintable() or all(c.isalnum() or c in "-_.,+ ()" or not c.isprintable() for c in image_id)
    assert image_id[0] not in "-+. =@"
    assert not set(image_id) & set('/\\:*?"<>|\0\n')


def test_distinct_ids_differ_by_path_and_attempt_and_are_stable() -> None:
    ids = [distinct_id("x", "a/x.jpg", 1), distinct_id("x", "b/x.jpg", 1), distinct_id("x", "a/x.jpg", 2)]
    assert len(set(ids)) == 3
    assert ids[0] == "x-7ec9164c"
    assert all(len(distinct_id("y" * 100, "p", attempt).encode()) <= 100 for attempt in (1, 20))


def test_ids_that_file_systems_confuse_have_one_key() -> None:
    assert comparison_key("IMG_1") == comparison_key("img_1")
    assert comparison_key("Straße") == comparison_key("STRASSE")
