from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from dermoscope.images import decode, field_of_view, remove_outer_circle, without_frame, working_copy
from tests.images.scenes import DARK_SKIN, LIGHT_SKIN, disc, framed, skin, with_lesion


def test_without_a_dark_corner_nothing_changes() -> None:
    scene = with_lesion(skin(300, 200), 60)
    removal = remove_outer_circle(scene)
    assert removal.rgb is scene
    assert removal.circle is None
    assert removal.box == (0, 0, 300, 200)


@pytest.mark.parametrize("radius", [70.0, 95.0])
@pytest.mark.parametrize("centre", [(149.5, 99.5), (140.0, 105.0)])
def test_the_circle_is_found_shrunk_cropped_and_painted(radius: float, centre: tuple[float, float]) -> None:
    scene = framed(skin(300, 200), radius, centre)
    removal = remove_outer_circle(scene)
    assert removal.circle is not None
    x, y, kept = removal.circle
    assert (x, y) == pytest.approx(centre, abs=1.5)
    assert kept == pytest.approx(0.9 * radius, abs=1.5)
    left, top, right, bottom = removal.box
    assert removal.rgb.shape == (bottom - top, right - left, 3)
    assert right - left == pytest.approx(2 * kept + 1, abs=2)
    inside = disc(300, 200, kept - 1, (x, y))[top:bottom, left:right]
    assert np.array_equal(removal.rgb[inside], scene[top:bottom, left:right][inside])
    outside = ~disc(300, 200, kept + 1, (x, y))[top:bottom, left:right]
    (colour,) = np.unique(removal.rgb[outside], axis=0)
    # The commonest shade above 150 of a channel; the blue one of this skin peaks right at that limit.
    assert colour.tolist() == pytest.approx(LIGHT_SKIN, abs=25)
    assert (colour > 150).all()


def test_the_box_stays_in_the_image_where_the_circle_is_cut_off() -> None:
    removal = remove_outer_circle(framed(skin(300, 200), 130))
    left, top, right, bottom = removal.box
    assert (top, bottom) == (0, 200)
    assert 0 < left < right < 300


def test_a_corner_counts_only_if_its_whole_window_is_dark() -> None:
    scene = skin(300, 200)
    scene[:7, :7] = 39
    assert remove_outer_circle(scene).circle is not None
    scene[6, 6, 0] = 40
    assert remove_outer_circle(scene).circle is None


def test_only_the_red_channel_is_asked() -> None:
    scene = skin(300, 200)
    scene[:20, :20] = (20, 200, 200)
    assert remove_outer_circle(scene).circle is not None


def test_dark_skin_is_painted_in_its_own_colour() -> None:
    removal = remove_outer_circle(framed(skin(300, 200, DARK_SKIN), 95))
    assert removal.rgb[0, 0].tolist() == pytest.approx(DARK_SKIN, abs=12)


def test_an_all_black_image_is_left_alone() -> None:
    black = np.zeros((50, 60, 3), np.uint8)
    assert remove_outer_circle(black).rgb is black


def test_view_is_everything_without_a_frame() -> None:
    view = field_of_view(with_lesion(skin(300, 200), 80, (15, 12, 12)))
    assert view.dtype == np.bool_
    assert view.shape == (200, 300)
    assert view.all()


@pytest.mark.parametrize("scale", [0.5, 1, 4, 8])
@pytest.mark.parametrize(("colour", "black"), [(LIGHT_SKIN, 8), (LIGHT_SKIN, 45), (DARK_SKIN, 8)])
def test_view_is_the_disc_less_a_rim_at_every_resolution(
    scale: float, colour: tuple[int, int, int], black: int
) -> None:
    width, height, radius = round(320 * scale), round(240 * scale), 110 * scale
    view = field_of_view(with_lesion(framed(skin(width, height, colour), radius, black=black), 30 * scale))
    assert not view[~disc(width, height, radius + 2 * scale)].any()
    assert view[disc(width, height, 0.9 * radius)].all()
    assert 0.85 * disc(width, height, radius).mean() < view.mean() < disc(width, height, radius).mean()


def test_bars_count_as_frame() -> None:
    scene = skin(320, 240)
    scene[:, :60] = scene[:, -60:] = 5
    view = field_of_view(scene)
    assert not view[:, :60].any()
    assert not view[:, -60:].any()
    assert view[:, 80:-80].all()


def test_the_darkest_point_of_the_view_is_the_lesion_and_not_the_frame() -> None:
    scene = with_lesion(framed(skin(320, 240), 110), 30)
    grey = scene.mean(axis=2)
    assert not disc(320, 240, 30).ravel()[grey.argmin()]
    assert disc(320, 240, 30).ravel()[np.where(field_of_view(scene), grey, np.inf).argmin()]


@pytest.mark.parametrize("shade", [0, 12, 255])
@pytest.mark.parametrize("size", [(16, 16), (300, 200), (17, 2000)])
def test_an_even_picture_is_all_view(size: tuple[int, int], shade: int) -> None:
    assert field_of_view(np.full((size[1], size[0], 3), shade, np.uint8)).all()


@pytest.mark.parametrize("colour", [LIGHT_SKIN, DARK_SKIN], ids=["light skin", "dark skin"])
def test_a_frame_is_painted_and_nothing_else_changes(colour: tuple[int, int, int]) -> None:
    scene = framed(with_lesion(skin(640, 480, colour), 60), 230)
    view = field_of_view(scene)
    painted = without_frame(scene, field_of_view(working_copy(scene)))
    assert field_of_view(painted).all()
    np.testing.assert_allclose(painted[0, 0], colour, atol=8)
    changed = (painted != scene).any(axis=2)
    assert not changed[240, 320]
    assert (changed == ~view).mean() > 0.98


def test_without_a_frame_nothing_is_painted() -> None:
    scene = with_lesion(skin(300, 200), 60)
    assert without_frame(scene, field_of_view(scene)) is scene
    dark_corner = scene.copy()
    dark_corner[:20, :20] = 0
    assert without_frame(dark_corner, field_of_view(dark_corner)) is dark_corner


def test_the_input_is_not_changed() -> None:
    scene = framed(skin(320, 240), 110)
    before = scene.copy()
    remove_outer_circle(scene)
    without_frame(scene, field_of_view(scene))
    assert np.array_equal(scene, before)


@pytest.mark.data
def test_lesions_of_real_images_stay_in_view(real_data: Path) -> None:
    root = real_data / "ISIC2018_256"
    with (root / "labels.csv").open(newline="") as stream:
        names = [row["image"] for row in csv.DictReader(stream)][::13]
    cut = 0
    for name in names:
        view = field_of_view(decode(root / "ISIC2018_Task1-2_Training_Input" / f"{name}.jpg").rgb)
        truth = root / "ISIC2018_Task1_Training_GroundTruth" / f"{name}_segmentation.png"
        lesion = decode(truth).rgb[..., 0] > 127
        cut += (lesion & ~view).sum() > 0.05 * lesion.sum()
    assert cut <= 0.01 * len(names)
