"""The same analysis in eager torch, as a user of the reference code would write it: a yardstick.

Pillow decodes and resizes, torch runs encoder, heads and mask decoder, Pillow writes masks. As in the scripts of MedSAM
and LiteMedSAM, the decoder is asked with boxes, whatever the bundle does, takes one box a pass, and every mask is
brought to the size of the image. Where boxes lie and which mask wins is the package's own code, so that only the way of
computing differs. The heads have the shipped sizes but random weights: the bundle holds no torch weights, and the cost
is the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from dermoscope.bundle import Bundle, BundleDescription
from dermoscope.bundle_parts import Head
from dermoscope.encoders.inputs import EncoderInput
from dermoscope.encoders.registry import encoder_spec
from dermoscope.encoders.summaries import map_statistics
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.heads.mlp import AveragedHead, Heads, MLPHead
from dermoscope.segment.automatic import segment_automatically
from dermoscope.segment.mask_decoder import PromptedMaskDecoder
from dermoscope.segment.prompted_decoder import PromptedDecoder

_MEMBERS = 5  # of each averaged head in the shipped bundle
_FEATURE, _STATISTICS = 256, 1856


class EagerTorch:
    """Encoder, heads and decoder in eager torch.

    Args:
        weights: `litemedsam.safetensors`.
        size: Side of the square input; the bundle's own, or 256, which the weights were trained at.
    """

    def __init__(self, weights: Path, size: int) -> None:
        description = Bundle.default().description
        spec = encoder_spec(description.encoder.name)
        state = load_file(weights)
        cells = size // spec.map_stride
        self._contract = description.encoder.input.model_copy(update={"size": size, "map_size": cells})
        self._rules = description.decoder.rules
        self._encoder = TinyViTSam.from_state(spec, state)
        self._decoder = PromptedMaskDecoder.from_state(size, state)
        self._gate, self._heads = averaged_gate(description), averaged_heads(description)

    @torch.inference_mode()
    def analyze(self, path: Path, mask_path: Path | None = None) -> dict[str, float]:
        """Analyse one image and give the milliseconds of each stage.

        Args:
            path: The image.
            mask_path: Where to write the mask, if at all.
        """
        marks = [("start", time.perf_counter())]
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        rgb = np.asarray(image)
        marks.append(("decode", time.perf_counter()))
        side = self._contract.size
        tensor = between_extremes(as_tensor(image, side))
        maps = self._encoder.maps(tensor)
        embedding = maps[-1]
        marks.append(("encode", time.perf_counter()))
        cells = embedding.shape[2] * embedding.shape[3]
        self._gate(map_statistics(maps, torch.full_like(embedding[:, :1], 1 / cells)))
        self._heads(embedding.mean(dim=(2, 3)))
        marks.append(("classify", time.perf_counter()))
        prepared = EncoderInput(tensor.numpy(), np.empty(0, np.float32), side, side)
        decoder = PromptedDecoder(
            _BoxByBox(self._decoder, rgb.shape[:2]),
            self._contract,
            embedding.numpy(),
            prepared,
            rgb.shape[:2],
        )
        found = segment_automatically(rgb, decoder, self._rules)
        marks.append(("segment", time.perf_counter()))
        if found.logits is not None:
            logits = torch.from_numpy(found.logits)[None, None]
            full = torch.nn.functional.interpolate(logits, rgb.shape[:2], mode="bilinear")[0, 0]
            if mask_path:
                Image.fromarray((full > 0).numpy()).save(mask_path)
        marks.append(("mask", time.perf_counter()))
        return {name: (end - start) * 1e3 for (_, start), (name, end) in pairwise(marks)}


class _BoxByBox:
    """The decoder as the reference's scripts call it: one box a pass.

    Args:
        decoder: In torch.
        shape: Height and width of the image.
    """

    inputs = ("embedding", "points", "labels")

    def __init__(self, decoder: PromptedMaskDecoder, shape: tuple[int, ...]) -> None:
        self._decoder, self._shape = decoder, shape

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Masks and overlaps of all boxes."""
        embedding, points, labels = (torch.from_numpy(inputs[key]) for key in self.inputs)
        found = []
        for box, kind in zip(points, labels, strict=True):
            masks, overlaps = self._decoder(embedding, box[None], kind[None])
            # The reference brings each mask to the size of the image before it looks at it.
            torch.sigmoid(torch.nn.functional.interpolate(masks[:, :1], self._shape, mode="bilinear"))
            found.append((masks, overlaps))
        masks, overlaps = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
        return {"masks": masks, "overlaps": overlaps}


def as_tensor(image: Image.Image, side: int) -> torch.Tensor:
    """`[1, 3, side, side]`, 0 to 255."""
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32)
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())


def between_extremes(pixels: torch.Tensor) -> torch.Tensor:
    """Pixels from 0, the least of them, to 1, the largest, as the encoder wants them."""
    return (pixels - pixels.min()) / (pixels.max() - pixels.min()).clamp(min=1e-8)


def averaged_gate(description: BundleDescription) -> AveragedHead:
    """A gate of the shipped size with random weights."""
    return _averaged_head(description.gate.head, _STATISTICS).eval()


def averaged_heads(description: BundleDescription) -> Heads:
    """Heads of the shipped sizes with random weights."""
    heads = description.heads
    made = {
        head.output: _averaged_head(head, _FEATURE) for head in (heads.group, heads.diagnosis, heads.malignancy) if head
    }
    return Heads(made).eval()


def _averaged_head(head: Head, width: int) -> AveragedHead:
    mean, deviation = torch.zeros(width), torch.ones(width)
    return AveragedHead([MLPHead(len(head.classes), mean, deviation) for _ in range(_MEMBERS)])
