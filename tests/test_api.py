from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dermoscope
from dermoscope import api
from dermoscope.analyzer import load_analyzer, settings_of
from dermoscope.batch import BatchUsageError
from dermoscope.bundle import Bundle
from dermoscope.cli import main
from dermoscope.images import MAX_PIXELS, ImageError
from dermoscope.model_folder import BundleError
from dermoscope.segment.user_prompts import PromptError
from tests.batch.fake_analyzer import FakeAnalyzer, write_images
from tests.watch import REPOSITORY

IMAGE = REPOSITORY / "examples" / "images" / "synthetic_pigment_network_light_skin.jpg"


def test_a_path_names_the_record() -> None:
    for image in (IMAGE, str(IMAGE)):
        found = dermoscope.analyze(image)
        assert (found.image_id, found.path) == (IMAGE.stem, str(IMAGE))
        assert found.malignancy


def test_bytes_and_arrays_have_no_path() -> None:
    for image in (IMAGE.read_bytes(), np.zeros((30, 40, 3), np.uint8)):
        found = dermoscope.analyze(image)
        assert (found.image_id, found.path) == ("image", "")


def test_mode_operating_point_and_scale_reach_the_analysis(fast_analyzer: dermoscope.Analyzer) -> None:
    name = "malignancy (graz), sensitivity 0.90"
    found = dermoscope.analyze(IMAGE, mode="fast", operating_point=name, mm_per_pixel=0.02)
    _, mode = fast_analyzer.bundle.mode("fast")
    assert mode
    assert found.mode == "fast"
    assert found.malignancy
    assert found.malignancy.threshold == mode.points[name].threshold
    assert found.measures
    assert found.measures.diameter_mm == pytest.approx(0.02 * found.measures.diameter_px)
    with pytest.raises(ValueError, match="mm_per_pixel must be between"):
        dermoscope.analyze(IMAGE, mm_per_pixel=20)


class NoAnswerError(Exception):
    """In place of an analysis."""


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What was loaded, which answers nothing."""
    found: list[dict[str, Any]] = []

    class Silent:
        def analyze(self, *_: object, **__: object) -> None:
            raise NoAnswerError

    def counted(bundle: object, **options: Any) -> Silent:
        found.append({"bundle": bundle, **options})
        return Silent()

    monkeypatch.setattr(api, "load_analyzer", counted)
    api._loaded.cache_clear()
    yield found
    api._loaded.cache_clear()


def test_what_answers_in_turn_is_loaded_once(loads: list[dict[str, Any]]) -> None:
    point = "malignancy (graz), sensitivity 0.90"
    ways: tuple[dict[str, Any], ...] = (
        {},
        {"mode": "fast"},
        {"bundle": "fast"},
        {"mode": "fast", "operating_point": point},
    )
    for _ in range(3):
        for options in ways:
            with pytest.raises(NoAnswerError):
                dermoscope.analyze(IMAGE, **options)
    assert len(loads) == 4
    assert loads[0] == {"bundle": None, "mode": None, "operating_point": None}


def test_a_bundle_is_known_by_its_files_and_operating_points(loads: list[dict[str, Any]]) -> None:
    for _ in range(2):
        for bundle in (Bundle.default(), Bundle.default().at_operating_point("malignancy (graz), sensitivity 0.90")):
            with pytest.raises(NoAnswerError):
                dermoscope.analyze(IMAGE, bundle=bundle)
    first, second = (load["bundle"] for load in loads)
    assert first == Bundle.default() != second


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fake analyzer, which answers for whatever mode it is asked for."""

    def load(bundle: Path | None, **options: Any) -> FakeAnalyzer:
        settings = settings_of(
            mode=options["mode"] or str(bundle or ""),
            operating_point=options["operating_point"],
            engine=options.get("engine"),
            precision=options.get("precision", "auto"),
            max_pixels=options.get("max_pixels", MAX_PIXELS),
        )
        return FakeAnalyzer(settings=settings)

    monkeypatch.setattr(api, "load_analyzer", load)
    monkeypatch.setattr("dermoscope.analyzer.load_analyzer", load)
    monkeypatch.chdir(tmp_path)
    write_images(Path("photos"), 1)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"bundle": Path("fast")}, "option mode 'best', now 'fast'"),
        ({"mode": "fast"}, "option mode 'best', now 'fast'"),
        ({"mode": "best", "operating_point": "other"}, "option operating_point None, now 'other'"),
        ({"mode": "best", "mm_per_pixel": 0.02}, "option mm_per_pixel None, now 0.02"),
    ],
)
def test_answers_of_another_kind_are_not_mixed(options: dict[str, Any], difference: str) -> None:
    assert dermoscope.analyze_batch(["photos"], "out", bundle=Path("best")).done == 1
    with pytest.raises(BatchUsageError, match=difference):
        dermoscope.analyze_batch(["photos"], "out", **options)
    assert dermoscope.analyze_batch(["photos"], "out", mode="best").skipped == 1
    assert dermoscope.analyze_batch(["photos"], "out", **options, overwrite=True).done == 1


@pytest.mark.usefixtures("loaded")
def test_the_command_line_goes_on_where_python_stopped() -> None:
    options: dict[str, Any] = {"mode": "best", "operating_point": "other", "mm_per_pixel": 0.02}
    assert dermoscope.analyze_batch(["photos"], "out", **options).done == 1
    same = ["--mode", "best", "--operating-point", "other", "--mm-per-pixel", "0.02"]
    assert main(["analyze", "photos", "--out", "out", *same]) == 0
    assert main(["analyze", "photos", "--out", "out", *same[2:]]) == 2
    assert dermoscope.analyze_batch(["photos"], "out", **options).skipped == 1


def test_errors_are_those_of_the_analyzer(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.jpg"):
        dermoscope.analyze(tmp_path / "nowhere.jpg")
    with pytest.raises(BundleError, match="bundle"):
        dermoscope.analyze(IMAGE, bundle=tmp_path / "no-bundle")


def test_a_mask_by_itself_from_clicks_and_for_many(tmp_path: Path) -> None:
    found = dermoscope.segment_image(IMAGE)
    assert found.box
    assert dermoscope.segment_image(str(IMAGE), box=found.box).prompt == "box"
    with pytest.raises(PromptError, match="lies outside"):
        dermoscope.segment_image(IMAGE, points=[(1, 10**6)])
    summary = dermoscope.segment_batch([IMAGE, tmp_path / "gone.jpg"], tmp_path / "out", pictures=True)
    assert (summary.done, summary.failed) == (1, 1)
    assert (tmp_path / "out" / "masks" / f"{IMAGE.stem}.png").is_file()
    assert (tmp_path / "out" / "pictures" / f"{IMAGE.stem}.png").is_file()


def test_public_names() -> None:
    for name in dermoscope.__all__:
        assert getattr(dermoscope, name) is not None
    assert dermoscope.load is load_analyzer
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(dermoscope, "nonsense")  # noqa: B009  (the checker would object to the plain form)
