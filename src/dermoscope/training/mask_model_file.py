"""The trained model in the folder of a mask training: its tensors, and what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dermoscope import __version__
from dermoscope.encoders.inputs import InputContract
from dermoscope.encoders.registry import encoder_spec
from dermoscope.encoders.shapes import TinyViTShape

MODEL_NAME, DESCRIPTION_NAME = "model.safetensors", "model.json"


class MaskModelDescription(BaseModel):
    """The contents of `model.json`.

    Attributes:
        schema_version: Of this file.
        version: Of `dermoscope`.
        recipe: Name of the recipe.
        kind: `sam` or `unet`.
        trained: What of it was trained.
        encoder: Name of the encoder in the registry.
        contract: How it wants its images.
        weights_sha256: Of the weights it started from.
        confidence_slope: With `confidence_intercept`, from the model's own score to the expected Dice; see
            `dermoscope.segment.confidence`. Fitted on the validation images.
        licence: Of the weights it started from.
        images: How many images of each source were learnt from, at least; see `start_sha256`.
        start_sha256: Of the trained model that it went on from; empty if there was none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    version: str = Field(default=__version__)
    recipe: str
    kind: Literal["sam", "unet"]
    trained: str
    encoder: str
    contract: InputContract
    weights_sha256: str
    confidence_slope: float
    confidence_intercept: float
    licence: str
    images: dict[str, int] = Field(default_factory=dict)
    start_sha256: str = ""

    @property
    def goes_into_a_bundle(self) -> bool:
        """Whether some bundle can take it: one keeps its encoder, which its heads know, and runs a TinyViT."""
        shape = encoder_spec(self.encoder).shape
        return self.kind == "unet" or (self.trained == "decoder" and isinstance(shape, TinyViTShape))


class MaskRunError(ValueError):
    """A run for masks cannot be used; the message says why and what to do."""


def load_mask_run(run: Path) -> tuple[MaskModelDescription, dict[str, Tensor]]:
    """What a run for masks trained, and its tensors.

    Raises:
        MaskRunError: If the folder holds no finished run for masks.
    """
    path = run / DESCRIPTION_NAME
    if not path.is_file() or not (run / MODEL_NAME).is_file():
        raise MaskRunError(f"{run} holds no finished run for masks; dermoscope train makes one, --resume finishes one")
    try:
        return MaskModelDescription.model_validate_json(path.read_bytes()), load_file(run / MODEL_NAME)
    except ValidationError as error:
        raise MaskRunError(f"{path}: {error.errors()[0]['msg']}; train again") from None
    except (SafetensorError, OSError) as error:
        raise MaskRunError(f"{run / MODEL_NAME} is damaged ({error}); train again") from None
