from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dermoscope.features.columns import COLUMNS, SPATIAL, summaries
from dermoscope.features.encoder import arithmetic, column_shapes, compile_encoder, title_of
from dermoscope.features.extraction import WorkItem
from tests.features.tiny_encoder import decoded_or_fail, tiny_encoder, write_pictures


def test_shapes_are_those_the_graph_gives(tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    (record,) = write_pictures(tmp_path, 1)
    prepared = decoded_or_fail(WorkItem(0, record.path, ("original",))).inputs[0]
    encoded = compile_encoder(encoder)({"image": prepared.image, "pool_weights": prepared.pool_weights})
    found = summaries(encoded, prepared.pool_weights, (*COLUMNS, SPATIAL))
    assert {name: values.shape for name, values in found.items()} == dict(column_shapes(encoder.description))


def test_our_std_is_the_graph_s(tmp_path: Path) -> None:
    """The statistics of the embedding in the graph and the column made from the embedding are one thing."""
    encoder = tiny_encoder(tmp_path / "encoder", fit="pad")
    (record,) = write_pictures(tmp_path, 1)
    prepared = decoded_or_fail(WorkItem(0, record.path, ("original",))).inputs[0]
    graph = compile_encoder(encoder, precision="float32")
    encoded = graph({"image": prepared.image, "pool_weights": prepared.pool_weights})
    std = summaries(encoded, prepared.pool_weights, ("std",))["std"]
    assert std == pytest.approx(encoded["statistics"][0, len(std) :], rel=1e-4)


def test_title(tmp_path: Path) -> None:
    description = tiny_encoder(tmp_path).description
    assert title_of(description) == f"tiny at 32 px, squash (fingerprint {description.fingerprint})"


def test_arithmetic_names_engine_and_precision() -> None:
    assert arithmetic("onnxruntime", "auto") == "onnxruntime float32"
    assert arithmetic("openvino", "float32") == "openvino float32"
    assert arithmetic("openvino", "auto") in {"openvino bfloat16", "openvino float32"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_jobs_change_no_bit(jobs: int, tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    (record,) = write_pictures(tmp_path, 1)
    prepared = decoded_or_fail(WorkItem(0, record.path, ("original",))).inputs[0]
    inputs = {"image": prepared.image, "pool_weights": prepared.pool_weights}
    one, other = compile_encoder(encoder)(inputs), compile_encoder(encoder, jobs=jobs)(inputs)
    assert all(np.array_equal(one[name], other[name]) for name in one)
