from __future__ import annotations

import pytest
import torch

from dermoscope.losses.flat_masks import flat_masks


@pytest.mark.parametrize(
    ("given", "widened"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
@pytest.mark.parametrize("targets", [torch.bool, torch.uint8, torch.float32])
def test_one_row_an_image_of_one_wide_type(given: torch.dtype, widened: torch.dtype, targets: torch.dtype) -> None:
    scores, truth = flat_masks(torch.zeros(2, 3, 4, dtype=given), torch.ones(2, 3, 4, dtype=targets))
    assert scores.shape == truth.shape == (2, 12)
    assert scores.dtype == truth.dtype == widened
    assert bool((truth == 1).all())


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        ((2, 1, 4, 4), (2, 4, 4)),
        ((2, 4, 4), (2, 1, 4, 4)),
        ((2, 4, 4), (4, 4)),
        ((2, 8, 8), (2, 4, 4)),
        ((4, 4), (4, 4)),
    ],
)
def test_shapes_that_would_broadcast_are_errors(logits: tuple[int, ...], targets: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"logits and targets must both be \[B, h, w\], got"):
        flat_masks(torch.zeros(logits), torch.zeros(targets))
