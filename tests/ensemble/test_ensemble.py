from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from dermoscope.ensemble import ensemble as module
from dermoscope.ensemble.combination import Stacking, dempster_shafer, geometric_mean, mean
from dermoscope.ensemble.ensemble import Ensemble, EnsembleDescription, EnsembleError, LogCalibration
from dermoscope.ensemble.masses import accuracy_weighted, discounted, plain

FloatArray = NDArray[np.float64]
Change = Callable[[dict[str, Any]], object]

TWO, THREE = ("nevus", "other"), ("BCC", "MEL", "SCC")
BINARY: dict[str, Any] = {
    "schema_version": 1,
    "classes": TWO,
    "members": ("b3", "b4"),
    "crops": ("tight", "middle", "full"),
    "across": "together",
    "rule": "dempster-shafer",
}
MULTI_CLASS: dict[str, Any] = {
    "schema_version": 1,
    "classes": THREE,
    "members": ("b0", "b2", "b3"),
    "crops": ("tight", "middle", "full"),
    "across": "members then crops",
    "rule": "dempster-shafer",
    "crop_rule": "mean",
}


def ensemble(base: dict[str, Any], **changes: Any) -> Ensemble:
    return Ensemble(EnsembleDescription.model_validate(base | changes))


def drawn(base: dict[str, Any], images: int = 6) -> FloatArray:
    classes = len(base["classes"])
    shape = (len(base["members"]), len(base["crops"]), images)
    return np.random.default_rng(0).dirichlet(np.ones(classes), shape)


def stacking(inputs: int, classes: int) -> Stacking:
    """Unlike for every class and input, as a fitted one is."""
    numbers = np.random.default_rng(1).normal(0, 1, (classes, inputs, classes)).tolist()
    return Stacking(coefficients=numbers, intercepts=tuple(0.1 * number for number in range(classes)), strength=1.0)


def calibration(base: dict[str, Any], temperature: float) -> LogCalibration:
    return LogCalibration(temperature=temperature, bias=tuple(0.3 * number for number in range(len(base["classes"]))))


def test_the_published_binary_ensemble() -> None:
    """Six scores of the other class, one product: odds multiply."""
    scores = np.array([[0.6, 0.7, 0.8], [0.4, 0.9, 0.5]])
    odds = np.prod(scores / (1 - scores))
    found = ensemble(BINARY).combine(np.stack([1 - scores, scores], axis=-1)[:, :, None])
    np.testing.assert_allclose(found, [[1 / (1 + odds), odds / (1 + odds)]], rtol=1e-12)


def test_the_published_multi_class_ensemble() -> None:
    """For each crop the product of three members, made to sum to one; then the mean of the three."""
    members = {
        "tight": [[0.5, 0.3, 0.2], [0.6, 0.2, 0.2], [0.2, 0.5, 0.3]],
        "middle": [[0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.2, 0.6, 0.2]],
        "full": [[0.2, 0.2, 0.6], [0.5, 0.4, 0.1], [0.4, 0.4, 0.2]],
    }
    products = {"tight": [0.06, 0.03, 0.012], "middle": [0.006, 0.144, 0.008], "full": [0.04, 0.032, 0.012]}
    expected = np.mean([np.array(product) / sum(product) for product in products.values()], axis=0)
    given = np.array(list(members.values())).transpose(1, 0, 2)[:, :, None]
    np.testing.assert_allclose(ensemble(MULTI_CLASS).combine(given), [expected], rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "rule"),
    [("dempster-shafer", lambda p: dempster_shafer(plain(p))), ("mean", mean), ("geometric mean", geometric_mean)],
)
def test_every_rule_by_its_name(name: str, rule: Callable[[FloatArray], FloatArray]) -> None:
    given = drawn(MULTI_CLASS)
    together = ensemble(MULTI_CLASS, across="together", rule=name, crop_rule=None).combine(given)
    np.testing.assert_allclose(together, rule(given.reshape(9, 6, 3)), rtol=1e-12)
    first = ensemble(MULTI_CLASS, rule=name, crop_rule="mean").combine(given)
    np.testing.assert_allclose(first, mean(np.stack([rule(given[:, crop]) for crop in range(3)])), rtol=1e-12)
    second = ensemble(MULTI_CLASS, rule="mean", crop_rule=name).combine(given)
    np.testing.assert_allclose(second, rule(np.stack([mean(given[:, crop]) for crop in range(3)])), rtol=1e-12)


def test_weights_belong_to_members_also_where_crops_are_combined_with_them() -> None:
    given, accuracies = drawn(BINARY), (0.9, 0.4)
    for name, weighted in (("accuracy weighted", accuracy_weighted), ("discounted", discounted)):
        found = ensemble(BINARY, masses=name, accuracies=accuracies).combine(given)
        expected = dempster_shafer(weighted(given.reshape(6, 6, 2), [0.9] * 3 + [0.4] * 3))
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        stepwise = {"across": "members then crops", "crop_rule": "mean", "masses": name, "accuracies": accuracies}
        by_crop = [dempster_shafer(weighted(given[:, crop], accuracies)) for crop in range(3)]
        np.testing.assert_allclose(ensemble(BINARY, **stepwise).combine(given), np.mean(by_crop, axis=0), rtol=1e-12)


def test_stacking_together_and_crop_by_crop() -> None:
    given = drawn(BINARY)
    six, two = stacking(6, 2), stacking(2, 2)
    found = ensemble(BINARY, rule="stacking", stacking=six).combine(given)
    np.testing.assert_allclose(found, six.predict_proba(given.reshape(6, 6, 2)), rtol=1e-12)
    stepwise = {"across": "members then crops", "rule": "stacking", "crop_rule": "geometric mean", "stacking": two}
    by_crop = np.stack([two.predict_proba(given[:, crop]) for crop in range(3)])
    np.testing.assert_allclose(ensemble(BINARY, **stepwise).combine(given), geometric_mean(by_crop), rtol=1e-12)


def test_the_order_of_members_and_crops_does_not_matter() -> None:
    for base in (BINARY, MULTI_CLASS):
        given = drawn(base)
        np.testing.assert_allclose(
            ensemble(base).combine(given), ensemble(base).combine(given[::-1, [2, 0, 1]]), rtol=1e-12
        )


@pytest.mark.parametrize("across", [{"across": "together"}, {"across": "members then crops", "crop_rule": "mean"}])
@pytest.mark.parametrize("rule", ["dempster-shafer", "mean", "geometric mean"])
def test_one_member_on_one_crop_is_taken_at_its_word(across: dict[str, str], rule: str) -> None:
    given = drawn(BINARY)[:1, :1]
    alone = ensemble(BINARY, members=("b3",), crops=("full",), rule=rule, **across)
    np.testing.assert_allclose(alone.combine(given), given[0, 0], rtol=1e-12)


def test_members_are_calibrated_before_they_are_combined() -> None:
    """The square root of 0.9 to 0.1 is 3 to 1, and a bias of log 2 makes 3 to 2 of that; the other member stays."""
    calibrations = [
        {"temperature": 2.0, "bias": (0.0, float(np.log(2)))},
        {"temperature": 1.0, "bias": (0.0, 0.0)},
    ]
    given = np.array([[[[0.9, 0.1]]], [[[0.5, 0.5]]]])
    found = ensemble(BINARY, crops=("full",), rule="mean", member_calibrations=calibrations).combine(given)
    np.testing.assert_allclose(found, [[0.55, 0.45]], rtol=1e-12)


def test_the_result_is_calibrated_last() -> None:
    """0.9 and 0.9 make odds of 81 to 1, whose square root is 9 to 1, and a bias of log 9 makes it even."""
    last = {"temperature": 2.0, "bias": (0.0, float(np.log(9)))}
    given = np.full((2, 1, 1, 2), [0.9, 0.1])
    found = ensemble(BINARY, crops=("full",), calibration=last).combine(given)
    np.testing.assert_allclose(found, [[0.5, 0.5]], rtol=1e-12)


def test_sure_members_stay_finite_through_calibration() -> None:
    given = np.full((2, 3, 4, 2), [1.0, 0.0])
    both = {"member_calibrations": [calibration(BINARY, 2.0)] * 2, "calibration": calibration(BINARY, 0.5)}
    found = ensemble(BINARY, **both).combine(given)
    np.testing.assert_allclose(found, np.full((4, 2), [1.0, 0.0]), atol=1e-6)


def test_the_example_runs() -> None:
    assert doctest.testmod(module) == (0, 2)  # failed, attempted


def test_a_missing_answer_is_named() -> None:
    given = drawn(MULTI_CLASS)
    given[1, 2, 4] = np.nan
    given[2, 2, 5, 0] = np.nan
    with pytest.raises(
        EnsembleError, match=r"member 'b2' has no probabilities \(NaN\) for crop 'full' of the image in row 4 \(2 such"
    ):
        ensemble(MULTI_CLASS).combine(given)


def test_what_is_no_distribution_is_named() -> None:
    given = drawn(MULTI_CLASS)
    given[0, 1, 3] = [0.5, 0.4, 0.3]
    with pytest.raises(
        EnsembleError, match=r"member 'b0' has \[0.5, 0.4, 0.3\], which is no distribution, for crop 'middle' .* row 3 "
    ):
        ensemble(MULTI_CLASS).combine(given)


@pytest.mark.parametrize("shape", [(2, 3, 6, 3), (3, 2, 6, 3), (3, 3, 6, 2), (3, 3, 3), (3, 3, 1, 6, 3)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(EnsembleError, match=r"expected \[3 members, 3 crops, images, 3 classes\], got the shape \("):
        ensemble(MULTI_CLASS).combine(np.full(shape, 1 / shape[-1]))


KINDS: list[dict[str, Any]] = [
    BINARY,
    MULTI_CLASS,
    BINARY | {"masses": "accuracy weighted", "accuracies": (0.9163, 0.9152)},
    MULTI_CLASS | {"masses": "discounted", "accuracies": (0.9, 1 / 3, 1.0), "crop_rule": "geometric mean"},
    MULTI_CLASS | {"rule": "stacking", "stacking": stacking(3, 3), "calibration": calibration(MULTI_CLASS, 1 / 3)},
    BINARY | {"rule": "stacking", "stacking": stacking(6, 2), "member_calibrations": [calibration(BINARY, 2 / 3)] * 2},
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_ensemble_says_the_very_same(kind: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "ensemble.json"
    made = ensemble(kind)
    path.write_text(made.to_json(), encoding="utf-8")
    loaded = Ensemble.load(path)
    assert loaded == made
    assert loaded.combine(drawn(kind)).tobytes() == made.combine(drawn(kind)).tobytes()


def wrong_bias(description: dict[str, Any]) -> None:
    description["calibration"]["bias"] = [0.0]


def wrong_stacking(description: dict[str, Any]) -> None:
    description["stacking"]["coefficients"][0].pop()


def fewer_inputs(description: dict[str, Any]) -> None:
    for of_class in description["stacking"]["coefficients"]:
        of_class.pop()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("schema_version"), r": schema_version: "),
        (lambda d: d.update(schema_version=2), r": schema_version: .*1"),
        (lambda d: d.update(rule="majority"), r": rule: .*dempster-shafer"),
        (lambda d: d.update(crop_rule="stacking"), r": crop_rule: .*geometric mean"),
        (lambda d: d.update(across="crops then members"), r": across: "),
        (lambda d: d.update(weights=[1, 2]), r": weights: Extra inputs"),
        (lambda d: d["stacking"].update(code="import os"), r": stacking\.code: Extra inputs"),
        (lambda d: d.update(classes=["MEL"]), r": classes: "),
        (lambda d: d.update(classes=["MEL", "MEL", "BCC"]), r": classes: a name is empty or comes twice"),
        (lambda d: d.update(members=[]), r": members: "),
        (lambda d: d.update(members=["b0", "", "b3"]), r": members: a name is empty or comes twice"),
        (lambda d: d.update(crops=["full", "full"]), r": crops: a name is empty or comes twice"),
        (lambda d: d.update(crop_rule=None), r": crop_rule belongs to 'members then crops'"),
        (lambda d: d.update(across="together"), r": crop_rule belongs to 'members then crops'"),
        (lambda d: d.update(masses="discounted"), r": masses: the rule 'stacking' knows no masses"),
        (lambda d: d.update(accuracies=[0.9, 0.9, 0.9]), r": accuracies: expected one a member"),
        (lambda d: d.update(rule="mean"), r": stacking belongs to the rule 'stacking'"),
        (lambda d: d.update(stacking=None), r": stacking belongs to the rule 'stacking'"),
        (lambda d: d.update(member_calibrations=[d["calibration"]]), r": member_calibrations: expected one a member"),
        (lambda d: d.update(member_calibrations=[{"temperature": 1, "bias": [0]}] * 3), r": calibration: a bias"),
        (lambda d: d["calibration"].update(temperature=0), r": calibration\.temperature: "),
        (lambda d: d["calibration"].update(temperature=float("nan")), r": calibration\.temperature: "),
        (lambda d: d["calibration"].update(bias=[0, 0, float("inf")]), r": calibration\.bias\.2: "),
        (lambda d: d["stacking"].update(intercepts=[0, 0, float("inf")]), r": stacking\.intercepts\.2: "),
        (wrong_bias, r": calibration: a bias has not one number a class"),
        (wrong_stacking, r": stacking: coefficients: expected \[3, members, 3\]"),
        (fewer_inputs, r": stacking: fitted on 2 members and 3 classes, but here are 3 and 3"),
    ],
)
def test_a_damaged_file_is_refused_and_named(change: Change, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ensemble.json"
    description = json.loads(ensemble(KINDS[4]).to_json())
    change(description)
    path.write_text(json.dumps(description))
    with pytest.raises(EnsembleError, match=rf"^{path}{message}.* problems in all\)$"):
        Ensemble.load(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_no_json_at_all(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ensemble.json"
    path.write_bytes(content)
    with pytest.raises(EnsembleError, match=rf"^{path}: "):
        Ensemble.load(path)


def test_an_oversized_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "ensemble.json"
    text = ensemble(BINARY).to_json().encode()
    path.write_bytes(text + b" " * (4 * 2**20 - len(text)))
    assert Ensemble.load(path) == ensemble(BINARY)
    path.write_bytes(text + b" " * (4 * 2**20 - len(text) + 1))
    with pytest.raises(EnsembleError, match=r"ensemble\.json is larger than 4194304 bytes"):
        Ensemble.load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnsembleError, match=r"none\.json cannot be read: No such file"):
        Ensemble.load(tmp_path / "none.json")
    with pytest.raises(EnsembleError, match=r"cannot be read: Is a directory"):
        Ensemble.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"masses": "discounted"}, "accuracies: expected one a member"),
        ({"masses": "discounted", "accuracies": (0.9, 0.9)}, "accuracies: expected one a member"),
        ({"masses": "discounted", "accuracies": (0.9, 0.9, 1.1)}, "less than or equal to 1"),
        ({"masses": "accuracy weighted", "accuracies": (0.9,) * 3}, "accuracy weighted is defined for two classes"),
        ({"accuracies": (0.9,) * 3}, "accuracies: expected one a member"),
    ],
)
def test_weights_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ensemble(MULTI_CLASS, **changes)
