from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from dermoscope.losses.lesion_focus import LesionFocusLoss, lesion_focus_loss, map_correlation, usable_masks


def batch(classes: int = 2) -> tuple[Tensor, Tensor]:
    """Maps `[4, K, 4, 5]` and masks `[4, 4, 5]` in float64; the second mask is empty and the third full."""
    random = torch.Generator().manual_seed(0)
    cams = 3 * torch.randn(4, classes, 4, 5, dtype=torch.float64, generator=random) - 1
    masks = torch.rand(4, 4, 5, dtype=torch.float64, generator=random)
    masks[1], masks[2] = 0, 1
    masks[3] = masks[3].round()
    return cams, masks


@pytest.mark.parametrize(
    ("values", "correlation"),
    [
        ([0.0, 0.0, 1.0, 1.0], 1.0),
        ([4.0, 4.0, -2.0, -2.0], -1.0),
        ([0.0, 1.0, 0.0, 1.0], 0.0),
        ([1.0, 2.0, 3.0, 4.0], 2 / math.sqrt(5)),
        ([7.0, 7.0, 7.0, 7.0], 0.0),
        ([0.0, 0.0, 9.0, 0.0], 1 / math.sqrt(3)),
    ],
)
def test_value_by_hand(values: list[float], correlation: float) -> None:
    cams = torch.tensor([values, [0.0, 0.0, 1.0, 1.0]], dtype=torch.float64).view(1, 2, 2, 2)
    masks = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64).view(1, 2, 2)
    assert map_correlation(cams, masks).tolist() == [pytest.approx([correlation, 1.0])]
    loss = lesion_focus_loss(cams, masks)
    assert loss.shape == ()
    assert float(loss) == pytest.approx((1 - correlation) / 2)


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_equals_a_loop_in_numpy(classes: int) -> None:
    cams, masks = batch(classes)
    found = map_correlation(cams, masks)
    assert found.shape == (4, classes)
    losses = []
    for image in (0, 3):
        for label in range(classes):
            r = np.corrcoef(cams[image, label].numpy().ravel(), masks[image].numpy().ravel())[0, 1]
            assert float(found[image, label]) == pytest.approx(r)
            losses.append(1 - r)
    assert float(lesion_focus_loss(cams, masks)) == pytest.approx(np.mean(losses))


def test_images_without_lesion_or_skin_are_left_out() -> None:
    cams, masks = batch()
    assert usable_masks(masks).tolist() == [True, False, False, True]
    assert map_correlation(cams, masks)[1:3].tolist() == [[0, 0], [0, 0]]
    cams.requires_grad_()
    loss = lesion_focus_loss(cams, masks)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(lesion_focus_loss(cams.detach()[[0, 3]], masks[[0, 3]])))
    assert cams.grad is not None
    assert cams.grad[1:3].abs().max() == 0
    assert (cams.grad[[0, 3]] != 0).any(dim=3).all()


@pytest.mark.parametrize("share", [0.0, 1.0, 0.3])
def test_without_a_usable_image_the_loss_is_zero_and_differentiable(share: float) -> None:
    cams = batch()[0].requires_grad_()
    loss = lesion_focus_loss(cams, torch.full((4, 4, 5), share))
    loss.backward()
    assert float(loss.detach()) == 0
    assert cams.grad is not None
    assert cams.grad.abs().max() == 0


def test_a_single_position_has_no_usable_mask() -> None:
    cams = torch.ones(2, 2, 1, 1, requires_grad=True)
    loss = lesion_focus_loss(cams, torch.tensor([0.0, 1.0]).view(2, 1, 1))
    loss.backward()
    assert float(loss.detach()) == 0


@pytest.mark.parametrize(("other", "usable"), [(1.0, False), (1 - 1e-7, False), (1 - 1e-4, True), (0.0, True)], ids=str)
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_rounding_does_not_make_a_mask_usable(kind: torch.dtype, other: float, usable: bool) -> None:
    masks = torch.ones(1, 4, 4, dtype=kind)
    masks[0, 0, 0] = other
    cams = torch.arange(32, dtype=kind).view(1, 2, 4, 4)
    assert bool(usable_masks(masks)) == usable
    assert (map_correlation(cams, masks) != 0).tolist() == [[usable, usable]]


def test_boolean_masks_count_as_shares() -> None:
    cams, masks = batch()
    hard = masks > 0.5
    assert float(lesion_focus_loss(cams, hard)) == pytest.approx(float(lesion_focus_loss(cams, hard.double())))
    assert usable_masks(hard).tolist() == [True, False, False, True]


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("shift", [0.0, -50.0])
def test_shift_and_factor_of_a_map_change_nothing(factor: float, shift: float) -> None:
    cams, masks = batch()
    moved = cams.clone()
    moved[:, 0] = factor * moved[:, 0] + shift
    torch.testing.assert_close(map_correlation(moved, masks), map_correlation(cams, masks))
    assert float(lesion_focus_loss(moved, masks)) == pytest.approx(float(lesion_focus_loss(cams, masks)))


def test_the_sign_of_a_map_turns_its_correlation() -> None:
    cams, masks = batch()
    torch.testing.assert_close(map_correlation(-cams, masks), -map_correlation(cams, masks))


def test_best_and_worst_map() -> None:
    _, masks = batch()
    mask = masks[[0, 3], None].float().expand(-1, 2, -1, -1)
    assert float(lesion_focus_loss(8 * mask - 3, masks[[0, 3]])) == pytest.approx(0, abs=1e-6)
    assert float(lesion_focus_loss(3 - 8 * mask, masks[[0, 3]])) == pytest.approx(2, abs=1e-6)


@pytest.mark.parametrize("kind", ["zero", "constant", "almost constant", "one hot"])
def test_degenerate_maps_keep_loss_and_gradient_finite(kind: str) -> None:
    masks = torch.zeros(2, 4, 4)
    masks[:, 1:3, 1:3] = 1
    cams = torch.zeros(2, 2, 4, 4)
    expected = 1.0
    if kind == "constant":
        cams += 37.3
    elif kind == "almost constant":
        cams += 1 + 1e-6 * torch.rand(cams.shape, generator=torch.Generator().manual_seed(0))
    elif kind == "one hot":
        cams[:, :, 1, 1] = 50
        expected = 1 - 1 / math.sqrt(5)
    loss = lesion_focus_loss(cams.requires_grad_(), masks)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(expected, abs=0.01)
    assert cams.grad is not None
    assert torch.isfinite(cams.grad).all()
    assert float(cams.grad.abs().max()) < 1e3


def test_a_flat_map_is_drawn_to_the_mask() -> None:
    masks = batch()[1][[0]]
    cams = torch.zeros(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(lesion_focus_loss(cams, masks), cams)
    assert float(lesion_focus_loss(cams.detach() - gradient, masks)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_gradient(classes: int) -> None:
    cams, masks = batch(classes)
    assert torch.autograd.gradcheck(lambda x: lesion_focus_loss(x, masks), cams.requires_grad_())


def test_half_precision_is_summed_in_single() -> None:
    random = torch.Generator().manual_seed(0)
    masks = torch.rand(2, 32, 32, generator=random)
    cams = (masks[:, None] + torch.randn(2, 2, 32, 32, generator=random)).bfloat16()
    found = map_correlation(cams, masks.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, map_correlation(cams.float(), masks.bfloat16().float()))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_must_be_finite(value: float) -> None:
    cams, masks = batch()
    with pytest.raises(ValueError, match="cams must be finite"):
        lesion_focus_loss(torch.full_like(cams, value), masks)
    with pytest.raises(ValueError, match="masks must be finite"):
        lesion_focus_loss(cams, torch.full_like(masks, value))


@pytest.mark.parametrize("shape", [(4, 1, 4, 5), (4, 5), (4, 8, 10), (1, 4, 5), (4, 5, 4)])
def test_shapes_must_agree(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"masks must be \[B, h, w\] at the resolution of the maps"):
        lesion_focus_loss(batch()[0], torch.zeros(shape))
    with pytest.raises(ValueError, match=r"cams must be \[B, K, h, w\]"):
        lesion_focus_loss(torch.zeros(4, 4, 5), torch.zeros(4, 4, 5))


def test_the_module_is_the_function() -> None:
    cams, masks = batch(3)
    assert float(LesionFocusLoss()(cams, masks)) == float(lesion_focus_loss(cams, masks))
