"""An encoder of a few hundred weights in the layout of an exported one, and pictures to try it on."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import DESCRIPTION, GRAPH, EncoderDescription, EncoderFolder, MapDescription
from dermoscope.encoders.inputs import Fit, InputContract
from dermoscope.engine import Graph
from dermoscope.features.extraction import Decoded, Failed, Outcome, WorkItem, decode_views, encode_views
from dermoscope.files import sha256_of

SIZE, CELLS, CHANNELS = 32, 4, 8


def contract(fit: Fit = "squash") -> InputContract:
    """What the tiny encoder wants."""
    return InputContract(size=SIZE, fit=fit, scaling="imagenet", map_size=CELLS)


def tiny_encoder(folder: Path, *, weights: str = "a", fit: Fit = "squash") -> EncoderFolder:
    """Write the folder of a tiny encoder; other `weights` make another one."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_graph(folder / GRAPH, seed=ord(weights))
    description = EncoderDescription(
        name="tiny",
        tag="test",
        contract=contract(fit),
        maps=(MapDescription(channels=CHANNELS, side=CELLS),),
        weights_sha256=weights * 64,
        weight_type="float32",
        graph_sha256=sha256_of(folder / GRAPH),
        fingerprint="",
        licence="none",
        source="a test",
        trained_on="nothing",
    )
    description = description.model_copy(update={"fingerprint": description.expected_fingerprint()})
    (folder / DESCRIPTION).write_text(description.model_dump_json(), encoding="utf-8")
    return EncoderFolder.load(folder)


def _write_graph(path: Path, seed: int) -> None:
    kernel = np.random.default_rng(seed).normal(0, 0.1, (CHANNELS, 3, 8, 8)).astype(np.float32)
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["embedding"], strides=[8, 8]),
        helper.make_node("Mul", ["embedding", "pool_weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axes"], ["feature"], keepdims=0),
        helper.make_node("ReduceSum", ["weighted", "axes"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["embedding", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["squared"]),
        helper.make_node("Mul", ["squared", "pool_weights"], ["shares"]),
        helper.make_node("ReduceSum", ["shares", "axes"], ["variance"], keepdims=0),
        helper.make_node("Sqrt", ["variance"], ["deviation"]),
        helper.make_node("Concat", ["feature", "deviation"], ["statistics"], axis=1),
    ]
    shapes: dict[str, Sequence[str | int]] = {
        "image": ["n", 3, SIZE, SIZE],
        "pool_weights": ["n", 1, CELLS, CELLS],
        "embedding": ["n", CHANNELS, CELLS, CELLS],
        "feature": ["n", CHANNELS],
        "statistics": ["n", 2 * CHANNELS],
    }
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [values["image"], values["pool_weights"]],
        [values["embedding"], values["feature"], values["statistics"]],
        [numpy_helper.from_array(kernel, "kernel"), axes],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def plain_graph(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """An encoder without an engine: the image in cells, and what summaries say of them."""
    blocks = inputs["image"].reshape(1, 3, CELLS, SIZE // CELLS, CELLS, SIZE // CELLS)
    cells = (blocks * np.linspace(1, 2, SIZE // CELLS)).mean(axis=(3, 5))  # left and right differ
    embedding = np.concatenate([cells, -cells, cells[:, :2] ** 2], axis=1).astype(np.float32)
    feature = (embedding * inputs["pool_weights"]).sum(axis=(2, 3))
    return {"embedding": embedding, "feature": feature, "statistics": np.concatenate([feature, feature], axis=1)}


@dataclass
class InlineEngine:
    """Runs in this process, one image after the other; counts what it was given.

    Attributes:
        graph: The encoder.
        arithmetic: What it says it computes with.
        seen: Views by image.
    """

    graph: Graph = plain_graph
    arithmetic: str = "numpy float32"
    seen: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def run(self, items: Iterable[WorkItem], columns: tuple[str, ...]) -> Generator[Outcome]:
        """As the real engines do."""
        for item in items:
            self.seen.append((item.path.name, item.views))
            decoded = decode_views(item, contract())
            yield decoded if isinstance(decoded, Failed) else encode_views(decoded, self.graph, columns)


def write_pictures(folder: Path, count: int, *, first: int = 0) -> list[Record]:
    """PNG pictures that all differ, without symmetry, as records with a diagnosis."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        pixels = random.integers(0, 256, (40, 56, 3), np.uint8)
        path = folder / f"image{number:05}.png"
        Image.fromarray(pixels).save(path)
        records.append(Record(image_id=path.stem, path=path, diagnosis=("NV", "MEL")[number % 2]))
    return records


def decoded_or_fail(item: WorkItem) -> Decoded:
    """A decoded image, which must not fail."""
    decoded = decode_views(item, contract())
    assert isinstance(decoded, Decoded)
    return decoded
