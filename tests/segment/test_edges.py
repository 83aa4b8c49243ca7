from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.segment.edges import guided_filter, snap_to_edges


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("size", [(300, 200), (1600, 1200), (40, 30)])
def test_a_coarse_outline_moves_to_the_edge(size: tuple[int, int]) -> None:
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    truth = np.hypot(columns - width / 2, rows - height / 2) < 0.3 * height
    rgb = np.where(truth[..., None], np.array([110, 65, 45]), np.array([222, 180, 160])).astype(np.uint8)
    coarse = np.where(cv2.resize(truth.astype(np.float32), (28, 28), interpolation=cv2.INTER_AREA) > 0.3, 3.0, -3.0)
    found = snap_to_edges(coarse.astype(np.float32), rgb)
    assert found.dtype == np.float32
    assert max(found.shape) == min(1024, width)
    assert -0.51 <= found.min() < found.max() <= 0.51
    before = cv2.resize(coarse.astype(np.float32), size) > 0
    after = cv2.resize(found, size) > 0
    assert dice(after, truth) > dice(before, truth)


def test_without_an_edge_the_mask_stays() -> None:
    logits = np.full((28, 28), -4, np.float32)
    logits[8:20, 8:20] = 4
    rgb = np.full((112, 112, 3), 150, np.uint8)
    found = snap_to_edges(logits, rgb) > 0
    assert dice(found, cv2.resize(logits, (112, 112)) > 0) > 0.98


@pytest.mark.parametrize("fill", [-50.0, 50.0])
def test_all_or_nothing_stays(fill: float) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    assert ((snap_to_edges(np.full((28, 28), fill, np.float32), rgb) > 0) == (fill > 0)).all()


def test_the_filter_equals_a_fit_in_every_window() -> None:
    random = np.random.default_rng(1)
    guide, values = (random.normal(size=(9, 9)).astype(np.float32) for _ in range(2))
    radius, smoothness = 1, 0.1
    slopes, offsets = np.zeros((2, 7, 7))
    for row in range(7):
        for column in range(7):
            x, y = (a[row : row + 3, column : column + 3].ravel().astype(float) for a in (guide, values))
            slopes[row, column] = ((x * y).mean() - x.mean() * y.mean()) / (x.var() + smoothness)
            offsets[row, column] = y.mean() - slopes[row, column] * x.mean()
    expected = slopes[2:5, 2:5].mean() * guide[4, 4] + offsets[2:5, 2:5].mean()
    assert guided_filter(guide, values, radius, smoothness)[4, 4] == pytest.approx(expected, rel=1e-4)
