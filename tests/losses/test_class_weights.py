from __future__ import annotations

import pytest
import torch

from dermoscope.losses.class_weights import checked_weights, inverse_frequency


@pytest.mark.parametrize(
    ("counts", "weights"),
    [([5, 5], [1, 1]), ([30, 10], [2 / 3, 2]), ([117_490, 19_632], [0.5835, 3.4923]), ([7], [1])],
)
def test_by_hand(counts: list[int], weights: list[float]) -> None:
    assert inverse_frequency(counts).tolist() == pytest.approx(weights, abs=1e-4)


def test_the_published_ratio_of_the_gate() -> None:
    skin, other = inverse_frequency([117_490, 19_632]).tolist()
    assert other / skin == pytest.approx(5.98, abs=0.01)


def test_the_mean_weight_of_a_sample_is_one() -> None:
    counts = [3, 50, 7]
    assert float(inverse_frequency(counts) @ torch.tensor(counts, dtype=torch.float32)) == pytest.approx(60)


@pytest.mark.parametrize("counts", [[], [3, 0]])
def test_an_empty_class_has_no_weight(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="every class needs a sample"):
        inverse_frequency(counts)


def test_checked_weights_are_a_copy() -> None:
    given = torch.ones(2)
    kept = checked_weights(given)
    given *= 3
    assert kept.tolist() == [1, 1]
    with pytest.raises(ValueError, match=r"class_weights must be positive, got \[3\.0, 0\.0\]"):
        checked_weights(torch.tensor([3.0, 0.0]))
