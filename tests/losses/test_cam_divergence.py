from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from dermoscope.losses.cam_distribution import CamNormalisation, cam_log_distribution
from dermoscope.losses.cam_divergence import CamDivergence, cam_divergence

BOTH: tuple[CamNormalisation, ...] = get_args(CamNormalisation)


def random_cams(classes: int) -> Tensor:
    return 2 * torch.randn(3, classes, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def maps_of(*distributions: list[float]) -> Tensor:
    """One image of maps `[1, K, 1, N]` whose softmax are these distributions."""
    return torch.tensor(distributions, dtype=torch.float64).log()[None, :, None, :]


@pytest.mark.parametrize(
    ("cams", "normalisation", "expected"),
    [
        (maps_of([0.8, 0.2], [0.2, 0.8]), "softmax", 1.2 * math.log(4)),
        (maps_of([0.5, 0.5], [0.25, 0.75]), "softmax", 0.25 * math.log(2) + 0.25 * math.log(1.5)),
        (
            maps_of([0.8, 0.2], [0.2, 0.8], [0.8, 0.2]),
            "softmax",
            (1.2 * math.log(4) + 0 + 1.2 * math.log(4)) / 3,
        ),
        (torch.tensor([[[[0.0, 5.0]], [[3.0, -1.0]]]]), "min-max", 2 * 0.99 / 1.01 * math.log(100)),
        (torch.tensor([[[[0.0, 5.0]], [[4.0, 4.0]]]]), "min-max", (1 / 1.01 - 0.5) * math.log(100)),
    ],
)
def test_value_by_hand(cams: Tensor, normalisation: CamNormalisation, expected: float) -> None:
    loss = cam_divergence(cams, normalisation)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.5, 1.0])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("normalisation", BOTH)
def test_equals_a_loop_in_numpy(normalisation: CamNormalisation, classes: int, temperature: float) -> None:
    cams = random_cams(classes)
    losses = []
    for image in cam_log_distribution(cams, normalisation, temperature).exp().numpy():
        for one in range(classes):
            for other in range(one):
                p, q = image[one], image[other]
                losses.append((p * np.log(p / q)).sum() + (q * np.log(q / p)).sum())
    assert float(cam_divergence(cams, normalisation, temperature)) == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("normalisation", BOTH)
def test_maps_that_agree_cost_nothing(normalisation: CamNormalisation) -> None:
    cams = random_cams(1).expand(-1, 3, -1, -1).clone()
    cams[:, 1] += 9
    loss = cam_divergence(cams.requires_grad_(), normalisation)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-12)
    assert cams.grad is not None
    assert float(cams.grad.abs().max()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("normalisation", BOTH)
def test_order_of_classes_and_of_positions_does_not_matter(normalisation: CamNormalisation) -> None:
    cams = random_cams(3)
    loss = float(cam_divergence(cams, normalisation))
    assert loss > 0.1
    assert float(cam_divergence(cams[:, [2, 0, 1]], normalisation)) == pytest.approx(loss)
    assert float(cam_divergence(cams.flip(2, 3), normalisation)) == pytest.approx(loss)
    assert float(cam_divergence(cams + 5, normalisation)) == pytest.approx(loss)


def test_minimising_makes_maps_agree() -> None:
    cams = random_cams(3).requires_grad_()
    start = float(cam_divergence(cams).detach())
    for _ in range(300):
        (gradient,) = torch.autograd.grad(cam_divergence(cams), cams)
        cams = (cams - 5 * gradient).detach().requires_grad_()
    assert float(cam_divergence(cams).detach()) < 0.01 * start


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("normalisation", BOTH)
def test_gradient(normalisation: CamNormalisation, classes: int) -> None:
    assert torch.autograd.gradcheck(lambda x: cam_divergence(x, normalisation), random_cams(classes).requires_grad_())


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("normalisation", BOTH)
@pytest.mark.parametrize("kind", ["zero", "constant", "one hot", "far apart", "one position"])
def test_degenerate_maps_keep_loss_and_gradient_finite(
    kind: str, normalisation: CamNormalisation, classes: int
) -> None:
    cams = torch.zeros(2, classes, 4, 4)
    if kind == "constant":
        cams[:, 0] = 3
    elif kind == "one hot":
        cams[:, 0, 1, 1] = 50
    elif kind == "far apart":
        cams[:, 0, 1, 1], cams[:, 1, 2, 2] = 1e4, 1e4
    elif kind == "one position":
        cams = torch.arange(2.0 * classes).view(2, classes, 1, 1)
    loss = cam_divergence(cams.requires_grad_(), normalisation)
    loss.backward()
    assert torch.isfinite(loss)
    assert cams.grad is not None
    assert torch.isfinite(cams.grad).all()
    assert (float(loss.detach()) > 0.1) == (kind in {"one hot", "far apart"})


def test_half_precision_is_compared_in_single() -> None:
    cams = (10 * random_cams(2)).bfloat16()
    loss = cam_divergence(cams)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(cam_divergence(cams.float())), abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_must_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match="cams must be finite"):
        cam_divergence(torch.full((1, 2, 3, 3), value))


@pytest.mark.parametrize("shape", [(2, 1, 3, 3), (2, 3, 3)])
def test_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[B, K, h, w\] with K >= 2"):
        cam_divergence(torch.zeros(shape))


def test_the_module_keeps_its_parameters() -> None:
    cams = random_cams(2)
    assert float(CamDivergence()(cams)) == float(cam_divergence(cams))
    assert float(CamDivergence("min-max", 0.5)(cams)) == float(cam_divergence(cams, "min-max", 0.5))
    assert len({float(cam_divergence(cams, kind, heat)) for kind in BOTH for heat in (0.5, 1.0)}) == 4


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be positive"):
        CamDivergence(temperature=temperature)
    with pytest.raises(ValueError, match="temperature must be positive"):
        cam_divergence(random_cams(2), temperature=temperature)
