"""From an image to the logits of one lesion mask, with no person in the loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dermoscope.images import field_of_view, working_copy
from dermoscope.segment.confidence import believed_overlap
from dermoscope.segment.prompts import Prompt, no_prompt, saliency_boxes
from dermoscope.segment.saliency import lesion_saliency, salient_region
from dermoscope.segment.selection import WON, Candidate, SelectionRules, select_mask

Decode = Callable[[Sequence[Prompt]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Decodes N prompts on one image: mask logits `[N, 4, h, w]` over the image and predicted IoU `[N, 4]`."""

AutomaticPrompts = Literal["no prompt", "saliency boxes", "no prompt and saliency boxes"]
"""What a decoder is asked with: one that learnt what a lesion is needs nothing, others need boxes."""

FALL_BACK = "colour saliency"


@dataclass(frozen=True, eq=False)
class AutomaticMask:
    """One lesion mask at the resolution it was made at, and how it came about.

    Attributes:
        logits: `[h, w]` float32 over the image, positive inside the lesion; none if no lesion was found.
        prompt: Name of the prompt behind the mask; `colour saliency` where no mask of the decoder survived, empty where
            there is no mask.
        score: Score of the chosen mask, 0 to 1; 0 where colour alone made it.
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
    prompts: AutomaticPrompts = "saliency boxes",
) -> AutomaticMask:
    """Find the lesion with prompts that nobody has to give. Calls the decoder once.

    What the decoder answers to no prompt is taken as it is, also where that is "no lesion". Where there are boxes, the
    best mask by the rules is taken, and where none of them survives, the coloured region.

    Args:
        rgb: 8-bit image of shape (height, width, 3) in its true aspect ratio, 256 pixels or more on the long side.
        decode: The decoder on this image's embedding; prompts are given in pixels of `rgb`.
        rules: Constants that depend on the decoder; by default those for LiteMedSAM.
        view: Field of view of the image's `working_copy`, if it is already known.
        prompts: What the decoder is asked with.
    """
    rules = rules or SelectionRules()
    height, width = rgb.shape[:2]
    small = working_copy(rgb)
    view = field_of_view(small) if view is None else view
    asked = [] if prompts == "saliency boxes" else [no_prompt()]
    saliency = None
    if prompts != "no prompt":
        saliency = lesion_saliency(small, view)
        asked += saliency_boxes(saliency, width, height)
    logits, predicted_iou = decode(asked)
    selection = select_mask(logits, predicted_iou, [prompt.name for prompt in asked], small, view, rules)
    if saliency is None:
        return _as_answered(logits[0, rules.mask_tokens[0]], selection.candidates[0])
    if selection.chosen is None:
        return _from_colour(saliency, selection.candidates, rules)
    winner = selection.candidates[selection.chosen]
    index = selection.chosen // len(rules.mask_tokens)
    return AutomaticMask(logits[index, winner.token], winner.prompt, winner.score, selection.candidates)


def as_drawn(
    logits: NDArray[np.float32], rgb: NDArray[np.uint8], view: NDArray[np.bool_], rules: SelectionRules
) -> AutomaticMask:
    """The mask of a network that takes no prompts, taken as it is, also where that is "no lesion".

    Args:
        logits: `[h, w]` over the image.
        rgb: The image's `working_copy`.
        view: Its field of view.
        rules: What the mask is measured with.
    """
    single, believed = replace(rules, mask_tokens=(0,)), np.full((1, 1), believed_overlap(logits), np.float32)
    measured = select_mask(logits[None, None], believed, [no_prompt().name], rgb, view, single)
    return _as_answered(logits, measured.candidates[0])


def certainty(candidate: Candidate) -> float:
    """How sure a decoder that needs no boxes is of one mask, 0 to 1: its own estimate times the mask's stability."""
    return candidate.predicted_iou * candidate.stability


def _as_answered(logits: NDArray[np.float32], candidate: Candidate) -> AutomaticMask:
    """A model's answer to no prompt; how sure it is of it stands in for the score."""
    if not (logits > 0).any():
        return AutomaticMask(None, "", 0.0, (candidate,))
    score = certainty(candidate)
    taken = replace(candidate, score=score, kept=True, reason=WON)
    return AutomaticMask(logits, candidate.prompt, score, (taken,))


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
