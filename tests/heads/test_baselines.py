from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from dermoscope.heads.baselines import KNNBaseline, LogisticBaseline, SVMBaseline
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


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("standardise", [True, False])
def test_the_svm_has_the_face_of_the_others(classes: int, standardise: bool) -> None:
    held = world(classes, seed=2)
    svm = SVMBaseline(classes, standardise=standardise).fit(world(classes), world(classes, seed=1))
    found = svm.predict_proba(held.features)
    assert found.shape == (120, classes)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == held.labels).mean() > 0.9


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("balanced", [True, False])
def test_the_svm_predicts_what_scikit_learn_predicts(classes: int, balanced: bool) -> None:
    whole, held = world(classes, signal=0.5), world(classes, seed=2, signal=0.5)
    kept = (whole.labels > 0) | (np.arange(120) < 30)  # the first class is rare, so weights matter
    train = FeatureSet(whole.features[kept], whole.labels[kept])
    # Unbalanced probabilities have a bias beside the temperature, which need not keep the order.
    svm = SVMBaseline(classes, (1.0,), (2.0,), balanced=balanced).fit(train, world(classes, seed=1, signal=0.5))
    mean, std = train.features.mean(0), train.features.std(0)
    weighting = "balanced" if balanced else None
    model = SVC(C=1.0, gamma=2.0 / 6, class_weight=weighting, break_ties=True)
    reference = model.fit((train.features - mean) / std, train.labels)
    values = reference.decision_function((held.features - mean) / std)
    values = np.column_stack([-values / 2, values / 2]) if classes == 2 else values
    logits = np.log(svm.predict_proba(held.features))
    # Logits are the decision values but for a scale, a shift a row, and a bias a class.
    ours, theirs = (part - part.mean(axis=1, keepdims=True) for part in (logits, values))
    slope = np.polyfit(theirs[:, 0], ours[:, 0], 1)[0]
    assert slope > 0
    bias = (ours - slope * theirs).mean(axis=0)
    np.testing.assert_allclose(ours, slope * theirs + bias, atol=1e-3)
    if balanced:
        np.testing.assert_allclose(bias, 0, atol=1e-3)
        assert np.array_equal(logits.argmax(axis=1), reference.predict((held.features - mean) / std))


def test_the_development_set_chooses_the_machine() -> None:
    train = world(2, signal=0.0)
    flipped = FeatureSet(train.features, 1 - train.labels)

    def recalled(development: FeatureSet) -> float:
        svm = SVMBaseline(2, (10.0,), (0.001, 100.0)).fit(train, development)
        return float((svm.predict_proba(train.features).argmax(axis=1) == train.labels).mean())

    assert recalled(train) == 1  # a narrow kernel learns everything by heart
    assert recalled(flipped) < 0.8


def test_a_class_may_be_missing_in_development_and_a_feature_may_be_constant() -> None:
    train, development = world(4), world(4, seed=1)
    train.features[:, 5] = development.features[:, 5] = 2
    without_last = development.labels < 3
    few = FeatureSet(development.features[without_last], development.labels[without_last])
    found = SVMBaseline(4).fit(train, few).predict_proba(development.features)
    assert np.isfinite(found).all()
    assert (found.argmax(axis=1) == development.labels).mean() > 0.9
