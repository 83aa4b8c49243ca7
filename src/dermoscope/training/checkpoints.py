"""Foreign checkpoints become safetensors once; nothing else in the package reads a pickle."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from dermoscope.encoders.registry import EncoderSpec
from dermoscope.encoders.tinyvit_sam import TinyViTSam
from dermoscope.files import sha256_of
from dermoscope.segment.mask_decoder import PromptedMaskDecoder

_ANY_SIZE = 64  # the input size is no part of a checkpoint


class WeightsError(ValueError):
    """A checkpoint cannot be used; the message names the file and says why."""


def import_checkpoint(checkpoint: Path, spec: EncoderSpec, out: Path) -> dict[str, str]:
    """Convert an original `.pt` or `.pth` file of a SAM-family model to safetensors.

    The file is read with `weights_only=True`, so it can hold tensors and plain containers, but no code.

    Args:
        checkpoint: The original file.
        spec: Which encoder it should be; a checkpoint whose encoder or mask decoder does not fit is refused.
        out: The safetensors file to write.

    Returns:
        What was stored beside the tensors: encoder, licence, source and the sha256 of the original.

    Raises:
        WeightsError: If the file is missing, is no plain checkpoint, or does not fit the encoder.
    """
    if spec.architecture != "tinyvit-sam":
        raise WeightsError(f"{checkpoint}: importing {spec.architecture} checkpoints is not supported yet")
    state = _plain_state(checkpoint)
    for part, build in (
        ("encoder", lambda: TinyViTSam.from_state(spec, state)),
        ("mask decoder", lambda: PromptedMaskDecoder.from_state(_ANY_SIZE, state)),
    ):
        try:
            build()
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"{checkpoint} does not fit the {part} of {spec.name}: {_first_lines(error)}") from None
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


def _plain_state(checkpoint: Path) -> dict[str, Tensor]:
    if not checkpoint.is_file():
        raise WeightsError(f"{checkpoint} is not a file")
    try:
        loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler stumbles over malformed files in undocumented ways
        raise WeightsError(f"{checkpoint} is not a plain torch checkpoint: {_first_lines(error)}") from None
    for key in ("model", "state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise WeightsError(f"{checkpoint} holds no dictionary of tensors")
    # Tensors that share storage would be stored twice or refused; a copy each is what safetensors wants.
    return {str(key): value.detach().clone().contiguous() for key, value in loaded.items()}


def _first_lines(error: Exception, lines: int = 3) -> str:
    return "; ".join(str(error).strip().splitlines()[:lines])
