"""Torch modules as ONNX files: exported, made small, and compared with what they came from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

StoredWeights = Literal["float32", "float16", "int8"]
"""How large weights lie in a file; arithmetic is floating point with each of them."""

OPSET = 18
_SMALLEST_HALVED = 1024
_ABOUT_ITSELF = (r".*isinstance\(treespec, LeafSpec\)", "# The axis name")
"""Warnings of torch's exporter about its own code, which tell a user nothing."""


def export_onnx(
    module: nn.Module,
    example: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    *,
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    weights: StoredWeights = "float16",
) -> None:
    """Write a module as one self-contained ONNX file.

    Args:
        module: In evaluation mode; takes the example's tensors in order.
        example: Input names and tensors of a valid shape.
        outputs: Names of the outputs in order.
        path: The file to write.
        dynamic: For each input, the axes that may change and their names.
        weights: How large weights are stored: as they are, in half of the file (`halve_weights`), or in a quarter of
            it, those of convolutions and fully connected layers (`eight_bit_weights`).
    """
    shapes = None
    if dynamic is not None:
        named = {name for axes in dynamic.values() for name in axes.values()}
        dims = {name: torch.export.Dim(name, min=1, max=1024) for name in named}
        shapes = tuple({axis: dims[name] for axis, name in dynamic.get(key, {}).items()} or None for key in example)
    with warnings.catch_warnings():
        for message in _ABOUT_ITSELF:
            warnings.filterwarnings("ignore", message)
        program = torch.onnx.export(
            module.eval(),
            tuple(example.values()),
            input_names=list(example),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert program is not None  # dynamo=True always returns a program
    model = program.model_proto
    if weights != "float32":
        halve_weights(model)
    if weights == "int8":
        eight_bit_weights(model)
    _drop_traces(model)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(model, path)


def halve_weights(model: onnx.ModelProto) -> None:
    """Store float32 weights of more than a thousand values as float16, followed by a cast, in place.

    Both engines fold the casts when they load, so the arithmetic stays what it was; only the weights are rounded.
    """
    graph = model.graph
    casts = []
    for index, weight in enumerate(graph.initializer):
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _SMALLEST_HALVED:
            continue
        values = numpy_helper.to_array(weight)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        half = numpy_helper.from_array(values.astype(np.float16), f"{weight.name}_half")
        casts.append(helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT))
        graph.initializer[index].CopyFrom(half)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def eight_bit_weights(model: onnx.ModelProto) -> None:
    """Store the halved weights of convolutions and fully connected layers as eight-bit integers, in place.

    The file halves once more. The weights of each output channel have their own scale, the largest of them over 127,
    and are floating point again where the graph is loaded or run; activations stay as they are, so nothing needs to be
    calibrated. A weight moves by at most half of its scale.
    """
    graph = model.graph
    makers = {node.output[0]: node for node in graph.node}
    stored = {weight.name: weight for weight in graph.initializer}
    for layer in graph.node:
        axis = _output_axis(layer)
        cast = makers.get(layer.input[1]) if axis is not None else None
        if cast is None or cast.op_type != "Cast" or cast.input[0] not in stored:
            continue
        half, name = stored[cast.input[0]], layer.input[1]
        values = numpy_helper.to_array(half).astype(np.float32)
        if layer.op_type == "MatMul" and values.ndim != 2:
            continue  # a product of its own for each of a batch
        others = tuple(one for one in range(values.ndim) if one != axis)
        scale = np.abs(values).max(axis=others, keepdims=True) / np.float32(np.iinfo(np.int8).max)
        scale[scale == 0] = 1  # a channel without weights
        rounded = np.rint(values / scale).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(scale.ravel(), f"{name}_scale"))
        half.CopyFrom(numpy_helper.from_array(rounded, f"{name}_int8"))
        cast.CopyFrom(helper.make_node("DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [name], axis=axis))


def _output_axis(layer: onnx.NodeProto) -> int | None:
    """Which axis of a layer's weights counts its output channels; none if it has no weights."""
    if layer.op_type == "Gemm":
        return 0 if any(one.name == "transB" and one.i for one in layer.attribute) else 1
    return {"Conv": 0, "MatMul": 1}.get(layer.op_type)


def _drop_traces(model: onnx.ModelProto) -> None:
    """Remove stack traces and notes: they name files of the machine that exported."""
    model.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        value.doc_string = ""
        del value.metadata_props[:]
    for weight in model.graph.initializer:
        weight.doc_string = ""
        del weight.metadata_props[:]


def largest_difference(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Largest absolute difference between two arrays of one shape."""
    return float(np.abs(ours.astype(np.float64) - reference.astype(np.float64)).max())
