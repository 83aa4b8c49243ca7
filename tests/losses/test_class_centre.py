from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from dermoscope.losses.class_centre import CentreLoss, centre_loss


def batch(classes: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Features `[5, 4]`, labels `[5]` and centres `[K, 4]`, in float64."""
    random = torch.Generator().manual_seed(0)
    features = torch.randn(5, 4, dtype=torch.float64, generator=random)
    centres = torch.randn(classes, 4, dtype=torch.float64, generator=random)
    return features, torch.tensor([1, 0, classes - 1, 1, 0]), centres


@pytest.mark.parametrize(("averaged", "expected"), [(False, (25 + 1) / 2), (True, (25 + 1) / 4)])
def test_value_by_hand(averaged: bool, expected: float) -> None:
    features = torch.tensor([[4.0, 6.0], [0.0, 1.0]])
    centres = torch.tensor([[0.0, 0.0], [9.0, 9.0], [1.0, 2.0]])
    loss = centre_loss(features, torch.tensor([2, 0]), centres, averaged)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_equals_a_loop_in_numpy(classes: int, averaged: bool) -> None:
    features, labels, centres = batch(classes)
    distances = [
        np.linalg.norm(row - centres.numpy()[label]) ** 2 / (4 if averaged else 1)
        for row, label in zip(features.numpy(), labels.tolist(), strict=True)
    ]
    assert float(centre_loss(features, labels, centres, averaged)) == pytest.approx(np.mean(distances))


def test_features_at_their_centres_cost_nothing() -> None:
    _, labels, centres = batch()
    features = centres[labels].requires_grad_()
    loss = centre_loss(features, labels, centres)
    loss.backward()
    assert float(loss.detach()) == 0
    assert features.grad is not None
    assert features.grad.abs().max() == 0


def test_moving_all_together_changes_nothing() -> None:
    features, labels, centres = batch()
    loss = float(centre_loss(features, labels, centres))
    assert float(centre_loss(features + 7, labels, centres + 7)) == pytest.approx(loss)
    order = torch.tensor([2, 0, 1])
    assert float(centre_loss(features, order.argsort()[labels], centres[order])) == pytest.approx(loss)


def test_averaging_makes_wide_features_count_like_narrow_ones() -> None:
    features, labels, centres = batch()
    wide, far = features.repeat(1, 10), centres.repeat(1, 10)
    assert float(centre_loss(wide, labels, far)) == pytest.approx(float(centre_loss(features, labels, centres)))
    plain = float(centre_loss(features, labels, centres, averaged=False))
    assert float(centre_loss(wide, labels, far, averaged=False)) == pytest.approx(10 * plain)


def test_centres_have_no_gradient() -> None:
    features, labels, centres = batch()
    features.requires_grad_()
    centres.requires_grad_()
    centre_loss(features, labels, centres).backward()
    assert features.grad is not None
    assert centres.grad is None


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_gradient(classes: int, averaged: bool) -> None:
    features, labels, centres = batch(classes)
    assert torch.autograd.gradcheck(lambda x: centre_loss(x, labels, centres, averaged), features.requires_grad_())


def test_half_precision_is_summed_in_single() -> None:
    random = torch.Generator().manual_seed(0)
    features = (100 * torch.randn(4, 1280, generator=random)).half()
    centres = torch.zeros(2, 1280, dtype=torch.float16)
    loss = centre_loss(features, torch.zeros(4, dtype=torch.int64), centres, averaged=False)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(features.double().square().sum(dim=1).mean()), rel=1e-5)
    assert float(loss) > torch.finfo(torch.float16).max


def test_centres_of_absent_classes_may_be_unknown() -> None:
    features, labels, centres = batch(2)
    unknown = torch.cat([centres, torch.full((1, 4), math.nan, dtype=torch.float64)])
    assert float(centre_loss(features, labels, unknown)) == float(centre_loss(features, labels, centres))
    with pytest.raises(ValueError, match="centres must be finite, got 4 values"):
        centre_loss(features, torch.tensor([0, 1, 2, 1, 0]), unknown)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_features_must_be_finite(value: float) -> None:
    features, labels, centres = batch()
    features[2, 1] = value
    with pytest.raises(ValueError, match="features must be finite, got 1 values"):
        centre_loss(features, labels, centres)


@pytest.mark.parametrize(
    ("features", "centres"),
    [((5, 4), (3, 1)), ((5, 1), (3, 4)), ((5, 4), (4,)), ((5, 4, 1, 1), (3, 4)), ((5,), (3, 5))],
)
def test_shapes_that_would_broadcast_are_errors(features: tuple[int, ...], centres: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"features and centres must be \[B, F\] and \[K, F\], got"):
        centre_loss(torch.zeros(features), torch.zeros(5, dtype=torch.int64), torch.zeros(centres))


@pytest.mark.parametrize("shape", [(4,), (1,), (5, 1)])
def test_each_sample_needs_a_label(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"labels must be \[5\]"):
        centre_loss(torch.zeros(5, 4), torch.zeros(shape, dtype=torch.int64), torch.zeros(3, 4))


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_must_have_a_centre(label: int) -> None:
    with pytest.raises(IndexError):
        centre_loss(torch.zeros(1, 4), torch.tensor([label]), torch.zeros(3, 4))


def test_the_module_keeps_its_parameter() -> None:
    given = batch()
    assert float(CentreLoss()(*given)) == float(centre_loss(*given))
    assert float(CentreLoss(averaged=False)(*given)) == float(centre_loss(*given, averaged=False))
    assert float(CentreLoss()(*given)) != float(CentreLoss(averaged=False)(*given))
