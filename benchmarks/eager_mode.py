"""A mode of the bundle in eager torch: the same models at the same sizes, as a user would write them down.

Pillow decodes, cuts and resizes; torch runs encoder, gate, heads, mask network and every network on every view. Where
the views lie is the package's own code. Weights are those of the encoder where they are given and random ones for all
else, which cost the same. Quality, distance, measures, evidence and records are left out.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import torch
from eager_torch import as_tensor, averaged_gate, averaged_heads, between_extremes
from PIL import Image
from safetensors.torch import load_file

from dermoscope.bundle import Bundle
from dermoscope.camnet.network import CAMNetwork
from dermoscope.encoders.registry import encoder_spec
from dermoscope.encoders.summaries import map_statistics
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.images.lesion_crops import lesion_crops
from dermoscope.segment.unet import UNet


class EagerMode:
    """All models of one mode in eager torch.

    Args:
        weights: `litemedsam.safetensors`.
        mode: Name of a mode of the bundle inside the package.
    """

    def __init__(self, weights: Path, mode: str) -> None:
        bundle = Bundle.default()
        description = bundle.description
        _, part = bundle.mode(mode)
        if part is None or description.mask_network is None:
            raise SystemExit("the bundle has no modes, or no mask network")
        self._side = description.encoder.input.size
        self._encoder = TinyViTSam.from_state(encoder_spec(description.encoder.name), load_file(weights))
        self._gate, self._heads = averaged_gate(description), averaged_heads(description)
        self._mask_side = description.mask_network.input.size
        self._mask_network = UNet(description.mask_network.name).eval()
        self._networks = [
            (member, CAMNetwork(member.backbone, len(part.fusion.classes)).eval()) for member in part.networks
        ]

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
        marks.append(("decode", time.perf_counter()))
        maps = self._encoder.maps(between_extremes(as_tensor(image, self._side)))
        embedding = maps[-1]
        marks.append(("encode", time.perf_counter()))
        cells = embedding.shape[2] * embedding.shape[3]
        self._gate(map_statistics(maps, torch.full_like(embedding[:, :1], 1 / cells)))
        self._heads(embedding.mean(dim=(2, 3)))
        marks.append(("heads", time.perf_counter()))
        logits = self._mask_network(as_tensor(image, self._mask_side) / 127.5 - 1)[:, None]
        size = image.height, image.width
        mask = torch.nn.functional.interpolate(logits, size, mode="bilinear")[0, 0].numpy() > 0
        if mask_path:
            Image.fromarray(mask).save(mask_path)
        marks.append(("segment", time.perf_counter()))
        for member, network in self._networks:
            places = {
                **lesion_crops(mask, middle=member.crops.middle, margin=member.crops.margin),
                "whole": (0, 0, image.width, image.height),
            }
            places["look"] = places["full"]  # random weights tell nothing; a square of any place costs the same
            for name in member.crops.names:
                view = as_tensor(image.crop(places[name]), member.input.size) / 127.5 - 1
                for axes in ([], [2], [3], [2, 3])[: member.orientations]:
                    torch.softmax(network(torch.flip(view, axes)).logits, dim=1)
        marks.append(("networks", time.perf_counter()))
        return {name: (end - start) * 1e3 for (_, start), (name, end) in pairwise(marks)}
