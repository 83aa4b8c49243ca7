"""From a safetensors file or a downloaded model folder to an encoder that is ready to look at images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dermoscope.encoders.image_encoder import ImageEncoder
from dermoscope.encoders.registry import EncoderSpec
from dermoscope.encoders.sam2_hiera import Sam2Hiera
from dermoscope.encoders.sam_vit import SamViT
from dermoscope.encoders.shapes import HieraShape, TimmShape, ViTShape
from dermoscope.encoders.timm_network import TimmNetwork
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.encoders.weights import WeightsError, weight_files


def load_encoder(spec: EncoderSpec, weights: Path) -> ImageEncoder:
    """Build an encoder with its weights.

    Args:
        spec: Which encoder.
        weights: A safetensors file as `dermoscope models import` or `fetch` writes it, or a folder as
            `from_pretrained` reads it: `model.safetensors`, or several files and `model.safetensors.index.json`.

    Raises:
        WeightsError: If there are no such weights, they are damaged, or they are another encoder's.
    """
    state: dict[str, Tensor] = {}
    for file in weight_files(weights):
        try:
            state |= load_file(file)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{file} is not a whole safetensors file ({error}); fetch or import it again") from None
    try:
        return _built(spec, state)
    except RuntimeError as error:
        raise WeightsError(
            f"{weights} does not hold the weights of {spec.name}: {first_lines(error)}; "
            f"dermoscope models list says which file belongs to which encoder"
        ) from None


def _built(spec: EncoderSpec, state: Mapping[str, Tensor]) -> ImageEncoder:
    match spec.shape:
        case HieraShape() as hiera:
            return Sam2Hiera.from_state(hiera, state)
        case ViTShape() as vit:
            return SamViT.from_state(vit, state)
        case TimmShape() as network:
            return TimmNetwork.from_state(network, state)
        case _:
            return TinyViTSam.from_state(spec, state)


def first_lines(error: Exception, lines: int = 3) -> str:
    """The start of a library's message, on one line."""
    return "; ".join(line.strip() for line in str(error).strip().splitlines()[:lines])
