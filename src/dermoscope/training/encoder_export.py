"""From an encoder with its weights to the folder that makes features: graph, description, and how exact it is."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dermoscope.encoders.folder import (
    DESCRIPTION,
    GRAPH,
    OUTPUTS,
    EncoderDescription,
    MapDescription,
    WeightType,
    encoder_fingerprint,
)
from dermoscope.encoders.image_encoder import ImageEncoder
from dermoscope.encoders.inputs import EncoderInput, InputContract
from dermoscope.encoders.load import load_encoder
from dermoscope.encoders.registry import EncoderSpec
from dermoscope.encoders.summaries import EncoderWithSummaries
from dermoscope.encoders.weights import weights_sha256
from dermoscope.engine import EngineName, Precision, compile_graph
from dermoscope.files import sha256_of
from dermoscope.training.onnx_graph import export_onnx, largest_difference

# One ONNX file holds at most 2 GiB; with more parameters than this, weights are stored as float16.
MOST_FLOAT32_MILLIONS = 500.0


@dataclass(frozen=True)
class Equality:
    """How far one engine is from torch.

    Attributes:
        engine: Name and precision of the engine.
        output: Name of the output.
        largest_difference: Largest absolute difference over all images.
        scale: Standard deviation of torch's own values.
    """

    engine: str
    output: str
    largest_difference: float
    scale: float


def export_encoder(
    spec: EncoderSpec,
    weights: Path,
    contract: InputContract,
    folder: Path,
    *,
    half_weights: bool = False,
) -> Path:
    """Write an encoder folder.

    Args:
        spec: Which encoder.
        weights: Its weights, see `load_encoder`.
        contract: How it will get its images.
        folder: The folder to write; `encoder.json` comes last, so that half a folder is none.
        half_weights: Store weights as float16, half the file; always done where float32 would not fit into ONNX.

    Returns:
        The folder.

    Raises:
        WeightsError: If the weights cannot be used.
    """
    encoder = load_encoder(spec, weights)
    weight_type: WeightType = "float16" if half_weights or spec.parameters > MOST_FLOAT32_MILLIONS else "float32"
    (folder / DESCRIPTION).unlink(missing_ok=True)
    write_encoder_graph(encoder, contract, folder / GRAPH, weights=weight_type)
    weights_sum = weights_sha256(weights)
    description = EncoderDescription(
        name=spec.name,
        tag=spec.tag,
        contract=contract,
        maps=map_descriptions(encoder, contract),
        weights_sha256=weights_sum,
        weight_type=weight_type,
        graph_sha256=sha256_of(folder / GRAPH),
        fingerprint=encoder_fingerprint(weights_sum, contract, spec.name, weight_type),
        licence=spec.licence,
        source=spec.source,
        trained_on=spec.trained_on,
    )
    partial = folder / f"{DESCRIPTION}.partial"
    partial.write_text(description.model_dump_json(indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / DESCRIPTION)
    return folder


def write_encoder_graph(
    encoder: ImageEncoder, contract: InputContract, path: Path, *, weights: WeightType = "float32"
) -> None:
    """Write the graph of an encoder with its summaries; any number of images at once."""
    # With two images: torch.export would take a single one for a constant.
    example = dict(zip(("image", "pool_weights"), _example(contract, 2), strict=True))
    with warnings.catch_warnings():
        # torch warns about itself, and about a table that timm's TinyViT fills when first used; the graph computes it.
        warnings.simplefilter("ignore")
        export_onnx(
            EncoderWithSummaries(encoder).eval(),
            example,
            OUTPUTS,
            path,
            dynamic={"image": {0: "images"}, "pool_weights": {0: "images"}},
            weights=weights,
        )
    encoder.eval()  # empties that table, which holds no real numbers after an export


@torch.no_grad()
def map_descriptions(encoder: ImageEncoder, contract: InputContract) -> tuple[MapDescription, ...]:
    """Channels and sides of an encoder's maps, found by encoding one blank image."""
    maps = encoder.maps(torch.zeros(1, 3, contract.size, contract.size))
    return tuple(MapDescription(channels=one.shape[1], side=one.shape[2]) for one in maps)


def check_encoder(
    encoder: ImageEncoder, path: Path, inputs: Sequence[EncoderInput], *, bfloat16: bool = False
) -> tuple[Equality, ...]:
    """Compare a graph on every engine with torch.

    Args:
        encoder: In evaluation mode.
        path: Its graph.
        inputs: Prepared images; each is also part of one batch of all of them.
        bfloat16: Also try the fastest precision of OpenVINO.
    """
    image = torch.cat([torch.from_numpy(one.image) for one in inputs])
    weights = torch.cat([torch.from_numpy(one.pool_weights) for one in inputs])
    with torch.inference_mode():
        reference = [output.numpy() for output in EncoderWithSummaries(encoder).eval()(image, weights)]
    engines: list[tuple[str, EngineName, Precision]] = [
        ("openvino, float32", "openvino", "float32"),
        ("onnxruntime, float32", "onnxruntime", "float32"),
    ]
    if bfloat16:
        engines.append(("openvino, fastest precision", "openvino", "auto"))
    found = []
    for label, engine, precision in engines:
        graph = compile_graph(path, engine=engine, precision=precision)
        ours = graph({"image": image.numpy(), "pool_weights": weights.numpy()})
        single = graph({"image": inputs[0].image, "pool_weights": inputs[0].pool_weights})
        for name, expected in zip(OUTPUTS, reference, strict=True):
            difference = max(largest_difference(ours[name], expected), largest_difference(single[name], expected[:1]))
            found.append(Equality(label, name, difference, float(expected.std())))
    return tuple(found)


def _example(contract: InputContract, images: int) -> tuple[Tensor, Tensor]:
    cells = contract.map_size
    weights = torch.full((images, 1, cells, cells), 1 / cells**2)
    return torch.rand(images, 3, contract.size, contract.size), weights
