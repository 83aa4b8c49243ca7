from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.data.leakage.findings import Finding, Kind, Member
from dermoscope.data.leakage.sheet import sheet_html, sheet_picture, write_sheet
from tests.data.leakage.planted import lesion_picture, save_jpeg


@pytest.fixture
def pair(tmp_path: Path) -> Finding:
    one = save_jpeg(lesion_picture(1), tmp_path / "one.jpg", 95)
    other = save_jpeg(np.rot90(lesion_picture(1)), tmp_path / "other.jpg", 95)
    members = (Member("<one>", "A", "train", str(one)), Member("other", "B", "test", str(other)))
    return Finding(Kind.NEAR_DUPLICATE, "", members, 0.987, "turned by 90° clockwise")


def test_the_page_stands_alone(pair: Finding, tmp_path: Path) -> None:
    write_sheet([pair], tmp_path / "deep" / "sheet.html", "Pairs & more")
    page = (tmp_path / "deep" / "sheet.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "http" not in page
    assert "Pairs &amp; more" in page
    assert "&lt;one&gt; (A, train)" in page
    assert "<one>" not in page
    assert 'class="leak"' in page
    assert "near-duplicate, 0.99, turned by 90° clockwise" in page
    assert "Research use only" in page


def test_the_second_image_is_turned_like_the_first(pair: Finding) -> None:
    sheet = sheet_picture([pair])
    first, second = sheet[:160, :160].astype(int), sheet[:160, 164:324].astype(int)
    assert np.abs(first - second).mean() < 3
    assert min(np.abs(first - np.rot90(second, turns)).mean() for turns in (1, 2, 3)) > 6


def test_an_image_that_cannot_be_read_is_grey(pair: Finding) -> None:
    Path(pair.members[1].path).unlink()
    assert (sheet_picture([pair])[:160, 164:324] == 128).all()
    assert "".join(sheet_html([pair], "t")).count("<img") == 2


def test_rows_of_pairs(pair: Finding) -> None:
    assert sheet_picture([pair] * 5, columns=2).shape[0] == 3 * sheet_picture([pair]).shape[0]
