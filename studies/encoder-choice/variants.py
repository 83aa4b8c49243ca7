"""What is compared: an encoder, its input size and fit, and how many images of the subset it is probed on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch

from dermoscope.encoders.inputs import Fit, InputContract
from dermoscope.encoders.load import load_encoder
from dermoscope.encoders.registry import EncoderSpec, encoder_spec
from dermoscope.encoders.summaries import EncoderWithSummaries
from dermoscope.training.export import ENCODER_OUTPUTS, load_parts
from dermoscope.training.onnx_graph import export_onnx

_SPELLING = re.compile(r"(?P<name>\w+)@(?P<size>\d+)(:(?P<fit>[a-z]+))?(:(?P<count>\d+))?")


@dataclass(frozen=True)
class Variant:
    """One row of the comparison.

    Attributes:
        spec: The encoder.
        contract: Its input.
        count: How many images of the subset, at most; none for all.
    """

    spec: EncoderSpec
    contract: InputContract
    count: int | None

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Read `litemedsam@112`, `litemedsam@112:squash` or `litemedsam@256:pad:600`.

        Raises:
            ValueError: If the text has another form, or the encoder does not take that size.
        """
        match = _SPELLING.fullmatch(text)
        if not match or (match["fit"] or "pad") not in get_args(Fit):
            raise ValueError(f"{text!r} is not NAME@SIZE, NAME@SIZE:FIT or NAME@SIZE:FIT:IMAGES; FIT is pad or squash")
        spec, size = encoder_spec(match["name"]), int(match["size"])
        if size % spec.map_stride:
            raise ValueError(f"{text!r}: the side must be a multiple of {spec.map_stride}")
        contract = InputContract(
            size=size, fit="squash" if match["fit"] == "squash" else "pad", scaling=spec.scaling,
            map_size=size // spec.map_stride,
        )  # fmt: skip
        return cls(spec, contract, int(match["count"]) if match["count"] else None)

    @property
    def key(self) -> str:
        """Name of the features' folder."""
        return f"{self.spec.name}_{self.contract.size}_{self.contract.fit}"

    @property
    def label(self) -> str:
        """Name for people."""
        return f"{self.spec.name}@{self.contract.size} {self.contract.fit}"

    @property
    def has_mask_graph(self) -> bool:
        """Whether the decoder takes the embedding alone; SAM 2's also wants two finer maps."""
        return self.spec.architecture == "tinyvit-sam"

    def encoder_graph(self, cache: Path) -> Path:
        """Path of the encoder's ONNX file."""
        return cache / "onnx" / f"{self.spec.name}_{self.contract.size}.onnx"

    def decoder_graph(self, cache: Path) -> Path:
        """Path of the decoder's ONNX file."""
        return cache / "onnx" / f"{self.spec.name}_{self.contract.size}_decoder.onnx"


def export_graphs(variant: Variant, weights: Path, cache: Path) -> None:
    """Write the graphs of a variant, unless they are there.

    Args:
        variant: Which.
        weights: Folder with `<encoder>.safetensors`.
        cache: Folder of the study's intermediate files.
    """
    encoder_path, decoder_path = variant.encoder_graph(cache), variant.decoder_graph(cache)
    size, cells = variant.contract.size, variant.contract.map_size
    file = weights / f"{variant.spec.name}.safetensors"
    if not encoder_path.exists():
        image = {"image": torch.rand(1, 3, size, size), "pool_weights": torch.full((1, 1, cells, cells), 1 / cells**2)}
        encoder = EncoderWithSummaries(load_encoder(variant.spec, file)).eval()
        export_onnx(encoder, image, ENCODER_OUTPUTS, encoder_path)
    if not variant.has_mask_graph or decoder_path.exists():
        return
    prompts = {"points": torch.rand(3, 2, 2), "labels": torch.tensor([[2, 3]] * 3)}
    export_onnx(
        load_parts(variant.spec, file, variant.contract).decoder,
        {"embedding": torch.rand(1, 256, cells, cells), **prompts},
        ("masks", "overlaps"),
        decoder_path,
        dynamic={name: {0: "prompts", 1: "points"} for name in prompts},
    )
