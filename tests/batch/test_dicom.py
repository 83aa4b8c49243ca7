"""A batch over DICOM files, with an analyzer that decodes for real and makes the rest up."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from dermoscope.batch import BatchUsageError, analyze_batch, read_results
from dermoscope.batch.inputs import count_inputs, find_inputs
from dermoscope.images import decode
from tests import dicom_files as made
from tests.batch.fake_analyzer import NO_SETTINGS, FakeBundle, FakeOutcome
from tests.dicom.results import analysis, lesion_mask
from tests.images.files import encoded, picture


class Decoding:
    """Finds the same lesion in every picture that is not white."""

    bundle = FakeBundle()
    settings = NO_SETTINGS

    def analyze(
        self,
        source: Path,
        *,
        image_id: str,
        path: str,
        frame: int,
        picture: bool,
        spacing_mm: tuple[float, float] | None,  # noqa: ARG002 - as the real one
    ) -> FakeOutcome:
        """Analyse one image."""
        rgb = decode(source, frame=frame).rgb
        found = bool(rgb.min() < 255)
        record = analysis(mask=found).model_copy(update={"image_id": image_id, "path": path})
        return FakeOutcome(record, lesion_mask() if found else None, rgb if picture else None)


def archive(folder: Path) -> Path:
    (folder / "1").mkdir(parents=True)
    (folder / "IM0001").write_bytes(made.dicom())
    (folder / "1" / "1.2.840.113619.2").write_bytes(made.dicom())
    (folder / "1" / "scan.DCM").write_bytes(made.dicom())
    (folder / "1" / "photo.png").write_bytes(encoded("PNG"))
    (folder / "1" / "README").write_text("nothing to see")
    (folder / "1" / "1.2.840.1").write_text("no image under a UID")
    (folder / "DICOMDIR").write_bytes(made.dicom())
    (folder / "data.bin").write_bytes(made.dicom())
    return folder


def test_what_a_folder_holds(tmp_path: Path) -> None:
    root = archive(tmp_path / "archive")
    found = [Path(one.path).relative_to(root).as_posix() for one in find_inputs([root])]
    assert found == ["IM0001", "1/1.2.840.113619.2", "1/photo.png", "1/scan.DCM"]
    assert count_inputs([root]) == 4
    assert [one.path for one in find_inputs([root / "data.bin"])] == [str(root / "data.bin")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_without_an_extension_is_not_waited_for(tmp_path: Path) -> None:
    root = archive(tmp_path / "archive")
    os.mkfifo(root / "pipe")
    assert count_inputs([root]) == 4


def test_dicom_files_beside_the_other_results(tmp_path: Path) -> None:
    root, out = archive(tmp_path / "archive"), tmp_path / "out"
    summary = analyze_batch([root], out, Decoding(), pictures=False, dicom=True)
    assert (summary.done, summary.failed) == (4, 0)
    assert {path.name for path in (out / "dicom").iterdir()} == {
        f"{name}.{ending}" for name in ("IM0001", "1.2.840.113619", "scan") for ending in ("seg.dcm", "sr.dcm")
    }
    source, mask = dcmread(root / "IM0001"), dcmread(out / "dicom" / "IM0001.seg.dcm")
    assert mask.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert np.array_equal(mask.pixel_array.astype(bool), lesion_mask())
    assert mask.SoftwareVersions and mask.ManufacturerModelName == "fake 1"
    assert count_inputs([out]) == 1, "results are not searched for images"


def test_without_the_option_there_are_none(tmp_path: Path) -> None:
    analyze_batch([archive(tmp_path / "archive")], tmp_path / "out", Decoding())
    assert not (tmp_path / "out" / "dicom").exists()
    with pytest.raises(BatchUsageError, match="option dicom False, now True"):
        analyze_batch([tmp_path / "archive"], tmp_path / "out", Decoding(), dicom=True)


def test_what_an_earlier_result_left_is_removed(tmp_path: Path) -> None:
    scan, out = tmp_path / "scan.dcm", tmp_path / "out"
    scan.write_bytes(made.dicom())
    analyze_batch([scan], out, Decoding(), dicom=True)
    scan.write_bytes(made.dicom(np.full_like(picture(), 255)))
    analyze_batch([scan], out, Decoding(), dicom=True)
    assert [path.name for path in (out / "dicom").iterdir()] == ["scan.sr.dcm"]
    analyze_batch([scan], out, Decoding(), overwrite=True)
    assert not (out / "dicom").exists()


def test_an_image_that_nothing_can_refer_to_is_a_failed_row(tmp_path: Path) -> None:
    ds = made.dicom_data_set(picture())
    del ds.StudyInstanceUID
    (tmp_path / "scan.dcm").write_bytes(made.saved(ds, is_valid=False))
    analyze_batch([tmp_path / "scan.dcm"], tmp_path / "out", Decoding(), dicom=True)
    (row,) = read_results(tmp_path / "out" / "results.jsonl")
    assert row.reason == "has no StudyInstanceUID, so that no DICOM object can refer to it"
    assert not any((tmp_path / "out" / "dicom").iterdir())


def test_a_frame_by_its_number(tmp_path: Path) -> None:
    white = np.full_like(picture(), 255)
    scan = tmp_path / "scan.dcm"
    scan.write_bytes(made.saved(made.with_pixels(made.data_set(made.TRUE_COLOUR), [white, picture()])))
    for frame, status in ((1, "sr.dcm"), (2, "seg.dcm")):
        out = tmp_path / str(frame)
        analyze_batch([scan], out, Decoding(), frame=frame, dicom=True)
        assert (out / "dicom" / f"scan.{status}").exists()
        assert (out / "dicom" / "scan.seg.dcm").exists() == (frame == 2)
    mask = dcmread(tmp_path / "2" / "dicom" / "scan.seg.dcm")
    assert mask.SourceImageSequence[0].ReferencedFrameNumber == 2
    analyze_batch([scan], tmp_path / "3", Decoding(), frame=3)
    (row,) = read_results(tmp_path / "3" / "results.jsonl")
    assert row.reason == "has 2 frames; there is no frame 3"
