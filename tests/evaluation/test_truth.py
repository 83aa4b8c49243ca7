from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation.predictions import read_predictions
from dermoscope.evaluation.problems import InputError
from dermoscope.evaluation.truth import Matched, class_of, match, read_truth, split_hash
from tests.evaluation.fake_runs import (
    IMAGES,
    image_id,
    manifest_rows,
    prediction_rows,
    result_rows,
    write_table,
)

Rows = list[dict[str, object]]


def matched(
    root: Path, predictions: Rows, manifest: Rows, *, split: str = "test", sources: tuple[str, ...] = ()
) -> Matched:
    table = write_table(root / "results.csv", predictions)
    return match(
        read_predictions(table), read_truth(write_table(root / "manifest.csv", manifest)), split=split, sources=sources
    )


def test_rows_find_their_truth_in_any_order(tmp_path: Path) -> None:
    found = matched(tmp_path, prediction_rows()[::-1], manifest_rows())
    assert found.truth.image_ids == tuple(image_id(number) for number in range(IMAGES))
    assert found.predictions.image_ids == found.truth.image_ids
    assert found.predictions.rows[0] == IMAGES + 1
    assert found.truth.rows[0] == 2
    assert found.truth.groups[:3] == ("lesion 0", "lesion 0", "lesion 1")
    assert found.truth.ages[0] == 15


def test_predictions_outside_the_split_are_counted(tmp_path: Path) -> None:
    both = [*prediction_rows(), *prediction_rows(start=IMAGES)]
    found = matched(tmp_path, both, [*manifest_rows(), *manifest_rows("val", IMAGES)])
    assert (len(found.truth.image_ids), found.outside) == (IMAGES, IMAGES)


def test_sources(tmp_path: Path) -> None:
    found = matched(tmp_path, prediction_rows(), manifest_rows(), sources=("B",))
    assert set(found.truth.sources) == {"B"}
    assert len(found.truth.image_ids) + found.outside == IMAGES


def test_downsampled_names_are_the_same_image(tmp_path: Path) -> None:
    rows = prediction_rows()
    rows[0]["image_id"] = f"{image_id(0)}_downsampled"
    assert matched(tmp_path, rows, manifest_rows()).truth.image_ids[0] == image_id(0)


def test_paths_tell_images_of_one_name_apart(tmp_path: Path) -> None:
    manifest = manifest_rows()[:2]
    manifest[1]["image_id"] = manifest[0]["image_id"]
    rows = [
        row | {"path": str(tmp_path / str(each["path"]))}
        for row, each in zip(prediction_rows(), manifest, strict=False)
    ]
    assert matched(tmp_path, rows, manifest).truth.rows.tolist() == [2, 3]
    del rows[0]["path"], rows[1]["path"]
    with pytest.raises(InputError, match=r"is in rows \d+ and \d+ of .*add the column path"):
        matched(tmp_path, rows[:1], manifest)


def test_failed_images_are_counted_not_refused(tmp_path: Path) -> None:
    rows = result_rows()
    rows[5] |= {name: "" for name in rows[5] if name.startswith("p_")} | {"status": "failed"}
    found = matched(tmp_path, rows, manifest_rows())
    assert (len(found.truth.image_ids), found.unanswered) == (IMAGES - 1, 1)


def test_images_without_an_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    """Nevi and images without a diagnosis; the question is answered by the other classes."""
    manifest = manifest_rows()
    manifest[0]["diagnosis"] = ""
    nevi = {str(row["image_id"]) for row in manifest if row["diagnosis"] == "NV"}
    rows = [row for row in prediction_rows() if row["image_id"] not in nevi | {image_id(0)}]
    table = read_truth(write_table(tmp_path / "manifest.csv", manifest))
    answered = frozenset({"MEL", "BCC", "BKL", "VASC"})
    found = match(read_predictions(write_table(tmp_path / "results.csv", rows)), table, answered=answered)
    assert found.left_out == {"no diagnosis": 1, "NV": len(nevi)}
    assert len(found.truth.image_ids) == IMAGES - 1 - len(nevi)
    every = match(read_predictions(write_table(tmp_path / "all.csv", prediction_rows())), table, answered=answered)
    assert every.truth.image_ids == found.truth.image_ids, "a prediction does not make an answer"
    assert match(read_predictions(tmp_path / "all.csv"), table).left_out == {}
    with pytest.raises(InputError, match=f"no prediction for '{image_id(2)}'"):
        match(read_predictions(tmp_path / "results.csv"), table, answered=answered | {"NV"})
    with pytest.raises(InputError, match="column diagnosis: no image of split 'test' has an answer to what the run"):
        match(read_predictions(tmp_path / "results.csv"), table, answered=frozenset({"DF"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("unknown id", r"results\.csv, row 2, column image_id: 'ISIC_9' is not in .*manifest\.csv: it has no truth"),
        ("no prediction", r"results\.csv: no prediction for 'ISIC_0000000', which is in row 2 of .*manifest\.csv"),
        ("twice", r"results\.csv, row 32, column image_id: .* is the same image as in row 2"),
        ("no column", r"results\.csv, row 1, column VASC: the column is missing; 6 images of the split are VASC"),
        ("bad code", r"manifest\.csv, row 3, column diagnosis: 'MOLE' is no diagnosis code"),
        ("no split", r"manifest\.csv, column split: has no split 'test'; it has train \(30 images\)"),
        ("no path", r"manifest\.csv, row 1, column path: is missing"),
    ],
)
def test_what_does_not_go_together(change: str, message: str, tmp_path: Path) -> None:
    rows, manifest = prediction_rows(), manifest_rows()
    if change == "unknown id":
        rows.insert(0, rows[0] | {"image_id": "ISIC_9"})
    elif change == "no prediction":
        rows = rows[1:]
    elif change == "twice":
        rows.append(rows[0] | {"image_id": f"{image_id(0)}_downsampled"})
    elif change == "no column":
        rows = [{name: value for name, value in row.items() if name != "VASC"} for row in rows]
        for row in rows:
            row["MEL"] = 1 - sum(float(str(row[code])) for code in ("NV", "BCC", "BKL"))
    elif change == "bad code":
        manifest[1]["diagnosis"] = "MOLE"
    elif change == "no split":
        manifest = manifest_rows("train")
    else:
        manifest = [{name: value for name, value in row.items() if name != "path"} for row in manifest]
    with pytest.raises(InputError, match=message):
        matched(tmp_path, rows, manifest)


def test_all_problems_of_a_manifest_are_listed(tmp_path: Path) -> None:
    manifest = manifest_rows()
    manifest[1]["diagnosis"], manifest[9]["age"] = "MOLE", -3
    with pytest.raises(InputError) as caught:
        matched(tmp_path, prediction_rows(), manifest)
    assert [(problem.row, problem.column) for problem in caught.value.problems] == [(3, "diagnosis"), (11, "age")]


def test_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: does not exist; give the manifest"):
        read_truth(tmp_path / "nowhere.csv")


def test_a_manifest_without_splits_is_scored_whole(tmp_path: Path) -> None:
    assert matched(tmp_path, prediction_rows(), manifest_rows("")).split == ""


@pytest.mark.parametrize(
    ("code", "classes", "place"),
    [
        ("AK", ("MEL", "AKIEC"), 1),
        ("SCC", ("MEL", "AKIEC"), 1),
        ("SCC", ("AKIEC", "SCC"), 1),
        ("AKIEC", ("AK", "SCC"), -1),
        ("UNK", ("MEL",), -1),
        ("", ("MEL",), -1),
    ],
)
def test_class_of(code: str, classes: tuple[str, ...], place: int) -> None:
    assert class_of(code, classes) == place


def test_the_hash_is_of_the_set_of_images_and_the_split() -> None:
    import hashlib

    assert split_hash(["b", "a"], "test") == hashlib.sha256(b"a,test\nb,test\n").hexdigest()
    assert split_hash(["b", "a"], "test") == split_hash(["a", "b"], "test")
    assert split_hash(["a", "b"], "val") != split_hash(["a", "b"], "test")


def test_order_follows_the_manifest(tmp_path: Path) -> None:
    found = matched(tmp_path, prediction_rows()[::-1], manifest_rows())
    straight = matched(tmp_path, prediction_rows(), manifest_rows())
    assert np.array_equal(found.predictions.probabilities, straight.predictions.probabilities)
