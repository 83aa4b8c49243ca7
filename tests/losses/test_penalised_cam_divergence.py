from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from dermoscope.losses.cam_distribution import CamNormalisation, cam_log_distribution
from dermoscope.losses.cam_divergence import cam_divergence
from dermoscope.losses.penalised_cam_divergence import (
    PenalisedCamDivergence,
    PenaltyPer,
    penalised_cam_divergence,
    redescending,
)

NORMALISATIONS: tuple[CamNormalisation, ...] = get_args(CamNormalisation)
PER: tuple[PenaltyPer, ...] = get_args(PenaltyPer)


def random_cams(classes: int, images: int = 3) -> Tensor:
    return torch.randn(images, classes, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def maps_of(*distributions: list[float]) -> Tensor:
    """One image of maps `[1, K, 1, N]` whose softmax are these distributions."""
    return torch.tensor(distributions, dtype=torch.float64).log()[None, :, None, :]


def penalty(x: float, strength: float) -> float:
    return x / (strength * x**2 + 1)


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_the_penalty_rises_to_its_peak_and_falls(strength: float) -> None:
    peak = 1 / math.sqrt(strength)
    x = torch.tensor([-peak, 0.0, 1e-4 * peak, peak / 2, peak, 2 * peak, 1e6 * peak], dtype=torch.float64)
    expected = [-peak / 2, 0, 1e-4 * peak, peak * 0.4, peak / 2, peak * 0.4, 1e-6 * peak]
    assert redescending(x, strength).tolist() == pytest.approx(expected, rel=1e-7)
    x = torch.linspace(0, 20 * peak, 20001, dtype=torch.float64)
    assert float(x[redescending(x, strength).argmax()]) == pytest.approx(peak, abs=1e-3 * peak)


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_value_by_hand(strength: float) -> None:
    cams = maps_of([0.8, 0.2], [0.2, 0.8])
    high, low = 1.6 * math.log(4), -0.4 * math.log(4)
    pixel = penalised_cam_divergence(cams, strength)
    assert pixel.shape == ()
    assert float(pixel) == pytest.approx(penalty(high, strength) + penalty(low, strength))
    either = 0.6 * math.log(4)
    assert float(penalised_cam_divergence(cams, strength, "sum")) == pytest.approx(2 * penalty(either, strength))


def test_both_directions_count_when_they_differ() -> None:
    cams = maps_of([0.5, 0.5], [0.25, 0.75])
    forth = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    back = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    assert float(penalised_cam_divergence(cams, 9.0, "sum")) == pytest.approx(penalty(forth, 9) + penalty(back, 9))


@pytest.mark.parametrize("strength", [0.1, 10.0])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("per", PER)
def test_equals_a_loop_in_numpy(
    per: PenaltyPer, normalisation: CamNormalisation, classes: int, strength: float
) -> None:
    cams = random_cams(classes)
    losses = []
    for image in cam_log_distribution(cams, normalisation, 0.7).exp().flatten(2).numpy():
        for one in range(classes):
            for other in range(one):
                p, q = image[one], image[other]
                if per == "pixel":
                    p, q = p / p.mean(), q / q.mean()
                a, b = p * np.log(p) - p * np.log(q), q * np.log(q) - q * np.log(p)
                if per == "sum":
                    a, b = a.sum(), b.sum()
                losses.append(np.mean(a / (strength * a**2 + 1) + b / (strength * b**2 + 1)))
    loss = penalised_cam_divergence(cams, strength, per, normalisation, 0.7)
    assert float(loss) == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("per", PER)
def test_a_weak_penalty_gives_the_plain_divergence(per: PenaltyPer) -> None:
    cams = random_cams(3)
    assert float(penalised_cam_divergence(cams, 1e-9, per)) == pytest.approx(float(cam_divergence(cams)), rel=1e-5)


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_a_position_counts_less_than_zero_where_the_docstring_says(strength: float) -> None:
    # Two positions: the rescaled distributions are (x, 2 - x) and its mirror image, so both positions say the same.
    signs = set()
    for x in np.linspace(1.01, 1.999, 200):
        loss = float(penalised_cam_divergence(maps_of([x / 2, 1 - x / 2], [1 - x / 2, x / 2]), strength))
        negative = strength * x * (2 - x) * math.log(x / (2 - x)) ** 2 > 1
        assert (loss < 0) == negative
        assert loss >= -1 / (2 * math.sqrt(strength))
        signs.add(negative)
    assert signs == ({False} if strength == 0.1 else {False, True})


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_no_position_is_negative_while_both_maps_stay_below_the_bound(strength: float) -> None:
    bound = math.e / (2 * math.sqrt(strength))
    p, q = np.meshgrid(*[np.linspace(1e-6, bound, 1500)] * 2)
    a, b = p * np.log(p / q), q * np.log(q / p)
    assert (a / (strength * a**2 + 1) + b / (strength * b**2 + 1)).min() >= -1e-9
    # The bound is sharp: a little beyond it there is a pair that is negative.
    high = 1.01 * bound
    assert penalty(2 * high, strength) + penalty(-2 * high / math.e**2, strength) < 0


def test_shares_of_negative_images_that_the_docstring_gives() -> None:
    random = torch.Generator().manual_seed(0)
    cams = torch.randn(2000, 1, 2, 10, 10, generator=random)
    shares = [
        np.mean([float(penalised_cam_divergence(image, strength)) < 0 for image in cams])
        for strength in (0.1, 1.0, 10.0)
    ]
    assert shares[0] == 0
    assert shares[1] == pytest.approx(0.03, abs=0.01)
    assert shares[2] == 1


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0])
def test_the_penalty_of_sums_stays_between_zero_and_its_bound(strength: float) -> None:
    for scale in (0.1, 1.0, 10.0, 100.0):
        for image in scale * random_cams(2, 100):
            loss = float(penalised_cam_divergence(image[None], strength, "sum"))
            assert 0 <= loss <= 1 / math.sqrt(strength)


def test_the_penalty_of_sums_falls_for_maps_far_apart() -> None:
    cams = maps_of([0.8, 0.2], [0.2, 0.8])
    near, far = (float(penalised_cam_divergence(factor * cams, 1.0, "sum")) for factor in (1, 30))
    assert far < near / 5


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("per", PER)
def test_maps_that_agree_are_a_local_minimum_of_zero(per: PenaltyPer, normalisation: CamNormalisation) -> None:
    random = torch.Generator().manual_seed(1)
    cams = random_cams(1).expand(-1, 3, -1, -1).clone().requires_grad_()
    loss = penalised_cam_divergence(cams, 1.0, per, normalisation)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-12)
    assert cams.grad is not None
    assert float(cams.grad.abs().max()) == pytest.approx(0, abs=1e-12)
    for _ in range(20):
        nudged = cams.detach() + 0.01 * torch.randn(cams.shape, dtype=torch.float64, generator=random)
        assert float(penalised_cam_divergence(nudged, 1.0, per, normalisation)) > 1e-6


@pytest.mark.parametrize("per", PER)
def test_order_of_classes_and_a_shift_do_not_matter(per: PenaltyPer) -> None:
    cams = random_cams(3)
    loss = float(penalised_cam_divergence(cams, 0.1, per))
    assert loss > 0.05
    assert float(penalised_cam_divergence(cams[:, [2, 0, 1]], 0.1, per)) == pytest.approx(loss)
    assert float(penalised_cam_divergence(cams + 5, 0.1, per)) == pytest.approx(loss)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("per", PER)
def test_gradient(per: PenaltyPer, normalisation: CamNormalisation, classes: int) -> None:
    cams = random_cams(classes).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: penalised_cam_divergence(x, 1.0, per, normalisation), cams)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("per", PER)
@pytest.mark.parametrize("kind", ["zero", "constant", "one hot", "far apart", "one position"])
def test_degenerate_maps_keep_loss_and_gradient_finite(
    kind: str, per: PenaltyPer, normalisation: CamNormalisation
) -> None:
    cams = torch.zeros(2, 2, 4, 4)
    if kind == "constant":
        cams[:, 0] = 3
    elif kind == "one hot":
        cams[:, 0, 1, 1] = 50
    elif kind == "far apart":
        cams[:, 0, 1, 1], cams[:, 1, 2, 2] = 1e4, 1e4
    elif kind == "one position":
        cams = torch.arange(4.0).view(2, 2, 1, 1)
    loss = penalised_cam_divergence(cams.requires_grad_(), 1.0, per, normalisation)
    loss.backward()
    assert torch.isfinite(loss)
    assert cams.grad is not None
    assert torch.isfinite(cams.grad).all()
    if kind not in {"one hot", "far apart"}:
        assert float(loss.detach()) == pytest.approx(0, abs=1e-6)


def test_half_precision_is_compared_in_single() -> None:
    cams = (10 * random_cams(2)).bfloat16()
    loss = penalised_cam_divergence(cams, 1.0)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(penalised_cam_divergence(cams.float(), 1.0)), abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_must_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match="cams must be finite"):
        penalised_cam_divergence(torch.full((1, 2, 3, 3), value), 1.0)


@pytest.mark.parametrize("shape", [(2, 1, 3, 3), (2, 3, 3)])
def test_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[B, K, h, w\] with K >= 2"):
        penalised_cam_divergence(torch.zeros(shape), 1.0)


def test_the_module_keeps_its_parameters() -> None:
    cams = random_cams(2)
    assert float(PenalisedCamDivergence(0.3)(cams)) == float(penalised_cam_divergence(cams, 0.3))
    settings: list[tuple[float, PenaltyPer, CamNormalisation, float]] = [
        (0.3, "sum", "min-max", 0.5),
        (3.0, "pixel", "min-max", 0.5),
        (0.3, "pixel", "softmax", 0.5),
        (0.3, "pixel", "softmax", 2.0),
    ]
    losses = [float(penalised_cam_divergence(cams, *setting)) for setting in settings]
    assert [float(PenalisedCamDivergence(*setting)(cams)) for setting in settings] == losses
    assert len(set(losses)) == len(settings)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive(value: float) -> None:
    with pytest.raises(ValueError, match="strength must be positive"):
        PenalisedCamDivergence(value)
    with pytest.raises(ValueError, match="temperature must be positive"):
        PenalisedCamDivergence(1.0, temperature=value)
    with pytest.raises(ValueError, match="strength must be positive"):
        penalised_cam_divergence(random_cams(2), value)
    with pytest.raises(ValueError, match="temperature must be positive"):
        penalised_cam_divergence(random_cams(2), 1.0, temperature=value)
