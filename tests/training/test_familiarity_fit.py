"""Images like those of the calibration are within the limit, others are not, and the graph says what the fit says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dermoscope.engine import compile_graph
from dermoscope.heads.one_class import gaussian_around
from dermoscope.training.familiarity_fit import FAMILIAR, distances, fit_familiarity

FEATURES = 24


def drawn(images: int, seed: int) -> NDArray[np.float32]:
    """Features of very different scales that depend on each other."""
    mixing = np.random.default_rng(0).normal(size=(FEATURES, FEATURES)) * np.logspace(-2, 1, FEATURES)
    return (3 + np.random.default_rng(seed).normal(size=(images, FEATURES)) @ mixing).astype(np.float32)


def test_the_limit_holds_on_images_it_was_not_set_on(tmp_path: Path) -> None:
    features = drawn(1500, 1)
    groups = [str(number // 2) for number in range(len(features))]
    part = fit_familiarity(features, groups, tmp_path)
    gaussian = gaussian_around(features)
    assert np.mean(distances(gaussian, drawn(4000, 2)) <= part.limit) == pytest.approx(FAMILIAR, abs=0.006)
    # Not far from the mean in any single feature, but against how they depend on each other.
    shuffled = np.random.default_rng(3).permuted(drawn(500, 3), axis=0)
    assert np.mean(distances(gaussian, shuffled) > part.limit) > 0.9


def test_the_graph_measures_the_same(tmp_path: Path) -> None:
    features = drawn(300, 1)
    part = fit_familiarity(features, [str(number) for number in range(300)], tmp_path)
    graph = compile_graph(tmp_path / part.graph, precision="float32")
    others = drawn(5, 4)
    found = graph({"feature": others})["distance"]
    np.testing.assert_allclose(found, distances(gaussian_around(features), others), rtol=1e-3)
