from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation.gate import apply_gate, choose_threshold
from dermoscope.evaluation.predictions import Predictions, read_predictions
from dermoscope.evaluation.problems import InputError
from dermoscope.evaluation.truth import Matched, match, read_truth
from tests.evaluation.fake_runs import write_table

HEAD = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}
"""Image to the probability of malignancy."""


def predictions_of(path: Path, column: str, of: dict[str, float]) -> Predictions:
    return read_predictions(write_table(path, [{"image_id": name, column: value} for name, value in of.items()]))


@pytest.fixture
def head(tmp_path: Path) -> Predictions:
    return predictions_of(tmp_path / "head.csv", "p_malignant", HEAD)


def gate_of(root: Path, of: dict[str, float]) -> Predictions:
    return predictions_of(root / "gate.csv", "p_skin", of)


def test_each_image_gets_its_own_gate_whatever_the_order(head: Predictions, tmp_path: Path) -> None:
    gate = gate_of(tmp_path, {"d": 0.9, "not asked for": 0.5, "b": 0.1, "a": 0.8, "c": 0.3})
    found = apply_gate(head, gate, 0.5)
    assert found.scores["p_skin"].tolist() == [0.8, 0.1, 0.3, 0.9]
    assert found.is_skin is not None
    assert found.is_skin.tolist() == [True, False, False, True]
    assert found.abstained is not None
    assert found.abstained.tolist() == [False, True, True, False]
    assert found.scores["p_malignant"].tolist() == list(HEAD.values())
    assert (found.image_ids, found.path) == (head.image_ids, head.path)
    assert head.is_skin is None, "what was given is left as it was"


def test_an_answer_withheld_before_stays_withheld(head: Predictions, tmp_path: Path) -> None:
    before = replace(head, abstained=np.array([True, True, False, False]))
    found = apply_gate(before, gate_of(tmp_path, {"a": 0.9, "b": 0.1, "c": 0.9, "d": 0.1}), 0.5)
    assert found.abstained is not None
    assert found.abstained.tolist() == [True, True, False, True]


def test_a_second_gate_takes_the_place_of_the_first(head: Predictions, tmp_path: Path) -> None:
    once = apply_gate(head, gate_of(tmp_path, dict.fromkeys(HEAD, 0.2)), 0.5)
    twice = apply_gate(once, gate_of(tmp_path, dict.fromkeys(HEAD, 0.7)), 0.5)
    assert twice.is_skin is not None
    assert twice.is_skin.all()
    assert twice.scores["p_skin"].tolist() == [0.7] * 4


@pytest.mark.parametrize(
    ("threshold", "skin"),
    [
        (0.0, [True] * 4),
        (0.4, [False, True, True, True]),
        (0.5, [False, False, True, True]),
        (1.0, [False] * 3 + [True]),
    ],
)
def test_at_the_threshold_it_is_skin(threshold: float, skin: list[bool], head: Predictions, tmp_path: Path) -> None:
    found = apply_gate(head, gate_of(tmp_path, {"a": 0.0, "b": 0.4, "c": 0.5, "d": 1.0}), threshold)
    assert found.is_skin is not None
    assert found.is_skin.tolist() == skin


def test_names_of_other_years_meet(head: Predictions, tmp_path: Path) -> None:
    gate = gate_of(tmp_path, {"a_downsampled": 0.1, "b": 0.2, "c": 0.3, "d": 0.4, "d_downsampled": 0.9})
    assert apply_gate(head, gate, 0.5).scores["p_skin"].tolist() == [0.1, 0.2, 0.3, 0.4]
    other = replace(head, image_ids=("a", "b_downsampled", "c", "d"))
    assert apply_gate(other, gate, 0.5).scores["p_skin"].tolist() == [0.1, 0.2, 0.3, 0.4]


def test_images_that_the_gate_lacks_are_listed(head: Predictions, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        apply_gate(head, gate_of(tmp_path, {"b": 0.9, "d": 0.9}), 0.5)
    assert raised.value.count == 2
    first, second = raised.value.problems
    table = tmp_path / "head.csv"
    assert str(first) == f"{tmp_path / 'gate.csv'}: no p_skin for 'a', which is in row 2 of {table}"
    assert str(second) == f"{tmp_path / 'gate.csv'}: no p_skin for 'c', which is in row 4 of {table}"


def test_what_is_no_gate_is_refused(head: Predictions) -> None:
    with pytest.raises(InputError, match=r"head\.csv, row 1, column p_skin: the column is missing; give the pred"):
        apply_gate(head, head, 0.5)


def validation_of(root: Path, of: dict[str, tuple[str, float]], column: str = "p_skin") -> Matched:
    """From diagnosis and `p_skin` of each image."""
    rows = [
        {"image_id": name, "path": f"{name}.png", "diagnosis": diagnosis, "source": "A", "split": "val"}
        for name, (diagnosis, _) in of.items()
    ]
    manifest = read_truth(write_table(root / "manifest.csv", rows))
    gate = predictions_of(root / "val.csv", column, {name: p_skin for name, (_, p_skin) in of.items()})
    return match(gate, manifest, split="val")


def test_the_threshold_of_greatest_balanced_accuracy(tmp_path: Path) -> None:
    # At 0.7, between 0.6 and 0.8: three of four images of skin, both others refused.
    images = {
        "a": ("NV", 0.9),
        "b": ("", 0.8),
        "c": ("UNK", 0.8),
        "d": ("MEL", 0.2),
        "e": ("NOT_SKIN", 0.6),
        "f": ("NOT_SKIN", 0.1),
    }
    found = choose_threshold(validation_of(tmp_path, images))
    assert found.value == pytest.approx(0.7)
    assert found.source == "greatest balanced accuracy on 6 validation images, 2 of them not skin: 0.875"


def test_without_a_choice_it_is_a_half(tmp_path: Path) -> None:
    assert choose_threshold(None).value == 0.5
    assert "not chosen" in choose_threshold(None).source
    skin = choose_threshold(validation_of(tmp_path, {"a": ("NV", 0.9), "b": ("NV", 0.2)}))
    assert (skin.value, skin.source) == (0.5, "fixed: all validation images are skin, which leaves no choice")
    others = choose_threshold(validation_of(tmp_path, {"a": ("NOT_SKIN", 0.9)}))
    assert (others.value, others.source) == (0.5, "fixed: all validation images are not skin, which leaves no choice")


def test_validation_images_need_a_gate(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="column p_skin: the column is missing"):
        choose_threshold(validation_of(tmp_path, {"a": ("NV", 0.9)}, "p_malignant"))
