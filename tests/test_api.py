from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dermoscope
from dermoscope import api
from dermoscope.analyzer import load_analyzer
from dermoscope.images import ImageError
from dermoscope.model_folder import BundleError
from dermoscope.segment.user_prompts import PromptError
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


def test_the_bundle_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path | None] = []

    def counted(bundle: Path | None) -> dermoscope.Analyzer:
        loads.append(bundle)
        return load_analyzer(bundle, engine="onnxruntime")

    monkeypatch.setattr(api, "load_analyzer", counted)
    api._loaded.cache_clear()
    try:
        dermoscope.analyze(IMAGE)
        dermoscope.analyze(IMAGE)
    finally:
        api._loaded.cache_clear()
    assert loads == [None]


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
