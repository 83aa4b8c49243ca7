"""What moves the weights of a network with class activation maps."""

from __future__ import annotations

from torch.optim import Adadelta, AdamW, Optimizer

from dermoscope.camnet.network import CAMNetwork
from dermoscope.training.recipes.cams import CAMOptimiserPart


def build_optimiser(part: CAMOptimiserPart, network: CAMNetwork) -> Optimizer:
    """The optimiser of a recipe, with the rate of the backbone apart from that of the heads."""
    heads = [parameter for head in network.heads for parameter in head.parameters()]
    rates = [part.backbone_share * part.learning_rate, part.learning_rate]
    groups = [
        {"params": [parameter for parameter in parameters if parameter.requires_grad], "lr": rate}
        for parameters, rate in zip((network.backbone.parameters(), heads), rates, strict=True)
    ]
    if part.kind == "adadelta":
        return Adadelta(groups, lr=part.learning_rate, rho=part.rho, weight_decay=part.weight_decay)
    return AdamW(groups, lr=part.learning_rate, weight_decay=part.weight_decay)
