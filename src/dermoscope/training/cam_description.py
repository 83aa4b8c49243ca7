"""What the trained network in a run is, and where its files lie. Torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dermoscope import __version__
from dermoscope.camnet.lesion_views import Cleaning
from dermoscope.encoders.inputs import InputContract
from dermoscope.training.recipes.cams import CropsPart

MODEL_NAME, DESCRIPTION_NAME, CROPS_NAME = "model.safetensors", "network.json", "crops.csv"


class CAMModelDescription(BaseModel):
    """The contents of `network.json`.

    Attributes:
        schema_version: Of this file.
        version: Of `dermoscope`.
        recipe: Name of the recipe.
        backbone: Name of the backbone in timm.
        task: Name of the question.
        definition: Name of the malignancy definition, where the question has one.
        classes: What the logits stand for, in order.
        contract: How it wants its crops; `map_size` is the side of its maps.
        cleaning: What is done to an image first.
        crops: What is cut out of it.
        mask_head: Whether it draws a mask, too.
        gap_convolution: Channels of the convolution between its backbone and its average; 0 without one.
        weights_sha256: Of the backbone's weights that it, or the network it was started from, began with.
        licence: Of those.
        images: How many images of each source were learnt from, at least, where it was started from another network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    version: str = Field(default=__version__)
    recipe: str
    backbone: str
    task: str
    definition: str = ""
    classes: tuple[str, ...]
    contract: InputContract
    cleaning: Cleaning
    crops: CropsPart
    mask_head: bool
    gap_convolution: int = 0
    weights_sha256: str
    licence: str
    images: dict[str, int] = Field(default_factory=dict)


class CAMRunError(ValueError):
    """A run of a network with class activation maps cannot be used; the message says why and what to do."""


def load_cam_description(run: Path) -> CAMModelDescription:
    """What a run trained.

    Raises:
        CAMRunError: If the folder holds no finished run of such a network.
    """
    path = run / DESCRIPTION_NAME
    if not path.is_file() or not (run / MODEL_NAME).is_file():
        raise CAMRunError(
            f"{run} holds no finished run of a network with class activation maps; dermoscope train makes one, "
            "--resume finishes one"
        )
    try:
        return CAMModelDescription.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise CAMRunError(f"{path}: {error.errors()[0]['msg']}; train again") from None
