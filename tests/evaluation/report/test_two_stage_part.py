from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dermoscope.evaluation.gate import GateThreshold, apply_gate
from dermoscope.evaluation.predictions import read_predictions
from dermoscope.evaluation.report.binary import binary_part
from dermoscope.evaluation.report.classes import class_part
from dermoscope.evaluation.report.document import plain, text
from dermoscope.evaluation.report.parts import Part, Settings
from dermoscope.evaluation.report.two_stage_part import two_stage_part
from dermoscope.evaluation.tasks import binary_tasks, class_tasks
from dermoscope.evaluation.truth import Matched, match, read_truth
from tests.evaluation.fake_runs import write_table

QUICK = Settings(resamples=20)

# Image to diagnosis, the probability of a melanocytic lesion (the rest is vascular) and that of malignancy.
IMAGES = {
    "mel 1": ("MEL", 0.9, 0.8),
    "mel 2": ("MEL", 0.8, 0.2),  # called benign
    "nv 1": ("NV", 0.7, 0.1),
    "nv 2": ("NV", 0.3, 0.1),  # called vascular
    "vasc 1": ("VASC", 0.1, 0.5),  # called malignant, at the threshold
    "vasc 2": ("VASC", 0.2, 0.1),
    "cloth 1": ("NOT_SKIN", 0.6, 0.1),
    "cloth 2": ("NOT_SKIN", 0.4, 0.9),
    "cloth 3": ("NOT_SKIN", 0.5, 0.3),  # undecided between the groups
    "cloth 4": ("NOT_SKIN", 0.9, 0.9),
    "unknown": ("UNK", 0.9, 0.9),
    "healthy": ("", 0.9, 0.9),
}
PERFECT = {name: float(diagnosis != "NOT_SKIN") for name, (diagnosis, _, _) in IMAGES.items()}


def matched(root: Path, p_skin: dict[str, float]) -> Matched:
    head = [
        {
            "image_id": name,
            "p_melanocytic": melanocytic,
            "p_carcinoma": 0,
            "p_keratosis": 0,
            "p_fibrous": 0,
            "p_vascular": round(1 - melanocytic, 3),
            "p_malignant": malignant,
            "malignancy_definition": "graz",
        }
        for name, (_, melanocytic, malignant) in IMAGES.items()
    ]
    truth = [
        {"image_id": name, "path": f"{name}.png", "diagnosis": diagnosis, "source": "A", "split": "test"}
        for name, (diagnosis, _, _) in IMAGES.items()
    ]
    found = match(
        read_predictions(write_table(root / "head.csv", head)), read_truth(write_table(root / "manifest.csv", truth))
    )
    gate = write_table(root / "gate.csv", [{"image_id": name, "p_skin": value} for name, value in p_skin.items()])
    return replace(found, predictions=apply_gate(found.predictions, read_predictions(gate), 0.5))


def part_of(images: Matched, threshold: GateThreshold | None = None) -> Part:
    part = two_stage_part(images, class_tasks(images), binary_tasks(images), "test split", QUICK, threshold)
    assert part is not None
    return part


def numbers_of(root: Path, changes: dict[str, float]) -> Any:
    return plain(part_of(matched(root, PERFECT | changes)).numbers)


# Of each gate: balanced accuracy, accuracy and macro F1 of group, then of malignancy, all by hand. The classes that
# occur are not skin, melanocytic and vascular; then not skin, benign and malignant.
GATES = {
    # Group: 4/4, 3/4 and 2/2 right. Decided 4, 3 and 3: F1 8/8, 6/7 and 4/5.
    # Malignancy: 4/4, 3/4 and 1/2 right. Decided 4, 4 and 2: F1 8/8, 6/8 and 2/4.
    "perfect": (
        {},
        (0, 0),
        ((1 + 3 / 4 + 1) / 3, 9 / 10, (1 + 6 / 7 + 4 / 5) / 3),
        ((1 + 3 / 4 + 1 / 2) / 3, 8 / 10, (1 + 6 / 8 + 2 / 4) / 3),
    ),
    # A melanoma, right in both heads, is lost: 4/4, 2/4, 2/2; decided 5, 2, 3. And 4/4, 3/4, 0/2; decided 5, 4, 1.
    "skin refused": (
        {"mel 1": 0.4},
        (1, 0),
        ((1 + 2 / 4 + 1) / 3, 8 / 10, (8 / 9 + 4 / 6 + 4 / 5) / 3),
        ((1 + 3 / 4 + 0) / 3, 7 / 10, (8 / 9 + 6 / 8 + 0) / 3),
    ),
    # A cloth is called melanocytic and benign: 3/4, 3/4, 2/2; decided 3, 4, 3. And 3/4, 3/4, 1/2; decided 3, 5, 2.
    "cloth let through": (
        {"cloth 1": 0.6},
        (0, 1),
        ((3 / 4 + 3 / 4 + 1) / 3, 8 / 10, (6 / 7 + 6 / 8 + 4 / 5) / 3),
        ((3 / 4 + 3 / 4 + 1 / 2) / 3, 7 / 10, (6 / 7 + 6 / 9 + 2 / 4) / 3),
    ),
    # At once: a melanoma lost, two cloths let through, one of them without a group as both are as probable.
    # 2/4, 2/4, 2/2; decided 3, 3, 3. And 2/4, 3/4, 0/2; decided 3, 6, 1.
    "both": (
        {"mel 1": 0.4, "cloth 1": 0.6, "cloth 3": 0.5},
        (1, 2),
        ((2 / 4 + 2 / 4 + 1) / 3, 6 / 10, (4 / 7 + 4 / 7 + 4 / 5) / 3),
        ((2 / 4 + 3 / 4 + 0) / 3, 5 / 10, (4 / 7 + 6 / 10 + 0) / 3),
    ),
    # A refused image that the second head had wrong costs nothing there: 4/4, 3/4, 2/2; decided 5, 3, 2. It had the
    # malignancy right: 4/4, 2/4, 1/2; decided 5, 3, 2.
    "a wrong answer refused": (
        {"nv 2": 0.0},
        (1, 0),
        ((1 + 3 / 4 + 1) / 3, 9 / 10, (8 / 9 + 6 / 7 + 4 / 4) / 3),
        ((1 + 2 / 4 + 1 / 2) / 3, 7 / 10, (8 / 9 + 4 / 7 + 2 / 4) / 3),
    ),
}


@pytest.mark.parametrize("gate", GATES)
def test_by_hand(gate: str, tmp_path: Path) -> None:
    changes, (refused, let_through), *expected = GATES[gate]
    found = numbers_of(tmp_path, changes)
    assert (found["gate"]["skin"], found["gate"]["skin_refused"]) == (8, refused)
    assert (found["gate"]["not_skin"], found["gate"]["not_skin_let_through"]) == (4, let_through)
    names = ("balanced_accuracy", "accuracy", "macro_f1")
    for key, values in zip(("group", "malignancy"), expected, strict=True):
        perfect: dict[str, Any] = dict(zip(names, GATES["perfect"][2 if key == "group" else 3], strict=True))
        for name, value in zip(names, values, strict=True):
            assert found[key]["metrics"][name]["value"] == pytest.approx(value), (key, name)
            assert found[key]["perfect_gate"]["metrics"][name]["value"] == pytest.approx(perfect[name]), (key, name)
            assert found[key]["difference"][name]["value"] == pytest.approx(value - perfect[name]), (key, name)


def test_confusions_and_classes_by_hand(tmp_path: Path) -> None:
    found = numbers_of(tmp_path, GATES["both"][0])
    group, malignancy = found["group"], found["malignancy"]
    assert group["classes"][:2] == ["not skin", "melanocytic"]
    confusion = np.array(group["confusion"])
    assert confusion.shape == (6, 7)
    assert confusion[np.ix_([0, 1, 5], [0, 1, 5, 6])].tolist() == [[2, 1, 0, 1], [1, 2, 1, 0], [0, 0, 2, 0]]
    assert confusion.sum() == 10
    assert malignancy["classes"] == ["not skin", "benign", "malignant"]
    assert np.array(malignancy["confusion"]).tolist() == [[2, 2, 0, 0], [0, 3, 1, 0], [1, 1, 0, 0]]
    rows = group["per_class"]
    assert rows["not skin"]["recall"]["value"] == 2 / 4
    assert rows["not skin"]["precision"]["value"] == 2 / 3
    assert rows["melanocytic"]["f1"]["value"] == pytest.approx(4 / 7)
    assert group["perfect_gate"]["per_class"]["melanocytic"]["f1"]["value"] == pytest.approx(6 / 7)
    assert group["support"]["not skin"] == 4
    assert group["left_out"] == {"UNK": 1, "no diagnosis": 1}


def test_the_second_head_alone_is_what_its_own_section_says(tmp_path: Path) -> None:
    images = matched(tmp_path, PERFECT | GATES["both"][0])
    numbers: Any = part_of(images).numbers
    group, malignancy = numbers["group"], numbers["malignancy"]
    own: Any = class_part(class_tasks(images)[0], "test split", QUICK).numbers
    for name, value in group["second_head_alone"]["metrics"].items():
        assert text(value) == text(own["metrics"][name]), name
    for name, row in group["second_head_alone"]["per_class"].items():
        for metric, value in row.items():
            assert text(value) == text(own["per_class"][name][metric]), (name, metric)
    main: Any = binary_part(binary_tasks(images)[0], "test split", QUICK).numbers["metrics"]
    for name in ("accuracy", "balanced_accuracy"):
        assert text(malignancy["second_head_alone"]["metrics"][name]) == text(main[name])


def test_a_perfect_gate_costs_nothing(tmp_path: Path) -> None:
    images = matched(tmp_path, PERFECT)
    numbers: Any = part_of(images).numbers
    own: Any = class_part(class_tasks(images)[0], "test split", QUICK).numbers
    group = numbers["group"]
    assert {text(value) for value in group["difference"].values()} == {"0.000 (0.000 to 0.000)"}
    for name, row in own["per_class"].items():
        for metric in ("recall", "precision", "f1"):
            assert group["per_class"][name][metric].value == pytest.approx(row[metric].value, nan_ok=True)
    recalls = group["per_class"]["not skin"]
    assert [recalls[metric].value for metric in ("recall", "precision", "f1")] == [1, 1, 1]


def test_what_a_reader_is_told(tmp_path: Path) -> None:
    images = matched(tmp_path, PERFECT | GATES["both"][0])
    part = part_of(images, GateThreshold(0.5, "given"))
    assert "refused 1 of 8 images of skin and let 2 of 4 others through, at a p_skin of 0.5 or above (given)" in (
        part.section.lead
    )
    assert "by the gate's own decision" in part_of(images).section.lead
    assert [table.key for table in part.section.tables] == [
        "two-stage-group-metrics",
        "two-stage-group-classes",
        "two-stage-malignancy-metrics",
        "two-stage-malignancy-classes",
    ]
    assert [figure.key for figure in part.section.figures] == [
        "two-stage-group-confusion",
        "two-stage-malignancy-confusion",
    ]
    assert part.section.tables[3].rows[0][:2] == ("not skin", 4)
    assert len(part.section.notes) == 2
    assert [tile.label for tile in part.tiles] == [
        "Lesion group, both stages",
        "Malignancy (graz), both stages",
    ]
    part.section.figures[1].draw(tmp_path / "matrix.svg")
    assert "not skin" in (tmp_path / "matrix.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("lacking", ["gate", "others", "question"])
def test_without_two_stages_there_is_no_section(lacking: str, tmp_path: Path) -> None:
    images = matched(tmp_path, PERFECT)
    classes, binary = class_tasks(images), binary_tasks(images)
    if lacking == "gate":
        images = replace(images, predictions=replace(images.predictions, is_skin=None))
    elif lacking == "others":
        skin = ["NV" if code == "NOT_SKIN" else code for code in images.truth.diagnoses]
        images = replace(images, truth=replace(images.truth, diagnoses=tuple(skin)))
    else:
        classes, binary = (), tuple(task for task in binary if task.key == "gate")
    assert two_stage_part(images, classes, binary, "test split", QUICK) is None
