from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dermoscope.features.extraction import Embedded, Failed, WorkItem, decode_views, encode_views, pixels_sha256
from dermoscope.images.symmetries import VIEWS, apply
from tests.features.tiny_encoder import CHANNELS, contract, decoded_or_fail, plain_graph, tiny_encoder, write_pictures


def test_the_hash_is_that_of_the_picture_not_of_the_file(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    for name in ("a.png", "b.bmp", "c.tiff"):
        Image.fromarray(pixels).save(tmp_path / name)
    found = [decoded_or_fail(WorkItem(0, path, ("original",))) for path in sorted(tmp_path.iterdir())]
    assert {one.pixels_sha256 for one in found} == {pixels_sha256(pixels)}
    assert len({one.file_sha256 for one in found}) == 3
    assert found[0].file_sha256 == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()


def test_the_hash_knows_shape_and_content() -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    other = pixels.copy()
    other[0, 0, 0] = 1
    assert len({pixels_sha256(one) for one in (pixels, pixels.reshape(30, 20, 3), other)}) == 3
    assert pixels_sha256(pixels[:, ::-1]) == pixels_sha256(pixels)


def test_views_are_made_before_the_resize(tmp_path: Path) -> None:
    (record,) = write_pictures(tmp_path, 1)
    decoded = decoded_or_fail(WorkItem(3, record.path, VIEWS))
    assert len(decoded.inputs) == len(VIEWS)
    original = decoded.inputs[0].image[0]
    for view, prepared in zip(VIEWS, decoded.inputs, strict=True):
        turned = apply(original.transpose(1, 2, 0), view).transpose(2, 0, 1)
        assert np.array_equal(prepared.image[0], turned), view


def test_one_row_a_view(tmp_path: Path) -> None:
    (record,) = write_pictures(tmp_path, 1)
    outcome = encode_views(decoded_or_fail(WorkItem(3, record.path, VIEWS)), plain_graph, ("mean", "std", "spatial"))
    assert isinstance(outcome, Embedded)
    assert {name: values.shape for name, values in outcome.columns.items()} == {
        "mean": (len(VIEWS), CHANNELS),
        "std": (len(VIEWS), CHANNELS),
        "spatial": (len(VIEWS), CHANNELS, 4, 4),
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "does not exist"), (b"", "is empty"), (b"GIF89a", "is a GIF"), (b"\xff\xd8\xff\xe0" + bytes(9), "")],
)
def test_a_bad_file_is_an_outcome(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad\n.jpg"
    if content is not None:
        path.write_bytes(content)
    failed = decode_views(WorkItem(0, path, ("original",)), contract())
    assert isinstance(failed, Failed)
    assert reason in failed.reason
    assert "\n" not in failed.line
    assert failed.line.startswith(str(tmp_path))


def test_values_that_are_no_numbers_are_not_stored(tmp_path: Path) -> None:
    (record,) = write_pictures(tmp_path, 1)

    def broken(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {name: values * np.nan for name, values in plain_graph(inputs).items()}

    outcome = encode_views(decoded_or_fail(WorkItem(0, record.path, ("original",))), broken, ("mean",))
    assert isinstance(outcome, Failed)
    assert "no numbers" in outcome.reason


def test_batches_change_no_bit(tmp_path: Path) -> None:
    """Why one image at a time gives what any other way would give."""
    from dermoscope.features.encoder import compile_encoder

    graph = compile_encoder(tiny_encoder(tmp_path / "encoder"))
    inputs = [decoded_or_fail(WorkItem(0, one.path, ("original",))).inputs[0] for one in write_pictures(tmp_path, 6)]
    together = graph(
        {
            "image": np.concatenate([one.image for one in inputs]),
            "pool_weights": np.concatenate([one.pool_weights for one in inputs]),
        }
    )
    for number, one in enumerate(inputs):
        alone = graph({"image": one.image, "pool_weights": one.pool_weights})
        for name, values in alone.items():
            assert np.array_equal(values[0], together[name][number]), name
