"""From an image to the logits of one lesion mask, with no person in the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.images import field_of_view, working_copy
from dermoscope.segment.prompts import Prompt, saliency_boxes
from dermoscope.segment.saliency import lesion_saliency, salient_region
from dermoscope.segment.selection import Candidate, SelectionRules, select_mask

Decode = Callable[[Sequence[Prompt]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Decodes N prompts on one image: mask logits `[N, 4, h, w]` over the image and predicted IoU `[N, 4]`."""

FALL_BACK = "colour saliency"


@dataclass(frozen=True, eq=False)
class AutomaticMask:
    """One lesion mask at the decoder's resolution, and how it came about.

    Attributes:
        logits: `[h, w]` float32 over the image, positive inside the lesion; none if neither the decoder nor the colour
            found a lesion of a sensible size.
        prompt: Name of the prompt behind the mask; `colour saliency` where no mask of the decoder survived, empty where
            there is no mask.
        score: Score of the chosen mask, 0 to 1; 0 unless the decoder made it.
        candidates: Every mask of the decoder that was considered, with its fate.
    """

    logits: NDArray[np.float32] | None
    prompt: str
    score: float
    candidates: tuple[Candidate, ...]


def segment_automatically(
    rgb: NDArray[np.uint8],
    decode: Decode,
    rules: SelectionRules | None = None,
    *,
    view: NDArray[np.bool_] | None = None,
) -> AutomaticMask:
    """Find the lesion with prompts that nobody has to give. Calls the decoder once, with four boxes.

    Args:
        rgb: 8-bit image of shape (height, width, 3) in its true aspect ratio, 256 pixels or more on the long side.
        decode: The decoder on this image's embedding; prompts are given in pixels of `rgb`.
        rules: Constants that depend on the decoder; by default those for LiteMedSAM.
        view: Field of view of the image's `working_copy`, if it is already known.
    """
    rules = rules or SelectionRules()
    height, width = rgb.shape[:2]
    small = working_copy(rgb)
    view = field_of_view(small) if view is None else view
    saliency = lesion_saliency(small, view)
    prompts = saliency_boxes(saliency, width, height)
    logits, predicted_iou = decode(prompts)
    selection = select_mask(logits, predicted_iou, [prompt.name for prompt in prompts], small, view, rules)
    if selection.chosen is None:
        return _from_colour(saliency, selection.candidates, rules)
    winner = selection.candidates[selection.chosen]
    index = selection.chosen // len(rules.mask_tokens)
    return AutomaticMask(logits[index, winner.token], winner.prompt, winner.score, selection.candidates)


def _from_colour(
    saliency: NDArray[np.float32], candidates: tuple[Candidate, ...], rules: SelectionRules
) -> AutomaticMask:
    """The salient region itself, if its size is that of a lesion."""
    region = salient_region(saliency)
    if saliency.max() < 0.5 or not rules.smallest_share <= region.mean() <= rules.largest_share:
        return AutomaticMask(None, "", 0.0, candidates)
    probability = np.clip(saliency, 1e-3, 1 - 1e-3)
    strength = np.abs(np.log(probability / (1 - probability))) + np.float32(1e-3)
    return AutomaticMask(np.where(region, strength, -strength).astype(np.float32), FALL_BACK, 0.0, candidates)
