"""What the figures are given: choices made before drawing, and what is refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation import figures
from tests.evaluation.figures.drawings import drawing_of


@pytest.mark.parametrize(
    ("n", "each", "sizes"),
    [(30, 5, (5, 5, 5)), (10, 5, (3, 3, 3)), (3, 5, (1, 1, 1)), (2, 5, (1, 0, 1)), (1, 5, (1, 0, 0))],
)
def test_cases_are_chosen_by_rank_and_never_twice(n: int, each: int, sizes: tuple[int, int, int]) -> None:
    dice = np.random.default_rng(n).permutation(np.linspace(0, 1, n))
    choice = figures.worst_median_best(dice, each)
    assert (len(choice.worst), len(choice.median), len(choice.best)) == sizes
    everything = [*choice.worst, *choice.median, *choice.best]
    assert len(set(everything)) == len(everything)
    assert choice.worst[0] == dice.argmin()
    if choice.best:
        assert choice.best[0] == dice.argmax()
    if choice.median:
        assert abs(float(np.mean(dice[list(choice.median)])) - 0.5) <= 1 / n


def test_no_score_gives_no_case() -> None:
    assert figures.worst_median_best(np.array([])) == figures.Choice((), (), ())


def test_a_sample_keeps_rare_classes_whole() -> None:
    labels = np.array([0] * 900 + [1] * 80 + [2] * 20)
    rows = figures.sample_evenly(labels, 200)
    assert np.bincount(labels[rows]).tolist() == [100, 80, 20]
    assert (np.diff(rows) > 0).all()
    assert (rows == figures.sample_evenly(labels, 200)).all()
    assert figures.sample_evenly(labels, 1000).tolist() == list(range(1000))


def test_neighbours_in_the_map_are_neighbours_in_the_embedding() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 20)
    features = random.normal(0, 1, (60, 80)) + 8 * random.normal(0, 1, (3, 80))[labels]
    points = figures.project(features)
    assert points.shape == (60, 2)
    distance = np.square(points[:, None] - points).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (labels[distance.argmin(axis=1)] == labels).all()
    assert (figures.project(features) == points).all()


@pytest.mark.parametrize("shape", [(5, 3), (30, 1), (4, 2)])
def test_few_rows_and_columns_can_be_mapped(shape: tuple[int, int]) -> None:
    assert np.isfinite(figures.project(np.random.default_rng(0).normal(0, 1, shape))).all()


def test_undecided_images_have_a_column_if_there_are_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some, none = np.array([[3, 1, 1], [0, 4, 0]]), np.array([[3, 1, 0], [0, 4, 0]])
    for counts, shown in ((some, True), (none, False)):
        draw = partial(figures.confusion_matrix, counts, ("a", "b"), tmp_path / "figure.svg")
        with monkeypatch.context() as patch:
            drawing = drawing_of(patch, draw)
        assert ("undecided" in drawing.words) == shown
        assert f"n = {counts.sum()} images, 7 on the diagonal" in drawing.words


def test_rates_are_of_the_true_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.array([[30, 10], [3, 997]])
    drawing = drawing_of(monkeypatch, lambda: figures.confusion_matrix(counts, ("a", "b"), tmp_path / "figure.svg"))
    texts = [text for text, _ in drawing.texts]
    assert {"30", "10", "3", "997", "75", "25", "<1", "100", "a  n = 40", "b  n = 1,000"} <= set(texts)


def test_the_numbers_of_a_roc_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    positive, score = np.arange(40) >= 30, np.linspace(0, 1, 40)
    groups = [str(number // 2) for number in range(40)]
    drawing = drawing_of(
        monkeypatch, lambda: figures.roc_curve(positive, score, tmp_path / "figure.svg", groups=groups, resamples=5)
    )
    assert "AUC 1.000 (1.000–1.000)" in drawing.words
    assert "n = 40 images, 10 positive" in drawing.words
    assert "20 groups" in drawing.words


def test_bad_input_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    for draw in (figures.roc_curve, figures.precision_recall):
        for positive in (np.ones(3, np.bool_), np.zeros(3, np.bool_)):
            with pytest.raises(ValueError, match="positive and negative"):
                draw(positive, np.zeros(3), path, groups=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"\(2, 2\), expected \(3, 3\) or \(3, 4\)"):
        figures.confusion_matrix(np.ones((2, 2)), ("a", "b", "c"), path)
    with pytest.raises(ValueError, match="2 and 1"):
        figures.dice_by_type(np.ones(2), ["MEL"], path, prompt="auto")
    with pytest.raises(ValueError, match="no cases"):
        figures.gallery((), (), (), path, n=0, prompt="auto")
    with pytest.raises(ValueError, match="Loss, training: 2 values for 3 epochs"):
        figures.training_curves(np.arange(3), {"Loss": {"training": np.ones(2)}}, path)
    with pytest.raises(ValueError, match="no measure"):
        figures.training_curves(np.arange(3), {}, path)
    with pytest.raises(ValueError, match="at least four rows"):
        figures.project(np.ones((3, 2)))
    assert not list(tmp_path.iterdir())


def test_small_and_flat_data_can_be_drawn(tmp_path: Path) -> None:
    yes_no, half = np.array([True, False]), np.array([0.5, 0.5])
    groups = ["a", "b"]
    figures.roc_curve(yes_no, half, tmp_path / "roc.svg", groups=groups, resamples=5)
    figures.precision_recall(yes_no, half, tmp_path / "pr.svg", groups=groups, resamples=5)
    figures.reliability_diagram(yes_no, half, tmp_path / "reliability.svg")
    figures.coverage_risk_curve(yes_no, half, tmp_path / "risk.svg", groups=groups, resamples=5)
    figures.coverage_risk_curve(np.ones(1, np.bool_), half[:1], tmp_path / "right.svg", groups=["a"], resamples=5)
    figures.confusion_matrix(np.zeros((2, 2)), ("a", "b"), tmp_path / "confusion.svg")
    figures.dice_by_type(np.ones(1), ["MEL"], tmp_path / "dice.svg", prompt="auto")
    figures.training_curves(np.array([1]), {"Loss": {"training": np.array([np.nan])}}, tmp_path / "training.svg")
    figures.embedding_map(np.zeros((1, 2)), np.zeros(1, np.intp), ("a", "b"), tmp_path / "map.svg")
    assert len(list(tmp_path.iterdir())) == 9
