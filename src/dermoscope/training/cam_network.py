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
from dermoscope.training.recipes.cams import CAMRecipe

_FEWEST_CELLS = 2


def build_network(recipe: CAMRecipe, weights: Path) -> CAMNetwork:
    """The network that a recipe names, with a pretrained backbone.

    Raises:
        WeightsError: If the weights are missing or another network's.
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
    try:
        state = {name: tensor for file in weight_files(weights) for name, tensor in load_file(file).items()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{weights} cannot be read: {error}; fetch it again") from None
    try:
        network.load_backbone(state)
    except RuntimeError as error:
        raise WeightsError(f"{weights} does not hold the weights of {part.backbone}: {first_lines(error)}") from None
    return network


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
