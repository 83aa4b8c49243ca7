"""Exported graphs for masks, compared with the torch modules that they came from, on real images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dermoscope.bundle_parts import GraphCheck
from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.engine import compile_graph
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.segment.mask_network import INPUT, OUTPUT
from dermoscope.segment.prompted_decoder import HAS_PREVIOUS, PREVIOUS
from dermoscope.segment.prompts import PADDING_LABEL
from dermoscope.segment.unet import UNet
from dermoscope.training.export import ENGINES
from dermoscope.training.onnx_graph import largest_difference

Inputs = Mapping[str, NDArray[np.generic]]


def check_network(
    network: UNet, path: Path, contract: InputContract, images: Sequence[NDArray[np.uint8]]
) -> Iterator[GraphCheck]:
    """Compare the graph of a network that takes no prompts with torch, on every engine.

    Args:
        network: The torch module.
        path: The graph.
        contract: How it wants its images.
        images: RGB images `[H, W, 3]`, at least one.
    """
    inputs = [{INPUT: prepare(image, contract).image} for image in images]
    with torch.inference_mode():
        answers = [{OUTPUT: network.eval()(torch.from_numpy(one[INPUT])).numpy()} for one in inputs]
    yield from compared(path, inputs, answers)


def check_decoder(
    decoder: PromptedMaskDecoder,
    path: Path,
    encoder: Path,
    contract: InputContract,
    images: Sequence[NDArray[np.uint8]],
) -> Iterator[GraphCheck]:
    """Compare a decoder's graph with torch on every engine, on embeddings of images, without and with prompts.

    Args:
        decoder: The torch module.
        path: Its graph.
        encoder: The graph that makes the embeddings.
        contract: How that one wants its images.
        images: RGB images `[H, W, 3]`, at least one.
    """
    size, side = contract.size, 4 * contract.map_size
    encode = compile_graph(encoder, precision="float32")
    points = np.array([[[0, 0], [0, 0]], [[0.2 * size, 0.2 * size], [0.8 * size, 0.8 * size]]], np.float32)
    earlier = np.zeros((2, 1, side, side), np.float32)
    earlier[1, :, side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 4.0
    prompts = {
        "points": points,
        "labels": np.array([[PADDING_LABEL, PADDING_LABEL], [2, 3]]),
        PREVIOUS: earlier,
        HAS_PREVIOUS: np.array([0.0, 1.0], np.float32),
    }
    inputs, answers = [], []
    for image in images:
        prepared = prepare(image, contract)
        encoded = encode({"image": prepared.image, "pool_weights": prepared.pool_weights})
        inputs.append({"embedding": encoded["embedding"], **prompts})
        with torch.inference_mode():
            masks, overlaps = decoder(**{key: torch.from_numpy(value) for key, value in inputs[-1].items()})
        answers.append({"masks": masks.numpy(), "overlaps": overlaps.numpy()})
    yield from compared(path, inputs, answers)


def compared(
    path: Path, inputs: Sequence[Inputs], answers: Sequence[Mapping[str, NDArray[np.float32]]]
) -> Iterator[GraphCheck]:
    """Compare a graph on every engine with answers that torch gave.

    Args:
        path: The graph.
        inputs: Its inputs by name, for each image.
        answers: Torch's outputs by name, for each image.
    """
    for label, engine, precision in ENGINES:
        graph = compile_graph(path, engine=engine, precision=precision)
        found = [graph(one) for one in inputs]
        for output in answers[0]:
            pairs = [(ours[output], theirs[output]) for ours, theirs in zip(found, answers, strict=True)]
            yield GraphCheck(
                graph=path.name,
                output=output,
                engine=label,
                largest_difference=round(max(largest_difference(*pair) for pair in pairs), 6),
                scale=round(float(np.std(np.stack([theirs for _, theirs in pairs]))), 6),
                images=len(inputs),
            )
