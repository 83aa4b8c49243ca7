"""Percentiles from histograms are those of numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dermoscope.images.levels import Levels

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(grey=arrays(np.uint8, SHAPES), percent=st.floats(0, 100))
def test_percentiles_are_those_of_numpy(grey: NDArray[np.uint8], percent: float) -> None:
    assert Levels.of(grey).percentile(percent) == pytest.approx(float(np.percentile(grey, percent)), abs=1e-9)


@given(grey=arrays(np.uint8, (5, 7)), mask=arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 255])))
def test_only_the_mask_counts(grey: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    inside = grey[mask > 0]
    levels = Levels.of(grey, mask)
    assert levels.counts.sum() == inside.size
    if inside.size:
        assert levels.percentile(90) == pytest.approx(float(np.percentile(inside, 90)), abs=1e-9)
        assert levels.share_from(250) == pytest.approx(float((inside >= 250).mean()))
