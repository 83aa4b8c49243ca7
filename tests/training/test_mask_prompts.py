"""Training prompts are mixed as the recipe says, and a correction adds one click where it is needed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch

from dermoscope.segment.prompts import Prompt, box_prompt, clicks, no_prompt
from dermoscope.training.mask_prompts import corrected, drawn_prompt, prompt_batch
from dermoscope.training.recipes.masks import PromptsPart

MASK = np.zeros((20, 20), np.bool_)
MASK[5:15, 5:15] = True


def test_kinds_are_drawn_as_often_as_the_recipe_says() -> None:
    random = np.random.default_rng(0)
    part = PromptsPart(none=0.5, box=0.3, clicks=0.2, most_clicks=3)
    drawn = [drawn_prompt(MASK, part, random) for _ in range(2000)]
    share = {name: count / 2000 for name, count in Counter(prompt.name for prompt in drawn).items()}
    assert {name: round(value, 1) for name, value in share.items()} == {
        "no prompt": 0.5,
        "jittered box": 0.3,
        "clicks": 0.2,
    }
    pointed = [prompt for prompt in drawn if prompt.name == "clicks"]
    assert {len(prompt.labels) for prompt in pointed} == {1, 2, 3}
    assert all(MASK[int(y), int(x)] for prompt in pointed for x, y in prompt.points)


def test_where_there_is_no_lesion_nothing_is_pointed_at() -> None:
    random = np.random.default_rng(0)
    part = PromptsPart(none=0.0, box=0.5, clicks=0.5)
    assert {drawn_prompt(np.zeros((9, 9), np.bool_), part, random).name for _ in range(20)} == {"no prompt"}


def test_a_batch_is_filled_up_and_scaled_to_the_input() -> None:
    batch = prompt_batch([no_prompt(), box_prompt("box", (1, 2, 3, 4)), clicks([[5, 6]] * 3, [1, 0, 1])], 2.0)
    assert batch.labels.tolist() == [[-1, -1, -1], [2, 3, -1], [1, 0, 1]]
    assert batch.points[1].tolist() == [[2, 4], [6, 8], [0, 0]]
    assert batch.previous is None
    assert prompt_batch([no_prompt()], 1.0).labels.tolist() == [[-1, -1]]


def test_earlier_masks_carry_no_gradient() -> None:
    logits = torch.zeros(2, 8, 8, requires_grad=True)
    batch = prompt_batch([no_prompt()] * 2, 1.0, logits)
    assert batch.previous is not None
    assert batch.previous.shape == (2, 1, 8, 8)
    assert not batch.previous.requires_grad
    assert batch.has_previous is not None
    assert batch.has_previous.tolist() == [1, 1]


def test_a_correction_adds_the_click_that_is_missing() -> None:
    random = np.random.default_rng(0)
    box = box_prompt("jittered box", (4, 4, 16, 16))
    missed = corrected(box, np.zeros_like(MASK), MASK, random)
    assert missed.labels.tolist() == [2, 3, 1]
    assert MASK[int(missed.points[-1, 1]), int(missed.points[-1, 0])]
    too_much = corrected(box, np.ones_like(MASK), MASK, random)
    assert too_much.labels.tolist() == [2, 3, 0]
    assert not MASK[int(too_much.points[-1, 1]), int(too_much.points[-1, 0])]
    right: Prompt = corrected(box, MASK, MASK, random)
    assert right is box
