"""Foreign checkpoints become safetensors once; nothing else in the package reads a pickle."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from dermoscope.encoders.load import first_lines
from dermoscope.encoders.original_names import sam2_names, sam_names
from dermoscope.encoders.registry import EncoderSpec
from dermoscope.encoders.sam2_hiera import sam2_model
from dermoscope.encoders.sam_vit import sam_model
from dermoscope.encoders.shapes import HieraShape, TimmShape, ViTShape
from dermoscope.encoders.timm_network import TimmNetwork
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.encoders.weights import WeightsError
from dermoscope.files import sha256_of
from dermoscope.segment.mask_decoder import PromptedMaskDecoder

_ANY_SIZE = 64  # the input size is no part of a checkpoint


def import_checkpoint(checkpoint: Path, spec: EncoderSpec, out: Path) -> dict[str, str]:
    """Convert the authors' own `.pt` or `.pth` file of a model to safetensors.

    The file is read with `weights_only=True`, so it can hold tensors and plain containers, but no code. Models of the
    SAM and SAM 2 families get the tensor names of `transformers`, with prompt encoder and mask decoder; TinyViT-SAM
    and timm models keep their names.

    Args:
        checkpoint: The original file.
        spec: Which encoder it should be; a checkpoint whose encoder or mask decoder does not fit is refused.
        out: The safetensors file to write.

    Returns:
        What was stored beside the tensors: encoder, licence, source and the sha256 of the original.

    Raises:
        WeightsError: If the file is missing, is no plain checkpoint, or does not fit the encoder.
    """
    state = _converted(checkpoint, spec, _plain_state(checkpoint))
    notes = {
        "encoder": spec.name,
        "licence": spec.licence,
        "source": spec.source,
        "original_sha256": sha256_of(checkpoint),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    save_file(state, partial, metadata={"dermoscope": json.dumps(notes)})
    partial.replace(out)
    return notes


def _converted(checkpoint: Path, spec: EncoderSpec, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in the names that `load_encoder` reads, after every part of the model has taken its own."""
    part = "encoder"
    try:
        match spec.shape:
            case HieraShape() as hiera:
                return _fitting(sam2_model(hiera), sam2_names(state))
            case ViTShape() as vit:
                return _fitting(sam_model(vit), sam_names(state))
            case TimmShape() as network:
                TimmNetwork.from_state(network, state)
            case _:
                TinyViTSam.from_state(spec, state)
                part = "mask decoder"
                PromptedMaskDecoder.from_state(_ANY_SIZE, state)
    except (KeyError, RuntimeError) as error:
        raise WeightsError(f"{checkpoint} does not fit the {part} of {spec.name}: {first_lines(error)}") from None
    return state


def _fitting(model: torch.nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a model of `transformers` takes of a checkpoint; the rest is for video and is left out.

    Raises:
        RuntimeError: If a tensor is missing or has another shape.
    """
    own = {name: value for name, value in state.items() if name in model.state_dict()}
    model.load_state_dict(own, assign=True)
    return own


def _plain_state(checkpoint: Path) -> dict[str, Tensor]:
    if not checkpoint.is_file():
        raise WeightsError(f"{checkpoint} is not a file")
    try:
        loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler stumbles over malformed files in undocumented ways
        raise WeightsError(f"{checkpoint} is not a plain torch checkpoint: {first_lines(error)}") from None
    for key in ("model", "state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise WeightsError(f"{checkpoint} holds no dictionary of tensors")
    # Tensors that share storage would be stored twice or refused; a copy each is what safetensors wants.
    return {str(key): value.detach().clone().contiguous() for key, value in loaded.items()}
