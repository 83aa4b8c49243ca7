from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dermoscope.heads.baselines import KNNBaseline, LogisticBaseline
from dermoscope.heads.face import Classifier
from dermoscope.heads.fit import FeatureSet


def world(classes: int, count: int = 120, seed: int = 0, signal: float = 3.0) -> FeatureSet:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = 5 + 3 * random.normal(size=(count, 6))
    features[np.arange(count), labels] += 3 * signal
    return FeatureSet(features.astype(np.float32), labels.astype(np.int64))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("kind", [LogisticBaseline, KNNBaseline])
@pytest.mark.parametrize("standardise", [True, False])
def test_one_face(kind: type[LogisticBaseline | KNNBaseline], classes: int, standardise: bool) -> None:
    baseline: Classifier = kind(classes, standardise=standardise)
    held = world(classes, seed=2)
    found = baseline.fit(world(classes), world(classes, seed=1)).predict_proba(held.features)
    assert found.shape == (120, classes)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == held.labels).mean() > 0.9


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("balanced", [True, False])
def test_the_module_says_what_scikit_learn_says(classes: int, balanced: bool) -> None:
    train, held = world(classes, signal=1.0), world(classes, seed=2)
    ours = LogisticBaseline(classes, (0.1,), balanced=balanced).fit(train, world(classes, seed=1))
    mean, std = train.features.mean(0), train.features.std(0)
    weighting = "balanced" if balanced else None
    model = LogisticRegression(C=0.1, class_weight=weighting, max_iter=2000)
    reference = model.fit((train.features - mean) / std, train.labels).predict_proba((held.features - mean) / std)
    np.testing.assert_allclose(ours.predict_proba(held.features), reference, atol=1e-4)


def test_the_development_set_chooses() -> None:
    train = world(2, signal=1.0)
    flipped = FeatureSet(train.features, 1 - train.labels)
    assert KNNBaseline(2, (1, 60)).fit(train, train).module.neighbours == 1
    assert KNNBaseline(2, (1, 60)).fit(train, flipped).module.neighbours == 60


def test_never_more_neighbours_than_there_are() -> None:
    train = world(2, count=6)
    assert KNNBaseline(2, (15, 45)).fit(train, train).module.neighbours == 6
