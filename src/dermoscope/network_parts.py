"""What is said of an exported network with class activation maps: its graph, and what it wants to see. Torch-free."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from dermoscope.camnet.lesion_views import WHOLE_IMAGE, Cleaning, CropRules
from dermoscope.camnet.second_look import LookRules
from dermoscope.encoders.inputs import InputContract
from dermoscope.model_folder import FileName

Orientations = Literal[1, 2, 4]
"""How many ways round a network sees a crop."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MemberPart(_Record):
    """One network.

    Attributes:
        name: Of the member, as the ensemble knows it.
        graph: Its file.
        input: How it wants its crops.
        side: Of the squares as they are cut, in pixels, before `input` makes them smaller; as in training, for another
            way from image to input is another input.
        cleaning: What is done to an image first.
        crops: What is cut out of it.
        orientations: How many ways round it sees each crop: 1 as it is, 2 also mirrored top to bottom, 4 both also
            mirrored left to right; what it says is the mean.
        look: How it finds what its last view, `look`, shows: by its own map of the class that it decides for on its
            view `full` or `whole`, the first of these. None where it has no such view, or another network tells
            (`FirstLookPart`).
        backbone: Name of its backbone in timm.
        licence: Of the weights that it started from.
    """

    name: str
    graph: FileName
    input: InputContract
    side: PositiveInt
    cleaning: Cleaning
    crops: CropRules
    orientations: Orientations = 1
    look: LookRules | None = Field(default=None, exclude_if=lambda rules: rules is None)
    backbone: str
    licence: str

    @model_validator(mode="after")
    def _own_map_tells_the_last_view(self) -> Self:
        *before, last = self.crops.names
        if self.look is None:
            return self
        if last != "look" or "look" in before or not WHOLE_IMAGE & set(before):
            raise ValueError(
                f"look: needs crops.names that end with look and have full or whole before; {list(self.crops.names)}"
            )
        if self.look.rule == "random":
            raise ValueError("look.rule: a random place is there to be compared with, and not to be used")
        return self


class FirstLookPart(_Record):
    """Who says where the members look again.

    Attributes:
        member: A network with one view; its map of the class that it decides for tells where.
        rules: How the square is found.
        looks: Looks in all; at the third, the one member there may be then looks at what its own map cuts out.
    """

    member: MemberPart
    rules: LookRules
    looks: Literal[2, 3] = 2
