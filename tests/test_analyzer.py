"""The shipped model from file to answer, on the synthetic example images."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dermoscope import taxonomy
from dermoscope.abstention import NOT_SKIN_REASON
from dermoscope.analysis import Analysis
from dermoscope.analyzer import Analyzer, Outcome, load_analyzer
from dermoscope.bundle import Bundle
from dermoscope.bundle_shelf import MODES
from dermoscope.engine import EngineError
from dermoscope.images import ImageError, grain_level
from dermoscope.model_folder import BundleError, write_sums
from tests.dicom_files import dicom_data_set, saved
from tests.watch import REPOSITORY

IMAGES = sorted((REPOSITORY / "examples" / "images").iterdir())
SKIN = [path for path in IMAGES if "not_skin" not in path.name]
LESIONS = [path for path in SKIN if "no_lesion" not in path.name]
NOT_SKIN = [path for path in IMAGES if "not_skin" in path.name]
ONE = next(path for path in SKIN if "network_light" in path.name)


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return load_analyzer(engine="openvino", precision="float32", threads=1, streams=2)


@pytest.fixture(scope="module")
def outcomes(analyzer: Analyzer) -> dict[Path, Outcome]:
    return {path: analyzer.analyze(path, image_id=path.stem, path=path.name) for path in IMAGES}


def rgb_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def numbers(analysis: Analysis) -> list[float]:
    assert analysis.gate
    assert analysis.malignancy
    assert analysis.p_melanoma is not None
    probabilities = [*analysis.diagnosis.values(), *analysis.group.values()]
    return [*probabilities, analysis.gate.p_skin, analysis.malignancy.probability, analysis.p_melanoma]


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
def test_every_record_is_consistent(path: Path, outcomes: dict[Path, Outcome]) -> None:
    found = outcomes[path].analysis
    assert (found.image_id, found.path, found.status, found.reason) == (path.stem, path.name, "done", "")
    assert sum(found.diagnosis.values()) == pytest.approx(1)
    assert sum(found.group.values()) == pytest.approx(1)
    assert tuple(found.diagnosis) == taxonomy.HAM10000_CODES
    assert tuple(found.group) == taxonomy.GROUPS
    assert all(0 <= number <= 1 for number in numbers(found))
    assert found.malignancy
    assert found.p_melanoma is not None
    assert found.p_melanoma <= found.malignancy.probability
    assert found.malignancy.flagged == (found.malignancy.probability >= found.malignancy.threshold)
    assert found.gate
    assert found.gate.is_skin == (found.gate.p_skin >= found.gate.threshold)
    assert found.bundle == Bundle.default().fingerprint
    assert {"decode", "quality", "encode", "classify"} <= set(found.timings_ms)
    assert all(milliseconds >= 0 for milliseconds in found.timings_ms.values())
    assert outcomes[path].picture is None
    assert Analysis.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("path", LESIONS, ids=lambda path: path.stem)
def test_the_mask_box_area_and_outline_agree(path: Path, outcomes: dict[Path, Outcome]) -> None:
    found, mask = outcomes[path].analysis, outcomes[path].mask
    height, width = rgb_of(path).shape[:2]
    assert (found.width, found.height) == (width, height)
    assert found.gate
    assert found.gate.is_skin
    assert not found.abstained
    assert {"segment", "mask"} <= set(found.timings_ms)
    assert mask is not None
    assert found.mask
    assert mask.shape == (height, width)
    assert mask.dtype == np.bool_
    rows, columns = np.nonzero(mask)
    assert found.mask.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert found.mask.area_fraction == pytest.approx(mask.mean())
    assert 0 < found.mask.confidence < 1
    drawn = np.zeros((height, width), np.uint8)
    cv2.fillPoly(drawn, [np.array(polygon) for polygon in found.mask.outline], 1)
    assert np.count_nonzero(mask & (drawn > 0)) / np.count_nonzero(mask | (drawn > 0)) > 0.95
    assert found.mask.prompt in {candidate.prompt for candidate in found.mask.candidates}


@pytest.mark.parametrize("path", LESIONS, ids=lambda path: path.stem)
def test_the_lesion_is_measured(path: Path, outcomes: dict[Path, Outcome]) -> None:
    found = outcomes[path].analysis
    assert found.mask
    assert found.measures
    left, top, right, bottom = found.mask.box
    width, height = right - left, bottom - top
    assert max(width, height) <= found.measures.diameter_px <= np.hypot(width, height)
    mask = outcomes[path].mask
    assert mask is not None
    area = np.count_nonzero(mask)
    assert found.measures.equivalent_diameter_px == pytest.approx(np.sqrt(4 * area / np.pi))
    assert 0 <= found.measures.asymmetry <= 1
    assert 1 <= found.measures.border_irregularity < 3
    assert set(found.measures.colours) <= set(found.measures.colour_shares)
    assert found.measures.diameter_mm is None
    assert found.measures.spacing_mm is None
    assert "measure" in found.timings_ms


def test_a_known_spacing_gives_millimetres(analyzer: Analyzer) -> None:
    found = analyzer.analyze(ONE, spacing_mm=(0.02, 0.02)).analysis.measures
    assert found
    assert found.diameter_mm == pytest.approx(0.02 * found.diameter_px)
    assert found.spacing_mm == (0.02, 0.02)


def test_it_is_known_without_a_lesion_too(fast_analyzer: Analyzer) -> None:
    found = fast_analyzer.analyze(NOT_SKIN[0], spacing_mm=(0.02, 0.02)).analysis
    assert found.measures is None
    assert found.spacing_mm == (0.02, 0.02)


def test_the_spacing_of_the_file_counts(fast_analyzer: Analyzer) -> None:
    scan = dicom_data_set(rgb_of(ONE))
    scan.PixelSpacing = [0.03, 0.05]
    measured = fast_analyzer.analyze(saved(scan), spacing_mm=(0.02, 0.02)).analysis.measures
    assert measured
    assert measured.spacing_mm == (0.03, 0.05)


@pytest.mark.parametrize("mode", MODES)
def test_the_name_of_a_mode_stands_for_the_shipped_bundle(
    mode: str, fast_analyzer: Analyzer, analyzer: Analyzer
) -> None:
    loaded = {"fast": fast_analyzer, "best": load_analyzer("best", precision="float32", threads=1)}[mode]
    assert (loaded.mode, loaded.describe()["mode"]) == (mode, mode)
    assert loaded.bundle.fingerprint == Bundle.default().fingerprint
    answers = loaded.analyze(ONE).analysis
    assert answers.mode == mode
    assert (answers.diagnosis == pytest.approx(analyzer.analyze(ONE).analysis.diagnosis)) == (mode == analyzer.mode)


def test_a_bundle_may_be_loaded_already(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = Bundle.default()
    bundle = Bundle(shipped.folder, shipped.description, "0123456789abcdef")
    monkeypatch.setattr(Bundle, "load", None)
    loaded = load_analyzer(bundle, mode="fast", threads=1)
    assert loaded.bundle is bundle
    assert loaded.mode == "fast"
    assert loaded.analyze(ONE).analysis.bundle == "0123456789abcdef"


def test_an_operating_point_decides_what_is_flagged(fast_analyzer: Analyzer) -> None:
    _, mode = fast_analyzer.bundle.mode("fast")
    assert mode
    (name, point), *_ = mode.malignancy_points.items()
    risk = fast_analyzer.analyze(ONE).analysis.malignancy
    assert risk
    # So that the one image is flagged at the mode's own point and not at the other.
    points = {name: point.model_copy(update={"threshold": min(1.0, risk.probability + 0.01)})}
    own = point.model_copy(update={"threshold": risk.probability / 2})
    modes = {"fast": mode.model_copy(update={"malignancy_point": own, "points": points})}
    shipped = fast_analyzer.bundle
    bundle = Bundle(shipped.folder, shipped.description.model_copy(update={"modes": modes}), shipped.fingerprint)
    for chosen, flagged, threshold in ((None, True, own.threshold), (name, False, points[name].threshold)):
        analyzer = load_analyzer(bundle, operating_point=chosen)
        assert analyzer.settings["operating_point"] == chosen
        said = analyzer.analyze(ONE).analysis.malignancy
        assert said
        assert said.probability == pytest.approx(risk.probability, abs=1e-3)
        assert (said.flagged, said.threshold) == (flagged, threshold)
        assert said.operating_point == point.meaning
    with pytest.raises(BundleError, match=f"it has: {re.escape(name)}"):
        load_analyzer(bundle, operating_point="sensitivity 0.80")


def test_what_decides_is_recorded_whoever_chose_it(fast_analyzer: Analyzer) -> None:
    shipped, other = fast_analyzer.bundle, "malignancy (graz), sensitivity 0.90"
    own = shipped.operating_point("fast")
    named = load_analyzer(shipped, mode="fast", operating_point=own)
    assert named.settings == load_analyzer(shipped, mode="fast").settings
    assert named.settings["operating_point"] == own != other
    chosen = shipped.at_operating_point(other, "fast")
    assert load_analyzer(chosen, mode="fast").settings["operating_point"] == other


def test_skin_without_a_lesion_gets_no_mask_and_at_most_a_doubtful_answer(outcomes: dict[Path, Outcome]) -> None:
    (path,) = set(SKIN) - set(LESIONS)
    found = outcomes[path].analysis
    assert found.gate
    assert found.gate.is_skin
    assert found.mask is None
    assert found.measures is None
    assert outcomes[path].mask is None
    assert found.malignancy
    assert not found.malignancy.flagged
    assert found.abstain_reason in ("", "no diagnosis is probable enough")
    assert "segment" in found.timings_ms


@pytest.mark.parametrize("path", NOT_SKIN, ids=lambda path: path.stem)
def test_what_is_no_skin_gets_no_mask_and_no_answer(path: Path, outcomes: dict[Path, Outcome]) -> None:
    found = outcomes[path].analysis
    assert found.gate
    assert not found.gate.is_skin
    assert found.mask is None
    assert outcomes[path].mask is None
    assert found.abstained
    assert found.abstain_reason == NOT_SKIN_REASON
    assert "segment" not in found.timings_ms
    assert found.diagnosis, "probabilities are filled also where the answer is withheld"


def test_path_text_bytes_and_array_give_one_answer(analyzer: Analyzer, outcomes: dict[Path, Outcome]) -> None:
    path = next(path for path in SKIN if path.suffix == ".jpg")
    lossless = io.BytesIO()
    Image.fromarray(rgb_of(path)).save(lossless, "PNG")
    expected = outcomes[path]
    for source in (str(path), path.read_bytes()):
        found = analyzer.analyze(source)
        assert numbers(found.analysis) == numbers(expected.analysis)
        assert found.mask is not None
        assert expected.mask is not None
        assert np.array_equal(found.mask, expected.mask)
    array, png = analyzer.analyze(rgb_of(path)), analyzer.analyze(lossless.getvalue())
    assert numbers(array.analysis) == numbers(png.analysis)
    # JPEG decoders may differ by a grey value.
    np.testing.assert_allclose(numbers(array.analysis), numbers(expected.analysis), atol=0.01)


def test_a_view_of_an_array_is_its_copy(analyzer: Analyzer) -> None:
    view = rgb_of(ONE)[::-1, ::-1]
    assert numbers(analyzer.analyze(view).analysis) == numbers(analyzer.analyze(view.copy()).analysis)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((1, 10, 10, 3), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 0, 3), np.uint8),
    ],
    ids=lambda array: f"{array.shape} {array.dtype}",
)
def test_an_array_that_is_no_image_is_refused(array: NDArray[np.uint8], analyzer: Analyzer) -> None:
    with pytest.raises(ImageError, match=r"not \[H, W, 3\] of uint8"):
        analyzer.analyze(array)


def test_a_broken_file_is_refused(analyzer: Analyzer, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"hello")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        analyzer.analyze(tmp_path / "broken.jpg")


def test_pixels_are_limited_by_the_header() -> None:
    small = load_analyzer(engine="onnxruntime", max_pixels=1000)
    with pytest.raises(ImageError, match=r"1,?000"):
        small.analyze(ONE)


@pytest.mark.parametrize("shape", [(1, 1), (3, 300), (40, 30)])
def test_tiny_images_are_survived(shape: tuple[int, int], analyzer: Analyzer) -> None:
    found = analyzer.analyze(np.full((*shape, 3), (210, 160, 140), np.uint8), picture=True)
    assert (found.analysis.height, found.analysis.width) == shape
    assert all(np.isfinite(numbers(found.analysis)))


def test_four_threads_say_what_one_says(analyzer: Analyzer, outcomes: dict[Path, Outcome]) -> None:
    paths = [*SKIN[:3], NOT_SKIN[0]] * 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(analyzer.analyze, paths))
    for path, outcome in zip(paths, found, strict=True):
        assert numbers(outcome.analysis) == numbers(outcomes[path].analysis)
        assert outcome.analysis.mask == outcomes[path].analysis.mask


def test_grain_changes_answers_little_and_pictures_show_it(
    analyzer: Analyzer, outcomes: dict[Path, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = rgb_of(ONE)
    noisy = (clean + np.random.default_rng(0).normal(0, 16, clean.shape)).clip(0, 255).astype(np.uint8)

    def change(outcome: Outcome) -> float:
        before, after = (np.log(np.array(numbers(one.analysis)[:7])) for one in (outcomes[ONE], outcome))
        return float(np.abs(after - before).mean())

    smoothed = analyzer.analyze(noisy, picture=True, keep_open=True)
    monkeypatch.setattr("dermoscope.mask_model.without_grain", lambda rgb, _level: rgb)
    as_it_is = analyzer.analyze(noisy)
    assert change(smoothed) < 0.5 * change(as_it_is)
    assert "grainy" in smoothed.analysis.quality
    assert smoothed.opened
    assert smoothed.opened.rgb is noisy
    assert grain_level(smoothed.opened.smoothed) < 8 < grain_level(noisy)
    assert smoothed.picture is not None
    assert grain_level(smoothed.picture[: clean.shape[0], : clean.shape[1]]) > 0


def test_a_round_frame_is_nothing_strange(analyzer: Analyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    lesion = rgb_of(ONE)
    height, width = lesion.shape[:2]
    y, x = np.ogrid[:height, :width]
    framed = lesion * (np.hypot(y - height / 2, x - width / 2) < height / 2)[..., None].astype(np.uint8)
    painted = analyzer.analyze(framed).analysis
    monkeypatch.setattr("dermoscope.mask_model.without_frame", lambda rgb, _view: rgb)
    as_it_is = analyzer.analyze(framed).analysis
    assert painted.out_of_distribution
    assert as_it_is.out_of_distribution
    assert painted.out_of_distribution < 0.8 * as_it_is.out_of_distribution
    assert painted.gate
    assert painted.gate.is_skin


def test_both_engines_agree(outcomes: dict[Path, Outcome]) -> None:
    other = load_analyzer(engine="onnxruntime", threads=1)
    for path in (*SKIN[:3], NOT_SKIN[0]):
        found = other.analyze(path).analysis
        np.testing.assert_allclose(numbers(found), numbers(outcomes[path].analysis), atol=1e-3)
        assert (found.mask is None) == (outcomes[path].analysis.mask is None)


@pytest.mark.parametrize("path", [SKIN[0], NOT_SKIN[0]], ids=["skin", "not skin"])
def test_a_picture_on_request(path: Path, analyzer: Analyzer) -> None:
    outcome = analyzer.analyze(path, picture=True)
    assert outcome.picture is not None
    assert outcome.picture.dtype == np.uint8
    assert outcome.picture.ndim == 3
    assert "picture" in outcome.analysis.timings_ms
    assert (outcome.analysis.evidence is not None) == (path == SKIN[0])


def test_the_networks_of_a_mode_tell_where_the_risk_comes_from_without_being_asked(
    analyzer: Analyzer, outcomes: dict[Path, Outcome]
) -> None:
    found = outcomes[ONE]
    assert found.picture is None
    assert "evidence" in found.analysis.timings_ms
    evidence = found.analysis.evidence
    assert evidence
    assert max(len(evidence.grid), len(evidence.grid[0])) == 14
    assert evidence.share_inside is not None
    assert 0 <= evidence.share_inside <= 1
    assert evidence.warning == "", "its evidence is on the lesion"
    assert analyzer.analyze(ONE, evidence=True, picture=True).analysis.evidence == evidence
    assert outcomes[NOT_SKIN[0]].analysis.evidence is None


def with_description(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Analyzer:
    """An analyzer with a copy of the shipped bundle without modes, whose description was changed."""
    folder = shutil.copytree(Bundle.default().folder, tmp_path / "bundle")
    description = json.loads((folder / "bundle.json").read_text()) | {"modes": {}}
    change(description)
    (folder / "bundle.json").write_text(json.dumps(description))
    write_sums(folder)
    return load_analyzer(folder, engine="openvino", precision="float32", threads=1)


@pytest.fixture
def before(tmp_path: Path) -> Analysis:
    """What the heads say by themselves."""
    return with_description(tmp_path / "before", lambda _: None).analyze(ONE).analysis


def test_the_heads_alone_tell_where_the_risk_comes_from_on_request(tmp_path: Path, before: Analysis) -> None:
    assert before.evidence is None
    assert "evidence" not in before.timings_ms
    found = with_description(tmp_path, lambda _: None).analyze(ONE, evidence=True)
    assert found.picture is None
    assert found.analysis.evidence
    assert found.analysis.evidence.share_inside is not None
    assert "evidence" in found.analysis.timings_ms
    assert numbers(found.analysis) == numbers(before)


def test_without_a_group_head_groups_come_from_the_diagnoses(tmp_path: Path, before: Analysis) -> None:
    found = with_description(tmp_path, lambda bundle: bundle["heads"].pop("group")).analyze(ONE).analysis
    assert found.diagnosis == before.diagnosis
    assert found.group == taxonomy.group_probabilities(before.diagnosis)
    assert found.group != before.group


def test_a_calibrated_bundle_lists_the_diagnoses_that_remain(tmp_path: Path, before: Analysis) -> None:
    def calibrate(bundle: dict[str, Any]) -> None:
        part = {"method": "lac", "coverage": 0.9, "thresholds": [0.95] * 7, "class_conditional": False}
        bundle["heads"]["diagnosis"]["conformal"] = part | {"images": [10] * 7}
        bundle["abstention"] = {"largest_set": 1, "least_evidence_inside": 0.0}

    found = with_description(tmp_path, calibrate).analyze(ONE).analysis
    assert before.prediction_set is None
    assert found.prediction_set
    expected = [code for code, p in sorted(before.diagnosis.items(), key=lambda one: -one[1]) if p >= 0.05]
    assert list(found.prediction_set.codes) == expected
    assert found.abstained == (len(expected) > 1)
    assert found.evidence is not None, "a rule about the evidence needs it"


def test_a_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere is not a bundle folder"):
        load_analyzer(tmp_path / "nowhere")


def test_numbers_that_are_not_finite_are_an_error_and_not_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    analyzer = load_analyzer()
    encode = analyzer._model._encoder
    monkeypatch.setattr(
        analyzer._model, "_encoder", lambda given: {name: value * np.nan for name, value in encode(given).items()}
    )
    with pytest.raises(EngineError, match="not finite on this machine"):
        analyzer.analyze(np.full((64, 64, 3), 180, np.uint8))
