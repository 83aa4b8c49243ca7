from __future__ import annotations

import stat
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dermoscope.images import RESEARCH_USE, decode, draw_evidence, draw_outline, save_png, side_by_side
from dermoscope.images.draw import AGAINST_COLOUR, FOR_COLOUR
from tests.images.scenes import DARK_SKIN, LIGHT_SKIN, RGB, disc, skin

MASK = disc(320, 240, 60)


@pytest.mark.parametrize("colour", [LIGHT_SKIN, DARK_SKIN, (250, 245, 240), (12, 10, 10), (128, 128, 128)])
def test_the_outline_shows_on_any_ground(colour: tuple[int, int, int]) -> None:
    ground = np.full((240, 320, 3), colour, np.uint8)
    drawn = draw_outline(ground, MASK)
    changed = (drawn != ground).any(axis=2)
    luma = cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY).astype(int)
    contrast = np.abs(luma[changed] - cv2.cvtColor(ground, cv2.COLOR_RGB2GRAY)[0, 0])
    assert contrast.max() > 90
    assert np.ptp(luma[changed]) > 120, "one of its two tones stands out against the other"


@pytest.mark.parametrize("scale", [0.25, 1, 5])
def test_the_outline_lies_on_the_border_whatever_the_resolution_of_the_mask(scale: float) -> None:
    size = (round(320 * scale), round(240 * scale))
    mask = disc(*size, 60 * scale)
    ground = skin(320, 240)
    changed = (draw_outline(ground, mask) != ground).any(axis=2)
    near = disc(320, 240, 66) & ~disc(320, 240, 54)
    assert changed.any()
    assert not changed[~near].any()
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    on_border = changed[
        np.round(119.5 + 60 * np.sin(angles)).astype(int), np.round(159.5 + 60 * np.cos(angles)).astype(int)
    ]
    assert on_border.all()


def test_holes_get_an_outline_too() -> None:
    ground = skin(320, 240)
    changed = (draw_outline(ground, MASK & ~disc(320, 240, 25)) != ground).any(axis=2)
    assert changed[disc(320, 240, 28) & ~disc(320, 240, 22)].any()


def test_specks_of_a_large_mask_are_weighed_and_not_sampled() -> None:
    ground, specks = skin(320, 240), np.zeros((1200, 1600), np.bool_)
    specks[::5, ::5] = True
    assert np.array_equal(draw_outline(ground, specks), ground)


def test_no_mask_no_line() -> None:
    ground = skin(320, 240)
    assert np.array_equal(draw_outline(ground, np.zeros((240, 320), np.bool_)), ground)


def test_evidence_is_orange_for_and_purple_against_on_grey() -> None:
    ground = skin(320, 240)
    evidence = np.array([[1.0, 0.0, -1.0]])
    tinted = draw_evidence(ground, evidence).astype(int)
    assert np.abs(tinted[120, 5] - FOR_COLOUR).max() < 60
    assert np.abs(tinted[120, -5] - AGAINST_COLOUR).max() < 60
    assert np.ptp(tinted[120, 160]) <= 2
    # The two ends differ in lightness order and hue, so swapping them must not go unnoticed.
    assert tinted[120, 5, 0] > tinted[120, 5, 2] + 100
    assert tinted[120, -5, 2] > tinted[120, -5, 0] + 20


def test_the_limit_sets_the_strength() -> None:
    ground = skin(64, 64)
    weak = draw_evidence(ground, np.full((4, 4), 0.1), limit=1.0)
    strong = draw_evidence(ground, np.full((4, 4), 0.1))
    assert np.ptp(weak.astype(int), axis=2).mean() < 0.3 * np.ptp(strong.astype(int), axis=2).mean()
    assert np.array_equal(draw_evidence(ground, np.full((4, 4), 5.0), limit=1.0), strong)


def test_no_evidence_is_plain_grey() -> None:
    grey = draw_evidence(skin(64, 64), np.zeros((8, 8)))
    assert (np.ptp(grey, axis=2) == 0).all()


def test_nothing_given_is_written_into() -> None:
    ground, evidence = skin(320, 240), np.linspace(-1, 1, 12).reshape(3, 4)
    copies = ground.copy(), MASK.copy(), evidence.copy()
    side_by_side(ground, mask=MASK, evidence=evidence)
    assert np.array_equal(ground, copies[0])
    assert np.array_equal(MASK, copies[1])
    assert np.array_equal(evidence, copies[2])


@pytest.mark.parametrize(("with_mask", "with_evidence", "panels"), [(0, 0, 1), (1, 0, 2), (0, 1, 2), (1, 1, 3)])
def test_one_panel_for_each_thing_given(with_mask: int, with_evidence: int, panels: int) -> None:
    page = side_by_side(
        skin(320, 240), mask=MASK if with_mask else None, evidence=np.ones((4, 4)) if with_evidence else None
    )
    assert page.dtype == np.uint8
    assert page.shape[1] == panels * (480 + 14) + 14
    assert page.shape[0] > 360
    dark_columns = (page[60:380] < 250).any(axis=(0, 2))
    assert np.count_nonzero(np.diff(dark_columns.astype(int)) == 1) == panels


@pytest.mark.parametrize("size", [(320, 240), (240, 320), (16, 16), (1600, 1200), (3000, 16), (16, 3000)])
@pytest.mark.parametrize("side", [256, 480])
def test_any_shape_fits(size: tuple[int, int], side: int) -> None:
    width, height = size
    page = side_by_side(skin(*size), mask=disc(width, height, 6), evidence=np.eye(4), side=side, title="a title")
    assert page.shape[0] < side + 120
    assert page.shape[1] <= 3 * (max(side, 220) + 14) + 14


def test_footer_and_title_are_written() -> None:
    assert "not a medical device" in RESEARCH_USE
    blank = side_by_side(skin(320, 240), footer="")
    page = side_by_side(skin(320, 240))
    assert (blank[-30:] == 255).all()
    assert (page[-30:] < 200).any()
    titled = side_by_side(skin(320, 240), title="ISIC_0000001 · melanoma 0.12")
    assert titled.shape[0] > page.shape[0]
    assert (titled[:30] < 100).any()


def test_long_and_odd_titles_are_cut_and_never_fail() -> None:
    page = side_by_side(skin(320, 240), title="long " * 500 + "\n\x07 病变 \udce9")
    assert page.shape == side_by_side(skin(320, 240), title="short").shape
    assert (page[:, -10:] == 255).all()


@pytest.mark.parametrize(
    ("pixels", "mode"),
    [(skin(40, 30), "RGB"), (MASK, "L"), (MASK.astype(np.uint8) * 255, "L")],
)
def test_png_is_written_without_metadata(pixels: RGB, mode: str, tmp_path: Path) -> None:
    path = tmp_path / "é picture.png"
    save_png(pixels, path)
    with Image.open(path) as image:
        assert (image.mode, image.info) == (mode, {})
        stored = np.asarray(image)
    assert np.array_equal(stored, pixels * np.uint8(255) if pixels.dtype == np.bool_ else pixels)
    content = path.read_bytes()
    assert not any(kind in content for kind in (b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME"))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_mask_round_trips_through_the_decoder(tmp_path: Path) -> None:
    save_png(MASK, tmp_path / "mask.png")
    assert np.array_equal(decode(tmp_path / "mask.png").rgb[..., 0] > 127, MASK)


def test_an_existing_file_is_replaced_and_readable_by_others(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain", tmp_path / "mask.png"
    plain.write_bytes(b"")
    path.write_bytes(b"old")
    save_png(MASK, path)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_a_failure_leaves_the_old_file_and_no_debris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_png(MASK, path)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("mask.png", b"old")]


def test_a_name_as_long_as_the_file_system_allows_works(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".png")
    save_png(MASK, path)
    assert path.is_file()


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save_png(MASK, tmp_path / "nowhere" / "mask.png")
