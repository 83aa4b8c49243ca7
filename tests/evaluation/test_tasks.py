from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation.predictions import read_predictions
from dermoscope.evaluation.problems import InputError
from dermoscope.evaluation.tasks import binary_tasks, class_tasks
from dermoscope.evaluation.truth import Matched, match, read_truth
from tests.evaluation.fake_runs import IMAGES, manifest_rows, prediction_rows, probabilities, result_rows, write_table

Rows = list[dict[str, object]]


def matched(root: Path, predictions: Rows, manifest: Rows | None = None) -> Matched:
    table = write_table(root / "results.csv", predictions)
    return match(read_predictions(table), read_truth(write_table(root / "manifest.csv", manifest or manifest_rows())))


def test_classes_and_groups(tmp_path: Path) -> None:
    diagnosis, group = class_tasks(matched(tmp_path, result_rows()))
    assert diagnosis.classes == ("MEL", "NV", "BCC", "BKL", "VASC")
    assert diagnosis.labels[:6].tolist() == [0, 0, 1, 1, 2, 2]
    assert [group.classes[label] for label in group.labels[::2][:3]] == [
        "melanocytic",
        "melanocytic",
        "non-melanocytic carcinoma",
    ]


def test_images_without_an_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    manifest = manifest_rows()
    manifest[0]["diagnosis"], manifest[1]["diagnosis"], manifest[2]["diagnosis"] = "", "UNK", "NOT_SKIN"
    found = matched(tmp_path, result_rows(), manifest)
    diagnosis, _ = class_tasks(found)
    assert diagnosis.images.tolist() == list(range(3, IMAGES))
    assert dict(diagnosis.left_out) == {"no diagnosis": 1, "UNK": 1, "NOT_SKIN": 1}
    malignancy, melanoma, gate = binary_tasks(found)
    assert len(malignancy.positive) == IMAGES - 3
    assert len(melanoma.positive) == IMAGES - 2, "by this definition an unknown diagnosis is negative"
    assert (~gate.positive).sum() == 1
    assert gate.threshold is None


def test_the_model_s_own_definition_and_threshold(tmp_path: Path) -> None:
    malignancy, melanoma = binary_tasks(matched(tmp_path, result_rows()))
    assert malignancy.title == "Malignancy (graz)"
    assert malignancy.threshold == 0.3
    assert "validation" in malignancy.threshold_source
    assert malignancy.positive.sum() == 12
    assert np.array_equal(malignancy.called, malignancy.score >= 0.3)
    assert (melanoma.key, melanoma.threshold) == ("melanoma", 0.5)


@pytest.mark.parametrize(
    ("positive", "classes"),
    [("graz", ("MEL", "BCC")), ("not-nevus", ("MEL", "BCC", "BKL", "VASC")), ("BKL", ("BKL",)), ("melanoma", ("MEL",))],
)
def test_positive_sums_its_classes(positive: str, classes: tuple[str, ...], tmp_path: Path) -> None:
    main = binary_tasks(matched(tmp_path, prediction_rows()), positive)[0]
    columns = [("MEL", "NV", "BCC", "BKL", "VASC").index(code) for code in classes]
    assert main.score == pytest.approx(probabilities()[:, columns].sum(axis=1))
    assert main.positive.sum() == 6 * len(classes)


def test_another_definition_than_the_model_s_is_summed_from_its_classes(tmp_path: Path) -> None:
    main = binary_tasks(matched(tmp_path, result_rows()), "not-nevus")[0]
    assert main.score == pytest.approx(1 - probabilities()[:, 1], abs=2e-5)
    assert main.threshold == 0.5, "the model's operating point belongs to another question"


def test_the_predictions_must_be_able_to_answer(tmp_path: Path) -> None:
    rows = [{"image_id": row["image_id"], "MEL": row["MEL"]} for row in prediction_rows()]
    found = matched(tmp_path, rows)
    assert [task.key for task in binary_tasks(found)] == ["melanoma"]
    with pytest.raises(InputError, match="column p_malignant: holds no probability of malignancy by graz"):
        binary_tasks(found, "graz")
    with pytest.raises(InputError, match="column BCC: the column is missing, and --positive asks for BCC"):
        binary_tasks(found, "BCC")


def test_classes_on_one_side_of_a_definition_have_no_malignancy(tmp_path: Path) -> None:
    three = ("MEL", "BCC", "AKIEC")
    columns = dict(zip(("MEL", "BCC", "VASC"), three, strict=True))
    rows = []
    for row in prediction_rows():
        total = sum(float(str(row[name])) for name in columns)
        rows.append({"image_id": row["image_id"]} | {new: float(str(row[old])) / total for old, new in columns.items()})
    manifest = [row | {"diagnosis": three[number % 3]} for number, row in enumerate(manifest_rows())]
    found = matched(tmp_path, rows, manifest)
    assert [task.key for task in class_tasks(found)] == ["diagnosis"]
    assert [task.key for task in binary_tasks(found)] == ["melanoma"], "which has both sides"
    for definition in ("graz", "not-nevus"):
        with pytest.raises(InputError, match=f"are all on one side of {definition}, which leaves nothing to tell"):
            binary_tasks(found, definition)
    assert [task.key for task in binary_tasks(found, "melanoma")] == ["malignancy"]


def test_akiec_is_undecided_under_isic2019(tmp_path: Path) -> None:
    rows = [{("AKIEC" if name == "VASC" else name): value for name, value in row.items()} for row in prediction_rows()]
    manifest = [
        row | {"diagnosis": "SCC" if row["diagnosis"] == "VASC" else row["diagnosis"]} for row in manifest_rows()
    ]
    found = matched(tmp_path, rows, manifest)
    assert class_tasks(found)[0].labels[8] == 3
    with pytest.raises(InputError, match="AKIEC is undecided under isic2019"):
        binary_tasks(found, "isic2019")
