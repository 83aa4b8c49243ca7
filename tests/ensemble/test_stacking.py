"""The learnt rule of `combination.py`."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression

from dermoscope.ensemble.combination import STRENGTHS, Stacking
from dermoscope.heads.calibration import calibrated_probabilities

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def toy(
    classes: int = 3, lesions: int = 200, pictures: int = 2, seed: int = 0
) -> tuple[FloatArray, IntArray, list[str]]:
    """Two members of whom each knows its part: the first tells class 0 from the others, the second class 1.

    Both are surer than they should be, and their second-best answer is a guess. All pictures of a lesion look alike.
    """
    random = np.random.default_rng(seed)
    truth = np.arange(lesions) % classes
    logits = random.normal(0, 1, (2, lesions, classes))
    for member in range(2):
        logits[member, :, member] += np.where(truth == member, 3, -3)
    probabilities = calibrated_probabilities(3 * logits, 1.0, np.zeros(classes))
    names = [f"lesion {number}" for number in range(lesions) for _ in range(pictures)]
    return np.repeat(probabilities, pictures, axis=1), np.repeat(truth, pictures), names


@cache
def fitted(classes: int = 3) -> Stacking:
    return Stacking.fit(*toy(classes))


def log_loss(probabilities: FloatArray, labels: IntArray) -> float:
    return -float(np.log(probabilities[np.arange(len(labels)), labels]).mean())


def accuracy(probabilities: FloatArray, labels: IntArray) -> float:
    return float((probabilities.argmax(axis=1) == labels).mean())


@pytest.mark.parametrize("classes", [2, 3])
def test_stacking_beats_the_best_member(classes: int) -> None:
    probabilities, labels, _ = toy(classes, seed=1)
    stacked = fitted(classes).predict_proba(probabilities)
    assert stacked.shape == (400, classes)
    np.testing.assert_allclose(stacked.sum(axis=1), 1)
    assert accuracy(stacked, labels) >= max(accuracy(member, labels) for member in probabilities)
    assert log_loss(stacked, labels) < 0.6 * min(log_loss(member, labels) for member in probabilities)
    if classes == 3:
        assert accuracy(stacked, labels) > max(accuracy(member, labels) for member in probabilities) + 0.1


def test_prediction_by_hand() -> None:
    """The logit of the first class is 2 log p(first member, first class), the other's log p(second member) + log 3."""
    stacking = Stacking(
        coefficients=(((2.0, 0.0), (0.0, 0.0)), ((0.0, 0.0), (0.0, 1.0))), intercepts=(0.0, np.log(3)), strength=1.0
    )
    found = stacking.predict_proba(np.array([[[0.5, 0.5]], [[0.75, 0.25]]]))
    np.testing.assert_allclose(found, [[0.25, 0.75]])
    assert stacking.members == 2


@pytest.mark.parametrize("classes", [2, 3])
def test_it_says_what_scikit_learn_says(classes: int) -> None:
    probabilities, labels, lesions = toy(classes)
    features = np.log(np.clip(np.concatenate(list(probabilities), axis=1), 1e-12, None))
    model = LogisticRegression(C=0.01, max_iter=2000).fit(features, labels)
    stacking = Stacking.fit(probabilities, labels, lesions, strengths=[0.01])
    assert stacking.strength == 0.01
    np.testing.assert_allclose(stacking.predict_proba(probabilities), model.predict_proba(features), atol=1e-10)


def test_pictures_of_one_lesion_stay_together() -> None:
    """Classes drawn by chance and members who know the lesion: only who tests on its other pictures learns by heart."""
    random = np.random.default_rng(0)
    lesions, pictures = 30, 4
    probabilities = np.repeat(random.dirichlet([1, 1], (20, lesions)), pictures, axis=1)
    labels = np.repeat(random.permutation(np.arange(lesions) % 2), pictures)
    grouped = Stacking.fit(probabilities, labels, [row // pictures for row in range(lesions * pictures)])
    ungrouped = Stacking.fit(probabilities, labels, list(range(lesions * pictures)))
    assert grouped.strength == min(STRENGTHS)
    assert ungrouped.strength >= 1


def test_zeros_and_ones_survive() -> None:
    sure = np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])
    found = fitted().predict_proba(sure)
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(1)


def test_the_same_images_give_the_same_numbers() -> None:
    assert Stacking.fit(*toy()) == fitted()


def test_lesions_may_be_numbers() -> None:
    probabilities, labels, lesions = toy()
    numbers = [int(name.removeprefix("lesion ")) for name in lesions]
    stacking = Stacking.fit(probabilities, labels, numbers, strengths=[0.1])
    np.testing.assert_allclose(stacking.intercepts, Stacking.fit(*toy(), strengths=[0.1]).intercepts)


def test_axes_between_members_and_classes_are_kept() -> None:
    stacking = fitted()
    probabilities = toy(seed=1)[0]
    found = stacking.predict_proba(probabilities.reshape(2, 4, 100, 3))
    np.testing.assert_allclose(found, stacking.predict_proba(probabilities).reshape(4, 100, 3), rtol=1e-12)


def test_json_keeps_every_bit() -> None:
    stacking = fitted()
    assert Stacking.model_validate_json(stacking.model_dump_json()) == stacking


@pytest.mark.parametrize("shape", [(1, 5, 3), (3, 5, 3), (2, 5, 2)])
def test_other_members_or_classes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="fitted on 2 members and 3 classes, got the shape"):
        fitted().predict_proba(np.full(shape, 1 / shape[2]))


def test_missing_probabilities_are_refused() -> None:
    probabilities, labels, lesions = toy()
    probabilities[1, 7] = np.nan
    with pytest.raises(ValueError, match=r"probabilities\[1, 7\]"):
        Stacking.fit(probabilities, labels, lesions)
    with pytest.raises(ValueError, match=r"probabilities\[1, 7\]"):
        fitted().predict_proba(probabilities)


def test_a_rare_class_takes_fewer_folds() -> None:
    given = toy(lesions=12)
    assert Stacking.fit(*given) == Stacking.fit(*given, folds=4), "four lesions of each class"
    probabilities, labels, lesions = toy(lesions=6)
    assert Stacking.fit(probabilities, labels, lesions).members == 2
    patients = ["patient 0"] * 4 + lesions[4:6] + ["patient 1"] * 6
    with pytest.raises(ValueError, match="show 0 in 2 lesions"):  # both patients have two classes at least
        Stacking.fit(probabilities, labels, patients)


def test_a_class_in_too_few_lesions_is_named() -> None:
    probabilities, labels, lesions = toy(lesions=12)
    alone = ["lesion 1" if label == 1 else name for name, label in zip(lesions, labels, strict=True)]
    message = r"validation images show MEL in 1 lesion \(.*\), too few to learn from some and test on others; add some"
    with pytest.raises(ValueError, match=message):
        Stacking.fit(probabilities, labels, alone, classes=("NV", "MEL", "BCC"))
    with pytest.raises(ValueError, match="show 1 in 1 lesion"):
        Stacking.fit(probabilities, labels, alone)
    with pytest.raises(ValueError, match="show 2 in 0 lesions"):
        Stacking.fit(
            probabilities[:, labels < 2],
            labels[labels < 2],
            [name for name, label in zip(lesions, labels, strict=True) if label < 2],
        )


def test_arrays_that_do_not_belong_together() -> None:
    probabilities, labels, lesions = toy()
    for wrong in ((probabilities[:, :-1], labels, lesions), (probabilities, labels[:-1], lesions)):
        with pytest.raises(ValueError, match="a label and a lesion an image"):
            Stacking.fit(*wrong)
    with pytest.raises(ValueError, match="a label and a lesion an image"):
        Stacking.fit(probabilities, labels, lesions[:-1])
    with pytest.raises(ValueError, match="a label and a lesion an image"):
        Stacking.fit(probabilities[:, :, None], labels, lesions)
    with pytest.raises(ValueError, match=r"labels: expected 0 to 2, got \[1, 2, 3\]"):
        Stacking.fit(probabilities, labels + 1, lesions)


@pytest.mark.parametrize(
    ("coefficients", "intercepts"),
    [
        ((((0.0, 0.0),), ((0.0, 0.0),)), (0.0, 0.0, 0.0)),
        ((((0.0, 0.0, 0.0),), ((0.0, 0.0, 0.0),)), (0.0, 0.0, 0.0)),
        ((((0.0, 0.0),), ((0.0, 0.0), (0.0, 0.0))), (0.0, 0.0)),
        ((((0.0, 0.0),), ((0.0,),)), (0.0, 0.0)),
        (((), ()), (0.0, 0.0)),
        ((), (0.0, 0.0)),
        ((((0.0,),),), (0.0,)),
        ((((0.0, float("nan")),), ((0.0, 0.0),)), (0.0, 0.0)),
        ((((0.0, 0.0),), ((0.0, 0.0),)), (0.0, float("inf"))),
    ],
)
def test_numbers_that_do_not_fit(
    coefficients: tuple[tuple[tuple[float, ...], ...], ...], intercepts: tuple[float, ...]
) -> None:
    with pytest.raises(ValidationError):
        Stacking(coefficients=coefficients, intercepts=intercepts, strength=1.0)
