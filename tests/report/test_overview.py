from __future__ import annotations

import pytest

from dermoscope.analysis import Analysis, Gate, Malignancy, PredictionSet
from dermoscope.report.charts import HEIGHT, WIDTH, risk_chart
from dermoscope.report.overview import BINS, Overview, gather, known_risk, verdict_of


def analysis(risk: float, *, skin: bool = True, abstained: bool = False, group: str = "keratosis") -> Analysis:
    return Analysis(
        image_id="x",
        gate=Gate(is_skin=skin, p_skin=0.5, threshold=0.4),
        malignancy=Malignancy(
            probability=risk, definition="graz", threshold=0.3, operating_point="", flagged=risk >= 0.3
        ),
        group={group: 1.0},
        quality=("blurred",) if abstained else (),
        abstained=abstained,
    )


FAILED = Analysis.failed("x", "x.jpg", "is empty")


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (analysis(0.3), "flagged"),
        (analysis(0.29), "not flagged"),
        (analysis(0.9, abstained=True), "withheld, flagged"),
        (analysis(0.2, abstained=True), "withheld"),
        (analysis(0.9, skin=False), "not skin"),
        (analysis(0.9, skin=False, abstained=True), "not skin"),
        (Analysis(image_id="x"), "withheld"),
    ],
)
def test_verdicts(one: Analysis, verdict: str) -> None:
    assert verdict_of(one) == verdict


def test_every_image_is_counted_once() -> None:
    results = [FAILED, analysis(0.0), analysis(1.0, group="vascular"), analysis(0.2, abstained=True)]
    withheld = analysis(0.5, abstained=True)
    overview = gather([*results, analysis(0.9, skin=False), analysis(0.299), withheld], limit=10)
    assert (overview.images, overview.done, overview.failed) == (7, 6, 1)
    assert (overview.answered, overview.flagged, overview.not_skin) == (3, 1, 1)
    assert (overview.withheld, overview.withheld_flagged) == (2, 1)
    assert overview.risk_bins == [1, 0, 0, 0, 0, 1, *[0] * 13, 1]
    assert dict(overview.group_counts())["keratosis"] == 2
    assert overview.quality == {"blurred": 2}
    assert overview.gate_threshold == 0.4
    assert overview.shown == {1, 2, 3, 4, 5, 6}


def test_of_too_many_the_riskiest_answers_are_shown() -> None:
    results = [analysis(0.2), analysis(0.95, skin=False), FAILED, analysis(0.8), analysis(0.2), analysis(0.4)]
    assert gather(results, limit=3).shown == {3, 5, 0}
    assert gather(results, limit=0).shown == frozenset()


@pytest.mark.parametrize(
    ("one", "risk"),
    [
        (analysis(0.9), 0.9),
        (analysis(0.2), 0.2),
        (analysis(0.9, abstained=True), 0.3),
        (analysis(0.2, abstained=True), -1),
        (analysis(0.9, skin=False, abstained=True), -1),
        (Analysis(image_id="x"), -1),
    ],
)
def test_of_a_withheld_risk_the_side_of_the_operating_point_is_known_at_most(one: Analysis, risk: float) -> None:
    assert known_risk(one) == risk


def test_what_is_flagged_without_an_answer_stays_on_the_page_before_what_is_not_flagged() -> None:
    results = [analysis(0.2), analysis(0.4, abstained=True), analysis(0.29), analysis(0.31)]
    assert gather(results, limit=2).shown == {1, 3}


def test_the_coverage_is_that_of_the_first_set() -> None:
    with_set = analysis(0.2).model_copy(update={"prediction_set": PredictionSet(codes=("NV",), coverage=0.9)})
    assert gather([FAILED, analysis(0.2), with_set], limit=1).coverage == 0.9
    assert gather([analysis(0.2)], limit=1).coverage is None


def test_the_histogram_fits_its_plot() -> None:
    overview = Overview(1, risk_bins=[1000, 1, *[0] * (BINS - 2)], malignancy=analysis(0.1).malignancy)
    chart = risk_chart(overview)
    assert [bar.height for bar in chart.bars[:3]] == [HEIGHT, 2.0, 0.0]
    assert all(bar.y + bar.height == HEIGHT for bar in chart.bars)
    assert chart.threshold == WIDTH * 0.3
    assert [bar.flagged for bar in chart.bars] == [False] * 6 + [True] * 14
    assert chart.bars[1].label == "5 to 10\u00a0%: 1 image"
