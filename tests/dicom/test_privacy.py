"""What identifies a patient stays in DICOM files: planted names are looked for in everything else that is written."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dermoscope.cli import main
from dermoscope.images import decode
from tests import dicom_files as made
from tests.watch import REPOSITORY

IDENTIFYING = (*made.SECRETS.values(), made.PRIVATE_SECRET)


def secrets_of(ds: Dataset) -> list[bytes]:
    """Every planted text and its parts, as a file may hold them, and the UIDs of the object."""
    texts = {part for text in IDENTIFYING for part in (text, *re.split(r"[\^ ]", text)) if len(part) > 3}
    uids = {str(ds[f"{what}InstanceUID"].value) for what in ("SOP", "Series", "Study")}
    return [text.encode(code) for text in sorted(texts | uids) for code in ("utf-8", "utf-16-le")]


def patient() -> Dataset:
    """A picture with everything about a patient, also inside sequences and at the end of the data."""
    ds = made.dicom_data_set(decode(REPOSITORY / "examples/images/synthetic_pigment_network_light_skin.jpg").rgb)
    nested = Dataset()
    nested.PatientName, nested.PatientID = made.SECRETS["PatientName"], made.SECRETS["PatientID"]
    ds.OtherPatientIDsSequence = Sequence([nested])
    return ds


def write_archive(folder: Path, ds: Dataset) -> None:
    """Good files under several names, and whatever can go wrong."""
    folder.mkdir()
    content = made.saved(ds)
    names = made.SECRETS["PatientName"].encode()
    contents = {
        "IM0001": content,
        "scan.dcm": made.saved(ds),
        "1.2.276.0.1": content,
        "cut.dcm": content[: len(content) // 2],
        "cut-header.dcm": content[: content.index(names) + 8],
        "wrong-length.dcm": content.replace(b"\x08\0\x60\0CS\x04\0", b"\x08\0\x60\0CS\xff\xff"),
        "wrong-spacing.dcm": content.replace(b"\x28\0\x02\0US\x02\0\x03\0", b"\x28\0\x30\0DS\x02\0" + names[:2]),
        "wrong-date.dcm": content.replace(b"19370311", names[:8]),
        "no-study.dcm": content.replace(b"\x20\0\x0d\0UI", b"\x20\0\x0c\0UI"),
        "syntax.dcm": content.replace(b"1.2.840.10008.1.2.1\0", (names * 2)[:20], 1),
        "DICOMDIR": content,
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)


def written(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "dicom" not in path.relative_to(folder).parts:
            yield path


@pytest.mark.slow  # two models are loaded and draw every picture
@pytest.mark.parametrize("command", [["analyze", "--dicom"], ["segment", "--pictures", "--json"]])
def test_planted_names_are_found_in_dicom_files_only(
    tmp_path: Path, command: list[str], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ds = patient()
    write_archive(tmp_path / "archive", ds)
    out = tmp_path / "out"
    code = main([command[0], str(tmp_path / "archive"), "--out", str(out), "--jobs", "1", *command[1:]])
    assert code == 3
    said = capfd.readouterr()
    aloud = (said.out + said.err + "\n".join(record.getMessage() for record in caplog.records)).encode()
    for secret in secrets_of(ds):
        assert secret not in aloud
        for path in written(out):
            assert secret not in path.read_bytes(), path.name
    lines = (out / f"{'results' if command[0] == 'analyze' else 'segments'}.csv").read_text()
    assert lines.count(",done,") >= 3
    assert "DICOMDIR" not in lines
    for path in out.glob("*/*.png"):
        with Image.open(path) as picture:
            assert not picture.info
    if "--dicom" in command:
        for ending in ("seg.dcm", "sr.dcm") if command[0] == "analyze" else ("seg.dcm",):
            results = list((out / "dicom").glob(f"*.{ending}"))
            assert {path.name for path in results} >= {f"IM0001.{ending}", f"scan.{ending}"}
            for path in results:
                result = dcmread(path)
                assert result.PatientID == ds.PatientID
                assert made.PRIVATE_SECRET.encode() not in path.read_bytes()
        assert "no-study.dcm" in lines and "has no StudyInstanceUID" in lines
    else:
        assert not (out / "dicom").exists()
