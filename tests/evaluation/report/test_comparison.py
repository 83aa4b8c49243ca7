from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation.comparison import delong, mcnemar
from dermoscope.evaluation.problems import InputError
from dermoscope.evaluation.report import OutputExistsError, Request, Settings, evaluate
from dermoscope.evaluation.report.comparison import compare, comparison_table
from dermoscope.evaluation.report.paired import holm
from tests.evaluation.fake_runs import (
    CLASSES,
    IMAGES,
    diagnosis,
    manifest_rows,
    prediction_rows,
    probabilities,
    write_table,
)

QUICK = Settings(resamples=50)
LABELS = np.array([CLASSES.index(diagnosis(number)) for number in range(IMAGES)])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A good and a poor run on the same images."""
    root = tmp_path_factory.mktemp("runs")
    manifest = write_table(root / "manifest.csv", manifest_rows())
    for name, seed, skill in (("good", 0, 3.0), ("poor", 1, 0.2)):
        table = write_table(root / f"{name}.csv", prediction_rows(seed, skill=skill))
        evaluate(Request(table, manifest, root / name), Settings(resamples=2))
    return root / "good", root / "poor"


def test_the_tests_are_paired(runs: tuple[Path, Path]) -> None:
    found = compare(runs, settings=QUICK)
    assert found.runs == ("good", "poor")
    numbers = {each.key: each for each in found.numbers}
    good, poor = probabilities(0, 3.0), probabilities(1, 0.2)
    malignant = np.isin(LABELS, (0, 2))
    scores = [np.clip(each[:, 0] + each[:, 2], 0, 1) for each in (poor, good)]
    auc = numbers["malignancy.auc"].rows[1]
    assert auc.test is not None
    assert auc.difference is not None
    expected = delong(malignant, *scores)
    assert auc.test.p_value == pytest.approx(expected.p_value)
    assert auc.difference.value == pytest.approx(expected.value)
    assert auc.difference.value < 0, "the second run minus the first"
    right = [each.argmax(axis=1) == LABELS for each in (poor, good)]
    accuracy = numbers["diagnosis.accuracy"].rows[1]
    assert accuracy.test is not None
    assert accuracy.test.p_value == pytest.approx(mcnemar(*right).p_value)
    assert numbers["diagnosis.balanced_accuracy"].rows[1].test is None
    assert numbers["diagnosis.balanced_accuracy"].groups == IMAGES // 2


def test_a_run_does_not_differ_from_itself(runs: tuple[Path, Path]) -> None:
    for compared in compare([runs[0], runs[0]], settings=QUICK).numbers:
        difference = compared.rows[1].difference
        assert difference is not None
        assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_the_report(runs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "comparison"
    compare([*runs, runs[1]], out=out, settings=QUICK, command="dermoscope compare …")
    assert {path.name for path in out.iterdir()} == {
        "comparison.json",
        "figures",
        "report.html",
        "tables.md",
        "tables.tex",
    }
    assert json.loads((out / "comparison.json").read_text(encoding="utf-8"))["images"] == IMAGES
    page = (out / "report.html").read_text(encoding="utf-8")
    for text in ("Runs side by side", "p, DeLong", "p, Holm", "Not a medical device"):
        assert text in page
    with pytest.raises(OutputExistsError, match="--overwrite"):
        compare(runs, out=out, settings=QUICK)


def test_different_images(runs: tuple[Path, Path], tmp_path: Path) -> None:
    manifest = write_table(tmp_path / "manifest.csv", manifest_rows()[:20])
    table = write_table(tmp_path / "mine.csv", prediction_rows()[:20])
    evaluate(Request(table, manifest, tmp_path / "fewer"), Settings(resamples=2))
    with pytest.raises(InputError, match="good has 30 images, fewer has 20 images, 20 are shared"):
        compare([runs[0], tmp_path / "fewer"], out=tmp_path / "out", settings=QUICK)
    assert not (tmp_path / "out").exists()
    found = compare([runs[0], tmp_path / "fewer"], shared_only=True, settings=QUICK)
    assert (found.images, found.left_out) == (20, (10, 0))


def test_one_run_is_not_enough(runs: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError, match="two runs or more"):
        compare(runs[:1])


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_tables_show_only_columns_that_say_something(runs: tuple[Path, Path]) -> None:
    numbers = {each.key: each for each in compare(runs, settings=QUICK).numbers}
    assert comparison_table(numbers["malignancy.auc"]).columns[-1] == "p, DeLong"
    assert comparison_table(numbers["diagnosis.balanced_accuracy"]).columns[-1] == "p, bootstrap"
