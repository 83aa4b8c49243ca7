"""From trained modules to a bundle: graphs, checks against torch, description, model card, sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from dermoscope.bundle import BundleDescription
from dermoscope.bundle_parts import DESCRIPTION, GraphCheck
from dermoscope.encoders.inputs import InputContract
from dermoscope.encoders.registry import EncoderSpec
from dermoscope.encoders.summaries import EncoderWithSummaries
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.engine import EngineName, Precision, compile_graph
from dermoscope.heads.mlp import Heads
from dermoscope.model_folder import write_sums
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.segment.prompted_decoder import HAS_PREVIOUS, PREVIOUS
from dermoscope.training.model_card import model_card
from dermoscope.training.onnx_graph import export_onnx, largest_difference

ENCODER, DECODER, GATE, HEADS = "encoder.onnx", "decoder.onnx", "gate.onnx", "heads.onnx"
ENCODER_OUTPUTS = ("embedding", "feature", "statistics")
ENGINES: tuple[tuple[str, EngineName, Precision], ...] = (
    ("openvino, fastest precision", "openvino", "auto"),
    ("openvino, float32", "openvino", "float32"),
    ("onnxruntime, float32", "onnxruntime", "float32"),
)
"""What every graph is compared on: how it is called, engine, precision."""


@dataclass(frozen=True)
class TorchParts:
    """The torch modules behind the graphs of a bundle."""

    encoder: EncoderWithSummaries
    decoder: PromptedMaskDecoder


def load_parts(spec: EncoderSpec, weights: Path, contract: InputContract) -> TorchParts:
    """Encoder and decoder from one safetensors file in the names of the original SAM code."""
    state = load_file(weights)
    encoder = EncoderWithSummaries(TinyViTSam.from_state(spec, state)).eval()
    return TorchParts(encoder, PromptedMaskDecoder.from_state(contract.size, state))


def export_sam_graphs(parts: TorchParts, contract: InputContract, folder: Path) -> None:
    """Write the encoder's and the decoder's graph."""
    size, cells = contract.size, contract.map_size
    export_onnx(
        parts.encoder,
        {"image": torch.rand(1, 3, size, size), "pool_weights": torch.full((1, 1, cells, cells), 1 / cells**2)},
        ENCODER_OUTPUTS,
        folder / ENCODER,
    )
    export_decoder(parts.decoder, contract, folder / DECODER)


def export_decoder(decoder: PromptedMaskDecoder, contract: InputContract, path: Path) -> None:
    """Write the decoder's graph."""
    cells = contract.map_size
    export_onnx(
        decoder,
        {
            "embedding": torch.rand(1, 256, cells, cells),
            "points": torch.rand(3, 2, 2),
            "labels": torch.tensor([[2, 3]] * 3),
            PREVIOUS: torch.rand(3, 1, 4 * cells, 4 * cells),
            HAS_PREVIOUS: torch.tensor([0.0, 1.0, 1.0]),
        },
        ("masks", "overlaps"),
        path,
        dynamic={
            "points": {0: "prompts", 1: "points"},
            "labels": {0: "prompts", 1: "points"},
            PREVIOUS: {0: "prompts"},
            HAS_PREVIOUS: {0: "prompts"},
        },
    )


def export_heads(heads: Mapping[str, nn.Module], input_name: str, width: int, path: Path) -> None:
    """Write heads as one graph, one output a head.

    Args:
        heads: The heads by the name of their output.
        input_name: What they read, an output of the encoder's graph: `feature` or `statistics`.
        width: Length of that input.
        path: The file to write.
    """
    example = {input_name: torch.rand(2, width)}
    export_onnx(Heads(heads).eval(), example, tuple(heads), path, dynamic={input_name: {0: "images"}})


def check_graphs(
    parts: TorchParts,
    gate: nn.Module,
    heads: Mapping[str, nn.Module],
    inputs: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    contract: InputContract,
    folder: Path,
) -> tuple[GraphCheck, ...]:
    """Compare every graph on every engine with torch on real images.

    Args:
        parts: The torch modules.
        gate: The torch gate.
        heads: The other torch heads by output name.
        inputs: Prepared images and pool weights.
        contract: Input contract of the encoder.
        folder: Where the graphs lie.
    """
    box = np.array([[[0.2, 0.2], [0.8, 0.8]]], np.float32) * contract.size
    earlier = np.zeros((1, 1, 4 * contract.map_size, 4 * contract.map_size), np.float32)
    earlier[..., contract.map_size : 3 * contract.map_size, contract.map_size : 3 * contract.map_size] = 4.0
    prompted = {"points": box, "labels": np.array([[2, 3]]), PREVIOUS: earlier, HAS_PREVIOUS: np.ones(1, np.float32)}
    references: dict[tuple[str, str], list[NDArray[np.float32]]] = {}
    with torch.inference_mode():
        for image, weights in inputs:
            embedding, feature, statistics = parts.encoder(torch.from_numpy(image), torch.from_numpy(weights))
            prompts = {name: torch.from_numpy(value) for name, value in prompted.items()}
            masks, overlaps = parts.decoder(embedding, **prompts)
            logits = Heads(heads).eval()(feature)
            named = {
                (ENCODER, "embedding"): embedding,
                (ENCODER, "feature"): feature,
                (ENCODER, "statistics"): statistics,
                (DECODER, "masks"): masks,
                (DECODER, "overlaps"): overlaps,
                (GATE, "gate"): gate.eval()(statistics),
                **{(HEADS, name): value for name, value in zip(heads, logits, strict=True)},
            }
            for key, value in named.items():
                references.setdefault(key, []).append(value.numpy())
    checks = []
    for label, engine, precision in ENGINES:
        graphs = {
            name: compile_graph(folder / name, engine=engine, precision=precision)
            for name in (ENCODER, DECODER, GATE, HEADS)
        }
        differences = dict.fromkeys(references, 0.0)
        for index, (image, weights) in enumerate(inputs):
            encoded = graphs[ENCODER]({"image": image, "pool_weights": weights})
            decoded = graphs[DECODER]({"embedding": encoded["embedding"], **prompted})
            gated = graphs[GATE]({"statistics": encoded["statistics"]})
            classified = graphs[HEADS]({"feature": encoded["feature"]})
            for (graph, output), reference in references.items():
                ours = {ENCODER: encoded, DECODER: decoded, GATE: gated, HEADS: classified}[graph][output]
                found = largest_difference(ours, reference[index])
                differences[graph, output] = max(differences[graph, output], found)
        checks += [
            GraphCheck(
                graph=graph,
                output=output,
                engine=label,
                largest_difference=round(difference, 6),
                scale=round(float(np.std(np.stack(references[graph, output]))), 6),
                images=len(inputs),
            )
            for (graph, output), difference in differences.items()
        ]
    return tuple(checks)


def write_bundle(description: BundleDescription, folder: Path) -> None:
    """Write description, model card and sums beside the graphs."""
    (folder / DESCRIPTION).write_text(description.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(description), encoding="utf-8")
    write_sums(folder)
