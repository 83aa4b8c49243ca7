"""The least time an encoder can take on this machine: its multiply-adds at the speed of a large matrix product.

Counted are matrix products, attention among them, and convolutions of the exported graph for one image, a multiply-add
as 2 FLOPs. What the graph computes is counted even where it need not be, such as windows that are filled up with
zeros. Normalisation, activation, softmax, pooling, memory traffic and decoding count for nothing: no encoder reaches
its floor.

The peak is that of a chain of large square products with constant weights, through the engine and with the precision
that run the encoder, on all cores, the best of several passes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dermoscope.bundle import Bundle
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.encoders.inputs import prepare
from dermoscope.engine import Precision, compile_graph
from dermoscope.features.encoder import arithmetic

SIDE = 2048
LENGTH = 4
PASSES = 10


def floor(folder: Path) -> dict[str, float]:
    """FLOPs of one image through an exported encoder, and by precision the peak of this machine in FLOPs a second."""
    return {"flops": float(encoder_flops(EncoderFolder.load(folder)))} | peaks()


def peaks() -> dict[str, float]:
    """FLOPs a second of large matrix products in float32, and in bfloat16 where the processor has it."""
    asked: tuple[Precision, ...] = ("float32", "auto")
    return {name: matmul_peak(precision) for precision in asked for name in [precision_name(precision)]}


def precision_name(precision: Precision) -> str:
    """What OpenVINO computes with on this machine: `float32` or `bfloat16`."""
    return arithmetic("openvino", precision).split()[-1]


def encoder_call(bundle: Bundle) -> tuple[Path, dict[str, np.ndarray]]:  # type: ignore[type-arg]
    """Graph of a bundle's encoder, and one image of noise as it takes it."""
    part = bundle.description.encoder
    rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    prepared = prepare(rgb, part.input)
    return bundle.graph_path(part), {"image": prepared.image, "pool_weights": prepared.pool_weights}


def encoder_flops(encoder: EncoderFolder) -> int:
    """FLOPs of one image, a multiply-add as 2."""
    contract = encoder.description.contract
    cells = contract.map_size
    return graph_flops(
        encoder.graph, {"image": [1, 3, contract.size, contract.size], "pool_weights": [1, 1, cells, cells]}
    )


def graph_flops(path: Path, shapes: Mapping[str, Sequence[int]]) -> int:
    """FLOPs of one call of a graph, a multiply-add as 2.

    Args:
        path: The ONNX file.
        shapes: Of its inputs.
    """
    import openvino as ov

    model = ov.Core().read_model(str(path))
    model.reshape({name: list(shape) for name, shape in shapes.items()})
    return sum(2 * multiply_adds(operation) for operation in model.get_ordered_ops())


def multiply_adds(operation: Any) -> int:
    """Of one node of an OpenVINO model; none but products and convolutions have any."""
    kind = operation.get_type_name()
    if kind not in ("MatMul", "Convolution", "GroupConvolution", "ConvolutionBackpropData"):
        return 0
    left, right = (list[int](operation.input(number).get_shape()) for number in (0, 1))
    if kind == "ConvolutionBackpropData":  # transposed: every input value meets every weight of its channel
        return math.prod(left) * math.prod(right[1:])
    if kind == "MatMul":
        each = left[-2 if operation.get_attributes()["transpose_a"] else -1]
    else:
        each = math.prod(right[1 if kind == "Convolution" else 2 :])  # behind the groups and the channels that come out
    return math.prod(list[int](operation.output(0).get_shape())) * each


def matmul_peak(precision: Precision) -> float:
    """FLOPs a second of a chain of square products."""
    import openvino as ov
    from openvino import opset13

    random = np.random.default_rng(0)
    start = random.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    entry = opset13.parameter([SIDE, SIDE], np.float32, name="x")
    node = entry
    for _ in range(LENGTH):
        # Scaled so that values neither grow nor shrink from one product to the next.
        weights = random.normal(0, SIDE**-0.5, (SIDE, SIDE)).astype(np.float32)
        node = opset13.matmul(node, opset13.constant(weights), False, False)
    node.output(0).set_names({"y"})
    with TemporaryDirectory() as name:
        path = Path(name) / "products.xml"
        ov.save_model(ov.Model([node], [entry]), str(path), compress_to_fp16=False)
        graph = compile_graph(path, engine="openvino", precision=precision)
    graph({"x": start})
    seconds = []
    for _ in range(PASSES):
        begin = time.perf_counter()
        graph({"x": start})
        seconds.append(time.perf_counter() - begin)
    return LENGTH * 2 * SIDE**3 / min(seconds)
