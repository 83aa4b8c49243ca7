"""Every figure: written in each format, the same bytes each time, its words whole, apart, and stating n."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dermoscope.evaluation import figures
from dermoscope.evaluation.classification import decided_class
from dermoscope.evaluation.decision_table import decision_table
from dermoscope.evaluation.figures import style
from dermoscope.evaluation.operating_points import at_sensitivity, at_threshold
from tests.evaluation.figures.drawings import drawing_of

RANDOM = np.random.default_rng(0)
N = 400
CLASSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
LONG_CLASSES = ("melanocytic", "non-melanocytic carcinoma", "keratosis", "fibrous", "vascular")
POSITIVE = RANDOM.random(N) < 0.25
RISK = 1 / (1 + np.exp(-(RANDOM.normal(-1.5, 1, N) + 2 * POSITIVE)))
OTHER = 1 / (1 + np.exp(-(RANDOM.normal(-1.5, 1.5, N) + 2 * POSITIVE)))
GROUPS = [f"lesion {number // 2}" for number in range(N)]
LABELS = RANDOM.choice(7, N, p=[0.12, 0.6, 0.06, 0.04, 0.12, 0.03, 0.03]).astype(np.intp)
PROBABILITIES = RANDOM.dirichlet(np.ones(7), N) * 0.6 + 0.4 * np.eye(7)[LABELS]
DICE = RANDOM.beta(8, 1.5, N)
POINT = at_sensitivity(POSITIVE, RISK, 0.95)
TITLE, NOTE = "A title of the figure", "HAM10000 test, lesion-grouped split"


def cases(count: int, dice: float) -> list[figures.Case]:
    found, random = [], np.random.default_rng(1)
    for number in range(count):
        rgb = random.integers(120, 220, (60, 80, 3)).astype(np.uint8)
        truth = np.zeros((60, 80), np.bool_)
        truth[15:45, 20:60] = True
        name = f"ISIC_00123{number:02}_with_a_long_name"
        found.append(figures.Case(name, rgb, truth, np.roll(truth, number, 1) & (number != 1), dice, "MEL"))
    return found


def draw_roc(path: Path) -> None:
    figures.roc_curve(
        POSITIVE, RISK, path, groups=GROUPS, point=POINT, positive_name="malignant (graz)", title=TITLE, note=NOTE,
        resamples=20,
    )  # fmt: skip


def draw_roc_of_several(path: Path) -> None:
    figures.roc_curve(POSITIVE, {"first": RISK, "second": OTHER}, path, groups=GROUPS, resamples=20)


def draw_roc_near_the_origin(path: Path) -> None:
    figures.roc_curve(POSITIVE, RISK, path, groups=GROUPS, point=at_threshold(POSITIVE, RISK, 0.99), resamples=20)


def draw_roc_of_three_low_on_the_curve(path: Path) -> None:
    point = at_threshold(POSITIVE, OTHER, float(np.quantile(OTHER, 0.9)))
    scores = {"a": OTHER, "b": RISK, "c": 1 - RISK}
    figures.roc_curve(POSITIVE, scores, path, groups=GROUPS, point=point, positive_name="malignant", resamples=20)


def draw_precision_recall(path: Path) -> None:
    figures.precision_recall(
        POSITIVE, RISK, path, groups=GROUPS, point=POINT, positive_name="malignant (graz)", title=TITLE, note=NOTE,
        resamples=20,
    )  # fmt: skip


def draw_precision_recall_of_several(path: Path) -> None:
    figures.precision_recall(~POSITIVE, {"first": 1 - RISK, "second": 1 - OTHER}, path, groups=GROUPS, resamples=20)


def draw_confusion(path: Path) -> None:
    table = decision_table(LABELS, decided_class(PROBABILITIES), 7)
    figures.confusion_matrix(table, CLASSES, path, title=TITLE, note=NOTE)


def draw_confusion_of_long_names(path: Path) -> None:
    table = decision_table(LABELS % 5, np.where(np.arange(N) % 50, LABELS % 5, -1), 5) * 300
    figures.confusion_matrix(table, LONG_CLASSES, path)


def draw_reliability(path: Path) -> None:
    figures.reliability_diagram(POSITIVE, RISK, path, event="malignant (graz)", title=TITLE, note=NOTE)


def draw_reliability_of_equal_mass(path: Path) -> None:
    figures.reliability_diagram(POSITIVE, RISK**0.2, path, binning="equal-mass", bins=10)


def draw_coverage_risk(path: Path) -> None:
    figures.coverage_risk_curve(
        decided_class(PROBABILITIES) == LABELS, PROBABILITIES.max(axis=1), path, groups=GROUPS, title=TITLE, note=NOTE,
        resamples=20,
    )  # fmt: skip


def draw_dice(path: Path) -> None:
    types = [CLASSES[label] for label in LABELS]
    figures.dice_by_type(DICE, types, path, prompt="auto", order=CLASSES, title=TITLE, note=NOTE)


def draw_gallery(path: Path) -> None:
    figures.gallery(cases(5, 0.123), cases(5, 0.9), cases(5, 0.987), path, n=400, prompt="auto", title=TITLE, note=NOTE)


def draw_training(path: Path) -> None:
    epochs = np.arange(1, 31)
    loss = np.exp(-epochs / 8)
    panels = {"Loss": {"training": loss, "validation": loss + 0.01}, "Learning rate": {"learning rate": loss * 1e-4}}
    figures.training_curves(epochs, panels, path, chosen=12, title=TITLE, note=NOTE)


def draw_embedding(path: Path) -> None:
    points = RANDOM_POINTS + 3 * np.stack([np.cos(LABELS), np.sin(LABELS)], axis=1)
    figures.embedding_map(points, LABELS, CLASSES, path, total=1234, title=TITLE, note=NOTE)


RANDOM_POINTS = RANDOM.normal(0, 1, (N, 2))
DRAWINGS: dict[str, Callable[[Path], None]] = {
    name.removeprefix("draw_"): drawing for name, drawing in list(globals().items()) if name.startswith("draw_")
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_words_are_whole_and_apart_and_n_is_stated(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = drawing_of(monkeypatch, lambda: DRAWINGS[name](tmp_path / "figure.png"))
    assert not drawing.overlapping()
    assert not drawing.cut()
    assert {"gallery": "400 images", "training": "30 epochs"}.get(name, "n = ") in drawing.words


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_data_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    DRAWINGS[name](tmp_path / "first.svg")
    DRAWINGS[name](tmp_path / "again.svg")
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()


def test_words_that_lie_on_one_another_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw() -> None:
        with style.page(tmp_path / "figure.png", 3, 2) as figure:
            figure.text(0.5, 0.5, "one")
            figure.text(0.5, 0.52, "two")
            figure.text(0.9, 0.2, "over the edge")

    drawing = drawing_of(monkeypatch, draw)
    assert drawing.overlapping() == [("one", "two")]
    assert drawing.cut() == ["over the edge"]
