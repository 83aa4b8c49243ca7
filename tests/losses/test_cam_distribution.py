from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from dermoscope.losses.cam_distribution import (
    CamNormalisation,
    cam_log_distribution,
    checked_cams,
    checked_positive,
    log_distribution_pairs,
)

BOTH: tuple[CamNormalisation, ...] = get_args(CamNormalisation)


def random_cams(*shape: int) -> Tensor:
    return 3 * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def hot_pixel() -> Tensor:
    cams = torch.zeros(1, 1, 3, 3)
    cams[0, 0, 1, 1] = 5
    return cams


@pytest.mark.parametrize(
    ("normalisation", "temperature", "expected"),
    [
        ("softmax", 1.0, [1 / 10, 3 / 10, 4 / 10, 2 / 10]),
        ("softmax", 0.5, [1 / 30, 9 / 30, 16 / 30, 4 / 30]),
        ("min-max", 1.0, [0.01 / 2.02, 0.505 / 2.02, 1.0 / 2.02, 0.505 / 2.02]),
        ("min-max", 0.5, [0.0001 / 1.51015, 0.255025 / 1.51015, 1.0 / 1.51015, 0.255025 / 1.51015]),
    ],
)
def test_value_by_hand(normalisation: CamNormalisation, temperature: float, expected: list[float]) -> None:
    values = [0.0, math.log(3), math.log(4), math.log(2)] if normalisation == "softmax" else [-3.0, 1.0, 5.0, 1.0]
    cams = torch.tensor(values, dtype=torch.float64).view(1, 1, 2, 2)
    logs = cam_log_distribution(cams, normalisation, temperature)
    assert logs.shape == (1, 1, 2, 2)
    assert logs.flatten().exp().tolist() == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("normalisation", BOTH)
def test_equals_a_loop_in_numpy(normalisation: CamNormalisation, temperature: float) -> None:
    cams = random_cams(2, 3, 4, 5)
    logs = cam_log_distribution(cams, normalisation, temperature)
    for image in range(2):
        for label in range(3):
            values = cams[image, label].numpy()
            if normalisation == "softmax":
                shares = np.exp(values / temperature)
            else:
                stretched = 0.01 + 0.99 * (values - values.min()) / (values.max() - values.min())
                shares = stretched ** (1 / temperature)
            np.testing.assert_allclose(logs[image, label].exp().numpy(), shares / shares.sum())


@pytest.mark.parametrize("constant", [0.0, -7.3, 1e4], ids=["zero", "negative", "large"])
@pytest.mark.parametrize("normalisation", BOTH)
def test_a_constant_map_is_uniform_with_a_moderate_gradient(normalisation: CamNormalisation, constant: float) -> None:
    cams = torch.full((2, 2, 4, 5), constant, requires_grad=True)
    logs = cam_log_distribution(cams, normalisation)
    torch.testing.assert_close(logs, torch.full_like(logs, -math.log(20)))
    logs[:, :, 0, 0].sum().backward()
    assert cams.grad is not None
    assert torch.isfinite(cams.grad).all()
    assert float(cams.grad.abs().max()) <= 1e4


def test_a_map_gets_flatter_once_its_range_is_small_when_stretched() -> None:
    cams = torch.linspace(0, 1, 16, dtype=torch.float64).view(1, 1, 4, 4)
    ratios = []
    for size in (1.0, 0.01, 1e-3, 1e-4, 1e-6):
        p = cam_log_distribution(1 + size * cams, "min-max").exp()
        ratios.append(float(p.max() / p.min()))
    assert ratios == pytest.approx([100, 100, 11, 2, 1.01])


def test_a_hot_pixel_has_all_or_a_hundred_times_the_others() -> None:
    assert float(cam_log_distribution(20 * hot_pixel())[0, 0, 1, 1].exp()) == pytest.approx(1)
    stretched = cam_log_distribution(hot_pixel(), "min-max")[0, 0]
    assert float((stretched[1, 1] - stretched[0, 0]).exp()) == pytest.approx(100, rel=1e-5)


@pytest.mark.parametrize("normalisation", BOTH)
def test_a_single_position_has_all(normalisation: CamNormalisation) -> None:
    assert cam_log_distribution(random_cams(2, 2, 1, 1), normalisation).abs().max() == 0


@pytest.mark.parametrize("normalisation", BOTH)
def test_far_logits_keep_the_logarithm_finite(normalisation: CamNormalisation) -> None:
    logs = cam_log_distribution(torch.tensor([-1e5, 1e5, 0.0, 3.0]).view(1, 1, 2, 2), normalisation)
    assert torch.isfinite(logs).all()
    assert float(logs.exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("normalisation", BOTH)
def test_a_shift_changes_nothing(normalisation: CamNormalisation) -> None:
    cams = random_cams(2, 3, 4, 5)
    torch.testing.assert_close(
        cam_log_distribution(cams - 40, normalisation), cam_log_distribution(cams, normalisation)
    )


@pytest.mark.parametrize("factor", [0.003, 1e5])
def test_a_factor_changes_nothing_after_stretching(factor: float) -> None:
    cams = random_cams(2, 3, 4, 5)
    torch.testing.assert_close(cam_log_distribution(factor * cams, "min-max"), cam_log_distribution(cams, "min-max"))


def test_a_temperature_undoes_a_factor_under_softmax() -> None:
    cams = random_cams(2, 3, 4, 5)
    torch.testing.assert_close(cam_log_distribution(4 * cams, "softmax", 4.0), cam_log_distribution(cams))


@pytest.mark.parametrize("temperature", [0.7, 1.0])
@pytest.mark.parametrize("normalisation", BOTH)
def test_gradient(normalisation: CamNormalisation, temperature: float) -> None:
    cams = random_cams(2, 2, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: cam_log_distribution(x, normalisation, temperature), cams)


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_each_pair_of_classes_once(classes: int) -> None:
    cams = random_cams(2, classes, 3, 4)
    first, second = log_distribution_pairs(cams, "min-max", 2.0)
    logs = cam_log_distribution(cams, "min-max", 2.0).flatten(2)
    pairs = [(one, other) for one in range(classes) for other in range(one + 1, classes)]
    assert first.shape == second.shape == (2, len(pairs), 12)
    for number, (one, other) in enumerate(pairs):
        assert torch.equal(first[:, number], logs[:, one])
        assert torch.equal(second[:, number], logs[:, other])


@pytest.mark.parametrize(
    ("given", "widened"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
@pytest.mark.parametrize("normalisation", BOTH)
def test_half_precision_is_widened(normalisation: CamNormalisation, given: torch.dtype, widened: torch.dtype) -> None:
    cams = random_cams(1, 2, 8, 8).to(given)
    logs = cam_log_distribution(cams, normalisation)
    assert logs.dtype == widened
    torch.testing.assert_close(logs, cam_log_distribution(cams.to(widened), normalisation))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("normalisation", BOTH)
def test_values_must_be_finite(normalisation: CamNormalisation, value: float) -> None:
    cams = torch.zeros(2, 2, 3, 3)
    cams[1, 1, 2, 2] = value
    with pytest.raises(ValueError, match="cams must be finite, got 1 values"):
        cam_log_distribution(cams, normalisation)


@pytest.mark.parametrize(
    ("shape", "least"), [((2, 3, 3), 1), ((2, 1, 3, 3, 3), 1), ((2, 1, 3, 3), 2), ((2, 2, 3, 3), 3)]
)
def test_shape_and_number_of_classes(shape: tuple[int, ...], least: int) -> None:
    with pytest.raises(ValueError, match=rf"cams must be \[B, K, h, w\] with K >= {least}, got"):
        checked_cams(torch.zeros(shape), least)


def test_a_pair_needs_two_classes() -> None:
    with pytest.raises(ValueError, match="K >= 2"):
        log_distribution_pairs(torch.zeros(2, 1, 3, 3))


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_parameters_must_be_positive(value: float) -> None:
    with pytest.raises(ValueError, match="strength must be positive"):
        checked_positive(value, "strength")
    with pytest.raises(ValueError, match="temperature must be positive"):
        cam_log_distribution(torch.zeros(1, 1, 2, 2), "softmax", value)
