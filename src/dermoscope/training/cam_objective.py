"""The loss of a network with class activation maps, with every term by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dermoscope.camnet.feature_memory import FeatureMemory
from dermoscope.camnet.network import CAMAnswer
from dermoscope.losses.cam_divergence import CamDivergence
from dermoscope.losses.class_centre import centre_loss
from dermoscope.losses.focal import FocalLoss
from dermoscope.losses.lesion_focus import lesion_focus_loss
from dermoscope.losses.mask_cross_entropy import mask_cross_entropy
from dermoscope.losses.penalised_cam_divergence import PenalisedCamDivergence
from dermoscope.training.objectives import class_weights
from dermoscope.training.recipes.cams import CAMLossPart, DivergencePart

CLASSIFICATION = "classification"
CENTRE, DIVERGENCE, LESION_FOCUS, MASK = "centre", "divergence", "lesion focus", "mask"


@dataclass(frozen=True)
class Terms:
    """A loss.

    Attributes:
        total: What is made small.
        values: Each term before its weight, by name.
    """

    total: Tensor
    values: dict[str, Tensor]


class CAMObjective(nn.Module):
    """`L = L_class + λ1 L_centre + λ2 L_divergence + λ3 L_focus`, as far as the recipe weighs them above zero.

    Args:
        part: What the recipe says.
        classes: Name of each of the K outputs.
        counts: Training samples of each.

    References:
        A. Cartaya and M. Rivas, University of Girona, 2023, slides 9 and 10: λ1 = 1, λ2 = 0.1, λ3 = 0.5.
    """

    def __init__(self, part: CAMLossPart, classes: Sequence[str], counts: Sequence[int]) -> None:
        super().__init__()
        self._part = part
        weights = class_weights(part.class_weights, classes, counts)
        self._classify: nn.Module = (
            FocalLoss(weights, part.gamma)
            if part.gamma
            else nn.CrossEntropyLoss(weights, label_smoothing=part.label_smoothing)
        )
        self._divergence = _divergence(part.divergence)

    def classification(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The first term alone, of logits `[B, K]` and labels `[B]`, in nats."""
        loss: Tensor = self._classify(logits, labels)
        return loss

    def forward(self, answer: CAMAnswer, labels: Tensor, masks: Tensor, memory: FeatureMemory | None) -> Terms:
        """The loss of B crops.

        Args:
            answer: Of the network, in single precision.
            labels: `[B]`.
            masks: `[B, h, w]` on the grid of the maps, 0 to 1.
            memory: Where the centres come from; none while there is no centre term.
        """
        part = self._part
        values = {CLASSIFICATION: self.classification(answer.logits, labels)}
        weights = {CLASSIFICATION: 1.0}
        if memory is not None:
            # A class that has not been seen has no centre, and its samples no distance from it.
            known = memory.known.to(labels.device)[labels]
            centres = memory.centres.to(labels.device)
            values[CENTRE] = (
                centre_loss(answer.features[known], labels[known], centres, part.centre.averaged)
                if bool(known.any())
                else answer.features.sum() * 0
            )
            weights[CENTRE] = part.centre.weight
        if part.divergence.weight:
            values[DIVERGENCE] = self._divergence(answer.cams)
            weights[DIVERGENCE] = part.divergence.weight
        if part.lesion_focus:
            values[LESION_FOCUS] = lesion_focus_loss(answer.cams, masks)
            weights[LESION_FOCUS] = part.lesion_focus
        if answer.masks is not None:
            values[MASK] = mask_cross_entropy(answer.masks, masks)
            weights[MASK] = part.mask_head
        total = torch.stack([weights[name] * value for name, value in values.items()]).sum()
        return Terms(total, values)


def _divergence(part: DivergencePart) -> nn.Module:
    if part.penalty is None:
        return CamDivergence(part.normalisation, part.temperature)
    return PenalisedCamDivergence(part.penalty, part.per, part.normalisation, part.temperature)
