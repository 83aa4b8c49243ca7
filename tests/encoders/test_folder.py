"""An exported encoder is read back only if nothing about it was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dermoscope.encoders.folder import (
    DESCRIPTION,
    GRAPH,
    EncoderDescription,
    EncoderFolder,
    EncoderFolderError,
    MapDescription,
    encoder_fingerprint,
)
from dermoscope.encoders.inputs import InputContract
from dermoscope.files import sha256_of

CONTRACT = InputContract(size=64, fit="pad", scaling="imagenet", map_size=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / GRAPH).write_bytes(b"graph")
    description = EncoderDescription(
        name="mobilesam",
        tag="x",
        contract=CONTRACT,
        maps=(MapDescription(channels=8, side=16), MapDescription(channels=256, side=4)),
        weights_sha256="ab",
        weight_type="float32",
        graph_sha256=sha256_of(tmp_path / GRAPH),
        fingerprint=encoder_fingerprint("ab", CONTRACT, "mobilesam"),
        licence="Apache-2.0",
        source="here",
        trained_on="nothing",
    )
    (tmp_path / DESCRIPTION).write_text(description.model_dump_json())
    return tmp_path


def change(folder: Path, **fields: Any) -> None:
    stored = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(stored | fields))


def test_it_is_read_back(folder: Path) -> None:
    loaded = EncoderFolder.load(folder)
    assert loaded.graph == folder / GRAPH
    assert loaded.description.channels == 256
    assert len(loaded.description.fingerprint) == 16


@pytest.mark.parametrize(
    "changed",
    [
        encoder_fingerprint("ac", CONTRACT, "mobilesam"),
        encoder_fingerprint("ab", CONTRACT, "litemedsam"),
        encoder_fingerprint("ab", CONTRACT.model_copy(update={"size": 128}), "mobilesam"),
        encoder_fingerprint("ab", CONTRACT.model_copy(update={"fit": "squash"}), "mobilesam"),
        encoder_fingerprint("ab", CONTRACT, "mobilesam", "float16"),
        encoder_fingerprint("ab", CONTRACT, "mobilesam", summaries_version=2),
        encoder_fingerprint("ab", CONTRACT, "mobilesam", code_version=2),
    ],
)
def test_whatever_decides_the_features_changes_the_fingerprint(changed: str) -> None:
    assert changed != encoder_fingerprint("ab", CONTRACT, "mobilesam")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"surprise": 1}, "surprise"),
        ({"weights_sha256": "ff"}, "fingerprint does not fit"),
        ({"fingerprint": "0" * 16}, "fingerprint does not fit"),
        ({"graph_sha256": "ff"}, r"encoder\.onnx does not match its sum"),
        ({"maps": "many"}, "maps"),
    ],
)
def test_a_changed_description_is_refused(fields: dict[str, Any], message: str, folder: Path) -> None:
    change(folder, **fields)
    with pytest.raises(EncoderFolderError, match=rf"{message}.*dermoscope models export-encoder"):
        EncoderFolder.load(folder)


@pytest.mark.parametrize(
    ("name", "message"), [(DESCRIPTION, r"holds no encoder\.json"), (GRAPH, r"encoder\.onnx is missing")]
)
def test_a_missing_file_is_named(name: str, message: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(EncoderFolderError, match=message):
        EncoderFolder.load(folder)
