from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.heads.evidence import occlusion_evidence

FloatMap = NDArray[np.float32]


def first_channel(features: FloatMap) -> FloatMap:
    return features[:, 0]


def uniform(height: int, width: int) -> FloatMap:
    return np.full((height, width), 1 / (height * width), np.float32)


@pytest.mark.parametrize(("top", "left"), [(4, 4), (4, 20), (12, 12), (20, 6)])
@pytest.mark.parametrize("sign", [1, -1], ids=["speaks for", "speaks against"])
def test_a_planted_region_is_found(top: int, left: int, sign: int) -> None:
    embedding = np.random.default_rng(0).normal(0, 0.05, (256, 28, 28)).astype(np.float32)
    embedding[0, top : top + 4, left : left + 4] = 5 * sign
    evidence = sign * occlusion_evidence(embedding, uniform(28, 28), first_channel)
    assert evidence.shape == (28, 28)
    assert evidence.dtype == np.float32
    peak = np.unravel_index(evidence.argmax(), evidence.shape)
    assert np.abs(np.subtract(peak, (top + 1.5, left + 1.5))).max() <= 2
    inside = evidence[top : top + 4, left : left + 4].mean()
    assert inside > 0
    assert inside > 5 * np.abs(np.delete(evidence, slice(max(0, top - 6), top + 10), axis=0)).mean()


@pytest.mark.parametrize("grid", [7, 14])
def test_an_even_map_has_no_evidence_anywhere(grid: int) -> None:
    evidence = occlusion_evidence(np.ones((256, 28, 28), np.float32), uniform(28, 28), first_channel, grid=grid)
    np.testing.assert_allclose(evidence, 0, atol=1e-5)


def test_padding_has_no_evidence() -> None:
    weights = np.zeros((28, 28), np.float32)
    weights[:16] = 1 / (16 * 28)
    embedding = np.random.default_rng(0).normal(0, 1, (256, 28, 28)).astype(np.float32)
    embedding[0, 18:] = 1000  # must not leak in
    evidence = occlusion_evidence(embedding, weights, first_channel)
    assert not evidence[16:].any()
    assert np.abs(evidence[:16]).max() < 1


def test_evidence_is_the_fall_of_the_log_odds() -> None:
    # One region that covers everything softly: worked out by hand.
    embedding = np.zeros((256, 2, 2), np.float32)
    embedding[0] = [[4, 0], [0, 0]]
    evidence = occlusion_evidence(embedding, uniform(2, 2), first_channel, grid=2, spread=0.5)
    window = np.exp(-0.5 * np.array([[0, 4], [4, 8]]))
    without = (1 - window[0, 0] * 4 / 4) / (1 - window.sum() / 4)
    assert evidence[0, 0] == pytest.approx(1 - without, abs=1e-5)


def test_the_model_is_asked_about_all_regions_at_once() -> None:
    asked: list[tuple[int, ...]] = []

    def log_odds(features: FloatMap) -> FloatMap:
        asked.append(features.shape)
        assert features.dtype == np.float32
        return features[:, 0]

    occlusion_evidence(np.ones((256, 9, 9), np.float32), uniform(9, 9), log_odds, grid=5)
    assert sorted(asked) == [(1, 256), (25, 256)]
