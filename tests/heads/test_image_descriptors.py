"""Descriptors say what their names say, and do not mind how the picture was held."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dermoscope.heads.image_descriptors import DESCRIPTOR_NAMES, image_descriptors
from tests.images.scenes import RGB, Mask, disc, skin

SIDE = 200
EVERYTHING = np.ones((SIDE, SIDE), np.bool_)


def described(rgb: RGB, mask: Mask) -> dict[str, float]:
    return dict(zip(DESCRIPTOR_NAMES, image_descriptors(rgb, mask).tolist(), strict=True))


def even(colour: tuple[int, int, int]) -> RGB:
    return np.full((SIDE, SIDE, 3), colour, np.uint8)


def shape_of(mask: Mask) -> dict[str, float]:
    return described(even((180, 120, 100)), mask)


def rectangle(height: int, width: int) -> Mask:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[50 : 50 + height, 40 : 40 + width] = True
    return mask


def blot() -> tuple[RGB, Mask]:
    """A textured lesion without any symmetry, away from the middle, and not quite even skin around it."""
    rgb, lesion = skin(SIDE, SIDE), np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(lesion, (90, 100), (60, 30), 20, 0, 360, 1, cv2.FILLED)
    cv2.circle(lesion, (120, 125), 25, 1, cv2.FILLED)
    shade = np.random.default_rng(3).uniform(0.3, 0.8, (SIDE, SIDE, 1))
    return np.where(lesion[..., None] > 0, rgb * shade, rgb).astype(np.uint8), lesion > 0


def test_names_are_distinct() -> None:
    assert len(set(DESCRIPTOR_NAMES)) == len(DESCRIPTOR_NAMES)
    found = image_descriptors(even((180, 120, 100)), EVERYTHING)
    assert found.shape == (len(DESCRIPTOR_NAMES),)
    assert found.dtype == np.float32


def test_one_colour() -> None:
    found = described(even((204, 153, 102)), EVERYTHING)
    assert found["red mean"] == found["red 5th percentile"] == found["red 95th percentile"] == pytest.approx(0.8)
    assert found["hue mean"] == pytest.approx(30 / 360)
    assert found["saturation mean"] == pytest.approx(0.5)
    assert found["value mean"] == pytest.approx(0.8)
    assert found["lightness mean"] == pytest.approx(67.15, abs=0.3)  # worked out from the definition of CIELAB
    assert found["share of patterns with 8 of 8 no darker at radius 1"] == 1
    assert found["share of patterns with 16 of 16 no darker at radius 2"] == 1
    assert found["energy of grey pairs 1 apart"] == found["homogeneity of grey pairs 4 apart"] == 1
    no_part = ("standard deviation", "skewness", "minus ring", "contrast", "dissimilarity", "entropy")
    assert all(value == pytest.approx(0, abs=1e-4) for name, value in found.items() if name.endswith(no_part))
    assert all(value == 0 for name, value in found.items() if name.endswith("skewness"))


def test_three_quarters_of_one_colour_and_a_quarter_of_another() -> None:
    rgb = even((51, 102, 204))
    rgb[:, :50] = (255, 102, 204)
    red = {name: value for name, value in described(rgb, EVERYTHING).items() if name.startswith("red ")}
    assert red["red mean"] == pytest.approx(0.4)
    assert red["red standard deviation"] == pytest.approx(np.sqrt(0.25 * 0.75) * 0.8)
    assert red["red skewness"] == pytest.approx((1 - 2 * 0.25) / np.sqrt(0.25 * 0.75))
    assert [red["red 25th percentile"], red["red 95th percentile"]] == pytest.approx([0.2, 1])


def test_reds_on_both_sides_of_red_are_alike() -> None:
    rgb = even((255, 0, 17))
    rgb[:, :100] = (255, 17, 0)
    found = described(rgb, EVERYTHING)
    assert found["hue mean"] == pytest.approx(0, abs=1e-6)
    assert found["hue standard deviation"] == pytest.approx(4 / 360, rel=1e-4)


def test_the_lesion_is_compared_with_the_skin_around_it_and_not_with_the_frame() -> None:
    rgb, lesion = even((230, 179, 153)), disc(SIDE, SIDE, 80)
    rgb[lesion] = (128, 77, 51)
    rgb[~disc(SIDE, SIDE, 94)] = 0
    found = described(rgb, lesion)
    differences = [found[f"{channel} inside minus ring"] for channel in ("red", "green", "blue", "value")]
    assert differences == pytest.approx([-0.4] * 4)


def test_far_away_skin_does_not_matter() -> None:
    rgb, lesion = even((230, 179, 153)), disc(SIDE, SIDE, 40)
    rgb[~disc(SIDE, SIDE, 65)] = (255, 255, 255)
    assert described(rgb, lesion)["green inside minus ring"] == 0
    rgb[~disc(SIDE, SIDE, 50)] = (255, 255, 255)
    assert described(rgb, lesion)["green inside minus ring"] < -0.05


def test_a_ramp_has_one_pattern() -> None:
    rgb = np.repeat(np.arange(SIDE, dtype=np.uint8)[None, :, None], SIDE, axis=0).repeat(3, axis=2)
    found = described(rgb, rectangle(100, 100))
    # Above, below and everything to the right of them.
    assert found["share of patterns with 5 of 8 no darker at radius 1"] == 1
    assert found["share of patterns with 9 of 16 no darker at radius 2"] == 1
    assert sum(value for name, value in found.items() if name.startswith("share of")) == pytest.approx(2)


def test_pairs_on_a_chessboard() -> None:
    squares = np.indices((SIDE, SIDE)).sum(axis=0) % 2 > 0
    rgb = np.where(squares[..., None], 160, 80).repeat(3, axis=2).astype(np.uint8)
    found = described(rgb, EVERYTHING)
    # Ten of 32 levels between neighbours, none between diagonal neighbours and those four apart.
    assert found["contrast of grey pairs 1 apart"] == pytest.approx(100 / 2)
    assert found["dissimilarity of grey pairs 1 apart"] == pytest.approx(10 / 2)
    assert found["homogeneity of grey pairs 1 apart"] == pytest.approx((1 / 101 + 1) / 2)
    assert found["correlation of grey pairs 1 apart"] == pytest.approx(0, abs=1e-6)
    assert found["contrast of grey pairs 4 apart"] == 0
    assert found["correlation of grey pairs 4 apart"] == pytest.approx(1)
    assert found["energy of grey pairs 4 apart"] == pytest.approx(np.sqrt(2 * 0.5**2), abs=1e-4)


def test_pairs_lie_in_the_lesion() -> None:
    rgb = even((160, 160, 160))
    rgb[:, :100] = 80
    found = described(rgb, rectangle(60, 60))
    assert found["energy of grey pairs 1 apart"] == 1
    assert found["contrast of grey pairs 4 apart"] == 0


def test_inside_is_inside() -> None:
    rgb, lesion = blot()
    outside = rgb.copy()
    outside[~lesion] = np.random.default_rng(1).integers(0, 255, (int((~lesion).sum()), 3))
    inner = cv2.erode(lesion.astype(np.uint8), np.ones((7, 7))) > 0  # patterns look two pixels farther
    before, after = described(rgb, inner), described(outside, inner)
    assert before == pytest.approx(after | {name: before[name] for name in before if name.endswith("ring")})


def test_a_disc() -> None:
    found = shape_of(disc(SIDE, SIDE, 60))
    assert found["area share"] == pytest.approx(np.pi * 60**2 / SIDE**2, rel=1e-2)
    assert found["eccentricity"] == pytest.approx(0, abs=0.02)
    assert found["solidity"] == pytest.approx(1, abs=0.01)
    assert found["compactness"] == pytest.approx(1, abs=0.03)
    assert found["asymmetry about the long axis"] == found["asymmetry about the short axis"] == 0
    assert found["log of Hu moment 1"] == pytest.approx(np.log10(1 / (2 * np.pi)), abs=1e-3)


def test_a_square() -> None:
    found = shape_of(rectangle(80, 80))
    assert found["eccentricity"] == pytest.approx(0, abs=1e-3)
    assert found["solidity"] == 1
    # Crofton in four directions: π times the mean of the widths 80, 80√2, 80, 80√2.
    assert found["compactness"] == pytest.approx(16 / (np.pi * (1 + np.sqrt(2)) ** 2), rel=0.02)
    assert found["asymmetry about the long axis"] == found["asymmetry about the short axis"] == 0
    assert found["log of Hu moment 1"] == pytest.approx(np.log10(1 / 6), abs=1e-3)
    assert [found[f"log of Hu moment {number}"] for number in range(2, 8)] == [-20] * 6


@pytest.mark.parametrize(("height", "width"), [(40, 80), (80, 40)])
def test_a_rectangle_is_as_eccentric_as_its_sides_say(height: int, width: int) -> None:
    found = shape_of(rectangle(height, width))
    assert found["eccentricity"] == pytest.approx(np.sqrt(1 - 1 / 4), abs=1e-3)
    assert found["log of Hu moment 1"] == pytest.approx(np.log10((2 + 1 / 2) / 12), abs=1e-3)


def test_a_bay_costs_solidity() -> None:
    corner = rectangle(80, 80)
    corner[50:90, 40:80] = False
    assert shape_of(corner)["solidity"] == pytest.approx(3 / 3.5, abs=0.01)


def test_a_triangle_is_symmetric_about_one_axis() -> None:
    """Mirrored across its base line moved to the centroid, a third of an isosceles triangle falls outside."""
    tall = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(tall, np.array([[100, 20], [70, 170], [130, 170]]), 1)
    found = shape_of(tall > 0)
    assert found["asymmetry about the long axis"] == pytest.approx(0, abs=0.02)
    assert found["asymmetry about the short axis"] == pytest.approx(1 / 3, abs=0.02)
    flat = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(flat, np.array([[20, 130], [180, 130], [100, 90]]), 1)
    found = shape_of(flat > 0)
    assert found["asymmetry about the long axis"] == pytest.approx(1 / 3, abs=0.02)
    assert found["asymmetry about the short axis"] == pytest.approx(0, abs=0.02)


def test_no_lesion_is_the_whole_image_without_a_shape() -> None:
    rgb, _ = blot()
    empty, whole = described(rgb, ~EVERYTHING), described(rgb, EVERYTHING)
    first_of_shape = DESCRIPTOR_NAMES.index("area share")
    assert all(empty[name] == whole[name] for name in DESCRIPTOR_NAMES[:first_of_shape])
    assert all(empty[name] == 0 for name in DESCRIPTOR_NAMES[first_of_shape:])


@pytest.mark.parametrize(
    "moved",
    [lambda a: np.rot90(a), lambda a: np.rot90(a, 2), lambda a: a[::-1], lambda a: a[:, ::-1]],
    ids=["quarter turn", "half turn", "upside down", "mirrored"],
)
@pytest.mark.parametrize("size", [(200, 200), (520, 390)])
def test_turns_and_mirrors_change_nothing(
    moved: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], size: tuple[int, int]
) -> None:
    rgb, lesion = blot()
    rgb = np.asarray(cv2.resize(rgb, size), np.uint8)
    lesion = cv2.resize(lesion.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    there = image_descriptors(
        np.ascontiguousarray(moved(rgb)), np.ascontiguousarray(moved(lesion.astype(np.uint8))) > 0
    )
    np.testing.assert_allclose(there, image_descriptors(rgb, lesion), rtol=2e-3, atol=2e-3)


def test_the_resolution_hardly_matters() -> None:
    rgb, lesion = blot()
    large, larger = (
        np.asarray(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8) for side in (1024, 1536)
    )
    masks = [cv2.resize(lesion.astype(np.uint8), image.shape[:2]) > 0 for image in (large, larger)]
    first, second = image_descriptors(large, masks[0]), image_descriptors(larger, masks[1])
    np.testing.assert_allclose(first, second, rtol=0.05, atol=0.05)


def test_a_lesion_smaller_than_a_pixel_of_the_copy_is_described() -> None:
    rgb, mask = np.full((1000, 1000, 3), 200, np.uint8), np.zeros((1000, 1000), np.bool_)
    rgb[500:502, 500] = mask[500:502, 500] = True
    found = described(rgb, mask)
    assert found["area share"] == pytest.approx(2e-6)
    assert found["red inside minus ring"] < -0.05
    assert found["solidity"] == 1


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mask is \(100, 200\), but the image is \(200, 200\)"):
        image_descriptors(even((1, 2, 3)), EVERYTHING[:100])


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 12), st.integers(1, 12))
def test_always_finite(data: st.DataObject, height: int, width: int) -> None:
    rgb = data.draw(arrays(np.uint8, (height, width, 3), elements=st.integers(0, 255)))
    mask = data.draw(arrays(np.bool_, (height, width)))
    found = image_descriptors(rgb, mask)
    assert np.isfinite(found).all()
    assert all(found[index] <= 1 for index, name in enumerate(DESCRIPTOR_NAMES) if name in {"eccentricity", "solidity"})
