from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dermoscope.dicom import DicomExtraError, dicom_results, require_highdicom, writing
from dermoscope.images import ImageError
from tests import dicom_files as made
from tests.dicom.results import MODEL, analysis, lesion_mask
from tests.images.files import encoded, picture


def test_a_mask_and_an_analysis_make_two_files(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    path.write_bytes(made.dicom())
    assert set(dicom_results(path, MODEL, mask=lesion_mask(), analysis=analysis())) == {"seg.dcm", "sr.dcm"}
    assert set(dicom_results(path, MODEL, mask=lesion_mask())) == {"seg.dcm"}
    assert set(dicom_results(path, MODEL, mask=None, analysis=analysis(mask=False))) == {"sr.dcm"}


def test_other_formats_make_none(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded("PNG"))
    assert dicom_results(path, MODEL, mask=lesion_mask(), analysis=analysis()) == {}


def test_what_the_libraries_say_is_never_passed_on(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        logging.getLogger("highdicom.seg.sop").warning(made.SECRETS["PatientName"])
        raise ValueError(made.SECRETS["PatientName"])

    monkeypatch.setattr("dermoscope.dicom.segmentation.lesion_segmentation", fail)
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "scan"
    path.write_bytes(made.dicom())
    with pytest.raises(ImageError) as caught:
        dicom_results(path, MODEL, mask=lesion_mask(), analysis=analysis())
    assert caught.value.reason == "has attributes that no DICOM object can take over"
    assert caught.value.__suppress_context__
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_without_highdicom_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "find_spec", lambda _: None)
    with pytest.raises(DicomExtraError, match=r'pip install "dermoscope\[dicom\]"'):
        require_highdicom()


def test_pictures_of_another_size_are_a_plain_error(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    path.write_bytes(made.dicom(picture(200, 100)))
    with pytest.raises(ImageError, match="has attributes that no DICOM object can take over"):
        dicom_results(path, MODEL, mask=lesion_mask())
