from __future__ import annotations

import numpy as np
import pytest

from dermoscope.heads.face import Classifier
from dermoscope.heads.fit import FeatureSet
from dermoscope.heads.one_class import MahalanobisGate, NeighbourDistanceGate


def world(seed: int, inlier: int = 1, outlying: float = 6.0) -> FeatureSet:
    """A long thin cloud of inliers; the others lie beside it, no farther from its centre than its ends."""
    random = np.random.default_rng(seed)
    labels = np.where(np.arange(200) % 4 == 0, 1 - inlier, inlier)
    features = random.normal(size=(200, 5)) * np.array([8.0, 1.0, 1.0, 1.0, 1.0]) + 3
    features[labels != inlier, 1] += outlying
    return FeatureSet(features.astype(np.float32), labels.astype(np.int64))


@pytest.mark.parametrize("inlier", [0, 1])
@pytest.mark.parametrize("kind", [MahalanobisGate, NeighbourDistanceGate])
@pytest.mark.parametrize("standardise", [True, False])
def test_one_face(kind: type[MahalanobisGate | NeighbourDistanceGate], inlier: int, standardise: bool) -> None:
    gate: Classifier = kind(inlier, standardise=standardise)
    held = world(2, inlier)
    found = gate.fit(world(0, inlier), world(1, inlier)).predict_proba(held.features)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    recalls = [(found.argmax(axis=1) == label)[held.labels == label].mean() for label in (0, 1)]
    assert np.mean(recalls) > (0.95 if kind is MahalanobisGate else 0.65)  # angles say less of a long cloud


@pytest.mark.parametrize("kind", [MahalanobisGate, NeighbourDistanceGate])
def test_training_images_of_the_other_class_are_not_looked_at(
    kind: type[MahalanobisGate | NeighbourDistanceGate],
) -> None:
    train, held = world(0), world(2).features
    moved = train.features.copy()
    moved[train.labels == 0] = 99.0
    first = kind(1).fit(train, world(1)).predict_proba(held)
    second = kind(1).fit(FeatureSet(moved, train.labels), world(1)).predict_proba(held)
    assert np.array_equal(first, second)


def test_the_development_set_chooses_the_neighbour() -> None:
    train = world(0)
    stray = np.flatnonzero(train.labels == 1)[0]
    train.features[stray] = [3, 9, 3, 3, 3]  # one inlier among the outliers: the first neighbour is no guide
    chosen = NeighbourDistanceGate(1, (1, 10)).fit(train, world(1)).module.neighbours
    assert chosen == 10
    assert NeighbourDistanceGate(1, (4000,)).fit(train, world(1)).module.neighbours == 150
