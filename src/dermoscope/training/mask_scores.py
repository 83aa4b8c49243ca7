"""How good a model's masks of validation images are at the images' own size, and how sure it is of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, inference_mode

from dermoscope.data.manifest import Record
from dermoscope.encoders.inputs import InputContract, covered_cells, prepare
from dermoscope.evaluation.masks import MASK_METRICS, MaskScores, MaskSummary, mask_scores, summarise
from dermoscope.images import read_mask
from dermoscope.segment.confidence import believed_overlap
from dermoscope.segment.postprocess import finish_mask
from dermoscope.segment.prompts import Prompt, no_prompt
from dermoscope.segment.selection import stability_score
from dermoscope.segment.simulated import jittered_box
from dermoscope.training.mask_data import MaskData
from dermoscope.training.mask_models import Trainable, UNetModel
from dermoscope.training.mask_prompts import prompt_batch

AUTO, BOXED = "auto", "jittered box"
"""Prompt sources: nothing that a person or the truth has given, and a box around the truth with moved sides."""


@dataclass(frozen=True)
class Judged:
    """One validation image.

    Attributes:
        scores: By prompt source, at the image's own size.
        confidence: How sure the model is of its automatic mask, 0 to 1.
    """

    scores: dict[str, MaskScores]
    confidence: float


def judge(
    model: Trainable, data: MaskData, records: Sequence[Record], contract: InputContract, *, seed: int
) -> Iterator[Judged]:
    """Score a model on images as they are, at their own size: without a prompt, and from a jittered box.

    Args:
        model: In evaluation mode.
        data: The images for the model.
        records: The same images.
        contract: How the model wants its images.
        seed: Of the jitter.
    """
    random = np.random.default_rng([seed, 0])
    model.eval()
    for index, record in enumerate(records):
        inputs, targets = data.batch(np.array([index]), 0)
        assert record.mask_path is not None
        truth = read_mask(record.mask_path)
        small = (targets[0] >= 0.5).numpy()
        prompts = {AUTO: no_prompt()}
        if not isinstance(model, UNetModel):
            prompts[BOXED] = jittered_box(small, random) if small.any() else no_prompt()
        scores, confidence = {}, 0.0
        for source, prompt in prompts.items():
            height, width = truth.shape
            logits, sure = _answer(model, inputs, prompt, contract, (height, width), data.side)
            found = finish_mask(logits, width, height)
            scores[source] = mask_scores(np.zeros_like(truth) if found is None else found.mask, truth)
            confidence = sure if source == AUTO else confidence
        yield Judged(scores, confidence)


def summarised(scores: Sequence[MaskScores], records: Sequence[Record], resamples: int) -> dict[str, MaskSummary]:
    """Means over images with intervals that draw whole lesions, by metric.

    Args:
        scores: One an image.
        records: The same images.
        resamples: Of the bootstrap.
    """
    groups = [f"{record.source}/{record.group_id}" for record in records]
    rows = summarise(scores, groups, resamples=resamples)
    return {row.metric: row for row in rows if row.averaging == "per image" and row.metric in MASK_METRICS}


def _answer(
    model: Trainable, inputs: Tensor, prompt: Prompt, contract: InputContract, shape: tuple[int, int], side: int
) -> tuple[NDArray[np.float32], float]:
    """Logits `[h, w]` over the image without padding, and how sure the model is of them as a runtime has it.

    Args:
        model: The model.
        inputs: One image for it.
        prompt: The prompt, in cells of the mask.
        contract: How the model wants its images.
        shape: Height and width of the image in pixels.
        side: Cells along one side of the mask.
    """
    with inference_mode():
        logits, overlaps = model(inputs, prompt_batch([prompt], contract.size / side))
    rows, columns = covered_cells(prepare(np.zeros((*shape, 3), np.uint8), contract), contract, side)
    mask = logits[0].float().numpy()[:rows, :columns]
    predicted = believed_overlap(mask) if overlaps is None else float(np.clip(overlaps[0].float().numpy(), 0, 1))
    return mask, predicted * stability_score(mask, 1.0) if (mask > 0).any() else 0.0
