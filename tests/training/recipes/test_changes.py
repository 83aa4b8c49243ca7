from __future__ import annotations

from typing import Any

import pytest

from dermoscope.training.recipes.changes import changed, parse_change

SETTINGS: dict[str, Any] = {"head": {"kind": "mlp", "hidden": [512, 256]}, "stopping": {"epochs": 50}, "mixing": None}


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("a.b=1", "a.b", 1),
        ("a=0.001", "a", 0.001),
        ("a=[64, 16]", "a", [64, 16]),
        ("a={skin: 1, not skin: 5.93}", "a", {"skin": 1, "not skin": 5.93}),
        ("a=null", "a", None),
        ("a=b=c", "a", "b=c"),
        (" a =balanced accuracy", "a", "balanced accuracy"),
    ],
)
def test_values_are_yaml(text: str, key: str, value: object) -> None:
    assert parse_change(text) == (key, value)


@pytest.mark.parametrize("text", ["a", "=3", "", " =3"])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write key=value"):
        parse_change(text)


@pytest.mark.parametrize("text", ["a=[1", "a=!!python/object/apply:os.system [ls]"])
def test_what_is_no_plain_yaml_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the value is no YAML"):
        parse_change(text)


def test_a_change_leaves_the_rest_and_the_original_alone() -> None:
    found = changed(SETTINGS, [("stopping.epochs", 3), ("mixing.mixup.alpha", 1.0)])
    assert found == {"head": SETTINGS["head"], "stopping": {"epochs": 3}, "mixing": {"mixup": {"alpha": 1.0}}}
    assert SETTINGS["stopping"] == {"epochs": 50}


def test_another_kind_empties_its_part_whatever_the_order() -> None:
    changes = [("head.strengths", [1.0]), ("head.kind", "logistic")]
    assert changed(SETTINGS, changes)["head"] == {"kind": "logistic", "strengths": [1.0]}


def test_the_same_kind_keeps_its_part() -> None:
    assert changed(SETTINGS, [("head.kind", "mlp")])["head"] == SETTINGS["head"]


def test_a_value_has_no_parts() -> None:
    with pytest.raises(ValueError, match=r"stopping\.epochs\.most: epochs has no parts"):
        changed(SETTINGS, [("stopping.epochs.most", 3)])
