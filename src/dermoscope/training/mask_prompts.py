"""Prompts for a batch of training images, mixed so that one decoder learns to answer all kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermoscope.segment.prompts import LESION_LABEL, Prompt, no_prompt, padded
from dermoscope.segment.simulated import click_inside, jittered_box, next_click
from dermoscope.training.recipes.masks import PromptsPart


@dataclass(frozen=True)
class PromptBatch:
    """One prompt for each image of a batch, as the decoder takes them.

    Attributes:
        points: `[B, P, 2]`, x and y in pixels of the square encoder input.
        labels: `[B, P]`; see `PromptedMaskDecoder`.
        previous: `[B, 1, S, S]` logits of earlier masks, or none.
        has_previous: `[B]`, or none.
    """

    points: Tensor
    labels: Tensor
    previous: Tensor | None = None
    has_previous: Tensor | None = None


def prompt_batch(prompts: Sequence[Prompt], scale: float, previous: Tensor | None = None) -> PromptBatch:
    """Put prompts into one batch.

    Args:
        prompts: With positions in cells of the decoder's mask.
        scale: Pixels of the encoder input to a cell of the mask.
        previous: Logits `[B, S, S]` of an earlier mask of every prompt, or none.
    """
    points, labels = padded(prompts, scale)
    known = None if previous is None else torch.ones(len(prompts))
    earlier = None if previous is None else previous.detach().unsqueeze(1)
    return PromptBatch(torch.from_numpy(points), torch.from_numpy(labels), earlier, known)


def drawn_prompt(mask: NDArray[np.bool_], part: PromptsPart, random: np.random.Generator) -> Prompt:
    """A prompt for one image; where there is no lesion, nothing can be pointed at.

    Args:
        mask: The true mask `[S, S]`.
        part: How often which kind is drawn.
        random: What it is drawn from.
    """
    kind = random.choice(3, p=(part.none, part.box, part.clicks))
    if kind == 0 or not mask.any():
        return no_prompt()
    if kind == 1:
        return jittered_box(mask, random)
    count = int(random.integers(1, part.most_clicks + 1))
    points = [click_inside(mask, random) for _ in range(count)]
    return Prompt("clicks", np.array(points, np.float32), np.full(count, LESION_LABEL, np.int64))


def corrected(
    prompt: Prompt, predicted: NDArray[np.bool_], truth: NDArray[np.bool_], random: np.random.Generator
) -> Prompt:
    """The same prompt with a click on the largest mistake of the mask it gave.

    Args:
        prompt: What the mask was asked for with.
        predicted: That mask `[S, S]`.
        truth: The true one.
        random: What the place of the click is drawn from.
    """
    click = next_click(predicted, truth, random)
    if click is None:
        return prompt
    where, label = click
    points = np.concatenate([prompt.points, np.array([where], np.float32)])
    return Prompt(f"{prompt.name}, corrected", points, np.append(prompt.labels, label))
