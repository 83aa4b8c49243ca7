"""The network that a recipe names, with pretrained weights, and how it wants its crops."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dermoscope.camnet.network import CAMNetwork
from dermoscope.encoders.inputs import InputContract
from dermoscope.encoders.load import first_lines
from dermoscope.encoders.weights import WeightsError, weight_files
from dermoscope.evaluation.looks import DESCRIPTION_NAME as LOOKS_NAME
from dermoscope.training.cam_description import CAMModelDescription, CAMRunError, load_cam_description
from dermoscope.training.cam_model_file import load_cam_run
from dermoscope.training.recipes.cams import CAMRecipe
from dermoscope.training.two_looks_description import FIRST, SECOND

_FEWEST_CELLS = 2


def build_network(recipe: CAMRecipe, weights: Path | None, start: Path | None = None) -> CAMNetwork:
    """The network that a recipe names, with a pretrained backbone.

    Args:
        recipe: What it is.
        weights: Of its backbone, in timm's names; not read where there is a start.
        start: Run of a network whose tensors take the place of those; all but its last layer, and that, too, where it
            answers the same question.

    Raises:
        WeightsError: If there are neither weights nor a start, or the weights are another network's.
        CAMRunError: If the run is not finished or of another backbone.
        ValueError: If the backbone cannot be used.
    """
    torch.manual_seed(recipe.seed)
    part = recipe.model
    network = CAMNetwork(
        part.backbone,
        len(recipe.task.task.classes),
        dropout=part.dropout,
        drop_path=part.drop_path,
        mask_head=bool(recipe.loss.mask_head),
        gap_convolution=part.gap_convolution,
        frozen_stages=part.frozen_stages,
    )
    if start is not None:
        _take_over(network, start, recipe)
        return network
    if weights is None:
        raise WeightsError(f"the pretrained weights of {part.backbone} are not named")
    try:
        state = {name: tensor for file in weight_files(weights) for name, tensor in load_file(file).items()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{weights} cannot be read: {error}; fetch it again") from None
    try:
        network.load_backbone(state)
    except RuntimeError as error:
        raise WeightsError(f"{weights} does not hold the weights of {part.backbone}: {first_lines(error)}") from None
    return network


def start_description(recipe: CAMRecipe, start: Path) -> CAMModelDescription:
    """What the run of a network has trained, if a recipe's network can go on from it.

    Raises:
        CAMRunError: If it is not finished or of another backbone.
    """
    if (start / LOOKS_NAME).exists():
        raise CAMRunError(f"--start {start}: looks twice, by two networks; name {start / SECOND} or {start / FIRST}")
    description, part = load_cam_description(start), recipe.model
    if (description.backbone, description.gap_convolution) != (part.backbone, part.gap_convolution):
        raise CAMRunError(
            f"--start {start}: its network is {description.backbone} with a convolution of "
            f"{description.gap_convolution} channels, this recipe's {part.backbone} with {part.gap_convolution}"
        )
    return description


def _take_over(network: CAMNetwork, start: Path, recipe: CAMRecipe) -> None:
    description = start_description(recipe, start)
    _, earlier = load_cam_run(start)
    task = recipe.task.task
    same = (task.name, task.definition, task.classes) == (description.task, description.definition, description.classes)
    names = {name for name, _ in network.named_children() if name != "classifier" or same}
    state = {name: tensor for name, tensor in earlier.state_dict().items() if name.partition(".")[0] in names}
    network.load_state_dict(state, strict=False)


def network_contract(recipe: CAMRecipe, network: CAMNetwork) -> InputContract:
    """How a network wants its crops, which are squares already.

    Raises:
        ValueError: If the input is so small that the maps are single cells.
    """
    size = recipe.model.size
    cells = network.map_size(size)
    if cells < _FEWEST_CELLS:
        raise ValueError(
            f"model.size: {size} pixels leave {recipe.model.backbone} maps of one cell, which say nothing about where "
            f"it looks; take at least {_FEWEST_CELLS * size}"
        )
    return InputContract(size=size, fit="squash", scaling=network.scaling, map_size=cells)
