from __future__ import annotations

import numpy as np
import pytest

from dermoscope.features.columns import COLUMNS, SPATIAL, column_type, row_bytes, summaries

EMBEDDING = np.random.default_rng(0).normal(0, 1, (1, 5, 2, 2)).astype(np.float32)
# The lower row of cells is padding.
WEIGHTS = np.array([[[[0.75, 0.25], [0.0, 0.0]]]], np.float32)
ENCODED = {
    "embedding": EMBEDDING,
    "feature": np.arange(5, dtype=np.float32)[None],
    "statistics": np.arange(7, dtype=np.float32)[None],
}


def test_graph_outputs_are_taken_as_they_are() -> None:
    found = summaries(ENCODED, WEIGHTS, ("mean", "levels"))
    assert np.array_equal(found["mean"], np.arange(5))
    assert np.array_equal(found["levels"], np.arange(7))


def test_std_and_max_leave_padding_out() -> None:
    found = summaries(ENCODED, WEIGHTS, ("std", "max"))
    left, right = EMBEDDING[0, :, 0, 0], EMBEDDING[0, :, 0, 1]
    assert np.array_equal(found["max"], np.maximum(left, right))
    # Of two values with shares p and q, the standard deviation is √(pq) times their distance.
    assert found["std"] == pytest.approx(np.sqrt(0.75 * 0.25) * np.abs(left - right), rel=1e-5)


def test_spatial_is_the_embedding_in_half_precision() -> None:
    found = summaries({**ENCODED, "embedding": EMBEDDING * 1e6}, WEIGHTS, (SPATIAL,))[SPATIAL]
    assert found.dtype == np.float16
    assert found.shape == (5, 2, 2)
    assert np.isfinite(found).all(), "clipped, not infinite"
    exact = summaries(ENCODED, WEIGHTS, (SPATIAL,))[SPATIAL]
    assert exact == pytest.approx(EMBEDDING[0], rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(("name", "size"), [*((name, 4) for name in COLUMNS), (SPATIAL, 2)])
def test_sizes(name: str, size: int) -> None:
    assert np.dtype(column_type(name)).itemsize == size
    assert row_bytes((3, 5), name) == 15 * size + 200
