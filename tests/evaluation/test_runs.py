from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation.problems import InputError
from dermoscope.evaluation.runs import SavedRun, align, answered, common_questions, names_of, read_run


def run(name: str, images: str, truth: str = "", score: str = "") -> SavedRun:
    """A run on images of one letter, with a truth of 0 and 1 and scores in tenths."""
    truth, score = truth or "1" * len(images), score or "5" * len(images)
    return SavedRun(
        name,
        Path(name),
        {},
        tuple(("A", image) for image in images),
        tuple(images),
        ("MEL",) * len(images),
        {"m:truth": tuple(truth), "m:score": tuple("" if each == "-" else f"0.{each}" for each in score)},
    )


def test_runs_are_put_in_the_order_of_the_first() -> None:
    first, second = align([run("a", "xyz", score="123"), run("b", "zxy", score="312")])
    assert first.images == second.images
    assert second.numbers("m:score").tolist() == [0.1, 0.2, 0.3]


def test_different_images_are_refused_unless_told_otherwise() -> None:
    runs = [run("a", "xyz"), run("b", "yzw")]
    with pytest.raises(InputError, match="a has 3 images, b has 3 images, 2 are shared; compare those with --shared"):
        align(runs)
    assert [each.images for each in align(runs, shared_only=True)] == [(("A", "y"), ("A", "z"))] * 2


def test_runs_without_a_shared_image_are_refused() -> None:
    with pytest.raises(InputError, match="shares no image with b"):
        align([run("a", "x"), run("b", "y")], shared_only=True)


def test_runs_must_agree_about_the_truth() -> None:
    with pytest.raises(InputError, match="column m:truth: says '0' of 'y'"):
        align([run("a", "xy", "11"), run("b", "xy", "10")])


def test_questions_and_answers_in_common() -> None:
    runs = [run("a", "xyz", score="1-3"), run("b", "xyz", score="12-")]
    assert common_questions(runs, "score") == ["m"]
    assert answered(runs, "m:score").tolist() == [0]
    assert np.isnan(runs[0].numbers("m:score")).tolist() == [False, True, False]


def test_names_tell_runs_apart() -> None:
    assert names_of([Path("/x/a"), Path("/x/b")]) == ["a", "b"]
    assert names_of([Path("/x/a/run"), Path("/x/b/run")]) == ["a/run", "b/run"]
    assert names_of([Path("/x/a"), Path("/x/a")]) == ["run 1", "run 2"]


@pytest.mark.parametrize(
    ("metrics", "table", "message"),
    [
        (None, "", "metrics.json: does not exist; give folders that dermoscope evaluate wrote"),
        ("{", "", "is not as dermoscope evaluate wrote it"),
        ('{"kind": "other"}', "", "is not as dermoscope evaluate wrote it"),
        ("", "a,b\n", r"predictions.csv, row 1: is not as dermoscope evaluate wrote it"),
        ("", "source,image_id,group,diagnosis\nA,x,x\n", "predictions.csv, row 2: has 3 cells"),
    ],
)
def test_what_is_no_run(metrics: str | None, table: str, message: str, tmp_path: Path) -> None:
    if metrics is not None:
        good = json.dumps({"kind": "dermoscope evaluation", "header": {}})
        (tmp_path / "metrics.json").write_text(metrics or good)
        (tmp_path / "predictions.csv").write_text(table)
    with pytest.raises(InputError, match=message):
        read_run(tmp_path, "a")
