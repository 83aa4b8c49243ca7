"""What is said of an exported network with class activation maps: its graph, and what it wants to see. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from dermoscope.camnet.lesion_views import Cleaning, CropRules
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
    backbone: str
    licence: str


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
