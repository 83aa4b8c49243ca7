"""An encoder in eager torch, as a user would write it: a yardstick for extraction.

Encoders of SAM 2 are `transformers`' own `Sam2Model`, others the package's modules. Pillow decodes and resizes, one
image goes through at a time, torch keeps its usual threads; bfloat16 is torch's autocast.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from dermoscope import torchvision_guard  # noqa: F401  (must come before transformers)
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.encoders.load import load_encoder
from dermoscope.encoders.registry import IMAGENET_MEAN, IMAGENET_STD, encoder_spec
from dermoscope.encoders.shapes import HieraShape
from dermoscope.encoders.weights import weight_files
from dermoscope.engine import Precision
from dermoscope.features.encoder import compile_encoder
from dermoscope.images import decode

EagerPrecision = Literal["float32", "bfloat16"]

TOLERANCE = 1e-4


class EagerEncoder:
    """Images to feature vectors.

    Args:
        encoder: Which encoder, and how it wants its images.
        weights: Its weights.
        precision: What it computes with.
    """

    def __init__(self, encoder: EncoderFolder, weights: Path, precision: EagerPrecision) -> None:
        self._contract = encoder.description.contract
        self._precision = precision
        self._network = _network(encoder, weights)

    def of_file(self, path: Path) -> NDArray[np.float32]:
        """The feature `[C]` of an image file."""
        with Image.open(path) as opened:
            side = self._contract.size
            image = opened.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
        return self.of_input(_scaled(np.asarray(image, np.float32), self._contract).transpose(2, 0, 1)[None])

    def of_input(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """The feature `[C]` of a prepared image `[1, 3, H, W]`."""
        half = self._precision == "bfloat16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
            found = self._network(torch.from_numpy(np.ascontiguousarray(image))).float()
        return np.asarray(found[0].numpy(), np.float32)


def timed(encoder: EncoderFolder, weights: Path, precision: EagerPrecision, paths: list[Path]) -> list[float]:
    """Start and end of every image in seconds; the means stay in memory."""
    eager = EagerEncoder(encoder, weights, precision)
    marks = [time.perf_counter()]
    features = []
    for path in paths:
        features.append(eager.of_file(path))
        marks.append(time.perf_counter())
    return marks


def agreement(encoder: EncoderFolder, weights: Path, path: Path) -> dict[str, float]:
    """How far apart the sides are on one image: largest difference and cosine to eager float32.

    Raises:
        SystemExit: If the package's float32 feature of the same input differs by more than `TOLERANCE`.
    """
    prepared = prepare(decode(path).rgb, encoder.description.contract)
    eager = EagerEncoder(encoder, weights, "float32")
    reference = eager.of_input(prepared.image)
    inputs = {"image": prepared.image, "pool_weights": prepared.pool_weights}
    precisions: dict[str, Precision] = {"ours, float32": "float32", "ours, fastest": "auto"}
    others = {
        name: np.asarray(compile_encoder(encoder, precision=precision)(inputs)["feature"][0], np.float32)
        for name, precision in precisions.items()
    }
    others["eager bfloat16"] = EagerEncoder(encoder, weights, "bfloat16").of_input(prepared.image)
    others["eager float32, resized by Pillow"] = eager.of_file(path)
    found = {"deviation of the values": float(reference.std())}
    for name, vector in others.items():
        found[f"{name}: largest difference"] = float(np.abs(vector - reference).max())
        found[f"{name}: cosine"] = float(vector @ reference / np.linalg.norm(vector) / np.linalg.norm(reference))
    if found["ours, float32: largest difference"] > TOLERANCE:
        raise SystemExit(f"ours and eager torch are no longer the same encoder: {found}")
    return found


def _network(encoder: EncoderFolder, weights: Path) -> Callable[[Tensor], Tensor]:
    """Prepared images `[1, 3, H, W]` to features `[1, C]`."""
    spec = encoder_spec(encoder.description.name)
    if not isinstance(spec.shape, HieraShape):
        module = load_encoder(spec, weights).eval()
        return lambda images: torch.mean(module(images), dim=(2, 3))
    from transformers import Sam2Config, Sam2Model

    from dermoscope.encoders.sam2_hiera import vision_config

    model = Sam2Model(Sam2Config(vision_config=vision_config(spec.shape))).eval()
    model.load_state_dict({name: value for file in weight_files(weights) for name, value in load_file(file).items()})

    def feature(images: Tensor) -> Tensor:
        # The lowest of the pyramid's levels, and what `get_image_embeddings` adds where no video came before.
        lowest = model.vision_encoder(images).fpn_hidden_states[-1]
        found: Tensor = lowest.mean(dim=(2, 3)) + model.no_memory_embedding[0]
        return found

    return feature


def _scaled(values: NDArray[np.float32], contract: InputContract) -> NDArray[np.float32]:
    if contract.scaling == "min-max":
        return np.asarray((values - values.min()) / max(float(np.ptp(values)), 1e-8), np.float32)
    if contract.scaling == "symmetric":
        return np.asarray(values / 127.5 - 1, np.float32)
    return np.asarray((values / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD), np.float32)
