from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from dermoscope.evaluation.figures import style
from dermoscope.evaluation.intervals import Estimate


def drawn(path: Path, **words: str) -> bytes:
    with style.page(path, 3, 2, **words) as figure:
        figure.subplots().plot([0, 1, 2], [0, 1, 0])
    return path.read_bytes()


@pytest.mark.parametrize(
    ("ending", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".pdf", b"%PDF"), (".SVG", b"<?xml")]
)
def test_the_ending_decides_the_format_and_the_bytes_are_always_the_same(
    tmp_path: Path, ending: str, start: bytes
) -> None:
    first = drawn(tmp_path / f"first{ending}", title="A title", note="A note.")
    again = drawn(tmp_path / f"again{ending}", title="A title", note="A note.")
    assert first.startswith(start)
    assert first == again


def test_no_file_says_when_or_by_what_it_was_made(tmp_path: Path) -> None:
    svg = drawn(tmp_path / "figure.svg").decode()
    assert "dc:date" not in svg
    assert "Matplotlib" not in svg.replace("http://matplotlib.org/", "")
    drawn(tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as image:
        assert "Software" not in image.info
    pdf = drawn(tmp_path / "figure.pdf")
    assert b"CreationDate" not in pdf


def test_text_is_outlines(tmp_path: Path) -> None:
    assert "<text" not in drawn(tmp_path / "figure.svg", title="A title").decode()


@pytest.mark.parametrize("name", ["figure", "figure.jpg", "figure.svgz"])
def test_other_endings_are_refused_before_anything_is_drawn(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"\.svg, \.png, \.pdf"), style.page(tmp_path / name, 3, 2):
        pytest.fail("drawn in vain")
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_no_file_and_an_old_figure_alone(tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    before = drawn(path)
    with pytest.raises(ZeroDivisionError), style.page(path, 3, 2):
        raise ZeroDivisionError
    assert path.read_bytes() == before
    with pytest.raises(OSError, match="missing"):
        drawn(tmp_path / "missing" / "figure.svg")
    assert [file.name for file in tmp_path.iterdir()] == ["figure.svg"]


def test_a_file_that_cannot_be_put_in_place_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("in use")

    monkeypatch.setattr("dermoscope.evaluation.figures.style.os.replace", refuse)
    with pytest.raises(OSError, match="in use"):
        drawn(tmp_path / "figure.svg")
    assert not list(tmp_path.iterdir())


def test_the_style_comes_and_goes_with_the_page_whatever_the_user_has_set(tmp_path: Path) -> None:
    clean = drawn(tmp_path / "clean.svg")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "none"}):
        assert drawn(tmp_path / "figure.svg") == clean
        assert mpl.rcParams["font.size"] == 30


def test_title_and_note_get_room_of_their_own(tmp_path: Path) -> None:
    def height(**words: str) -> int:
        drawn(tmp_path / "figure.png", **words)
        with Image.open(tmp_path / "figure.png") as image:
            return image.height

    bare, titled, short, long = height(), height(title="T"), height(note="N"), height(note="many words " * 30)
    assert bare == 400
    assert titled > bare
    assert bare < short < long - 100


def test_colours_differ_in_dashes_and_markers_too() -> None:
    assert len(set(style.COLOURS)) == len(style.COLOURS) == 8
    assert len(set(map(str, style.DASHES))) == len(style.DASHES)
    assert len(set(style.MARKERS)) == len(style.MARKERS) >= len(style.COLOURS)


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (12345, "12,345 images")]
)
def test_counts(number: int, expected: str) -> None:
    assert style.counted(number, "image") == expected


def test_words() -> None:
    assert style.counted(2, "nevus", "nevi") == "2 nevi"
    assert style.percent(0.3496, 1) == "35.0\u00a0%"
    assert style.with_interval(Estimate(0.91234, 0.9, 0.95, 10, 5)) == "0.912 (0.900–0.950)"
    assert style.sentences("one", "", "two.", "three?") == "one. two. three?"


def test_a_thinned_line_keeps_its_ends_and_its_shape() -> None:
    x = np.linspace(0, 1, 50_000)
    y = np.where(x < 0.5, 0.0, 1.0)
    kept = style.thinned(x, y, 500)
    assert len(kept) <= 500
    assert (kept[0], kept[-1]) == (0, 49_999)
    assert (np.diff(kept) > 0).all()
    assert np.abs(np.interp(x, x[kept], y[kept]) - y).mean() < 0.005
    assert style.thinned(x[:10], y[:10], 500).tolist() == list(range(10))
