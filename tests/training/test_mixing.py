from __future__ import annotations

import numpy as np
import pytest
import torch

from dermoscope.training.mixing import cutmix, mix, mixup
from dermoscope.training.recipes.schema import CutMixPart, MixingPart, MixUpPart

FEATURES = torch.arange(60.0).reshape(6, 10)
PUBLISHED = MixingPart(
    after_epoch=2,
    mixup=MixUpPart(probability=0.25, alpha=0.2, first_is_larger=True),
    cutmix=CutMixPart(probability=0.25, alpha=1.0),
)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixup_is_a_sum(share: float) -> None:
    mixed = mixup(FEATURES, share, random())
    torch.testing.assert_close(mixed.features, share * FEATURES + (1 - share) * FEATURES[mixed.partner])
    assert mixed.share == share
    assert sorted(mixed.partner.tolist()) == list(range(6))


@pytest.mark.parametrize(("share", "stays"), [(0.0, 0), (0.24, 2), (0.5, 5), (0.77, 8), (1.0, 10)])
def test_cutmix_exchanges_a_run(share: float, stays: int) -> None:
    for seed in range(10):
        mixed = cutmix(FEATURES, share, random(seed))
        taken = mixed.features[0] != FEATURES[0]
        other = mixed.partner[0] != 0
        assert mixed.share == pytest.approx(stays / 10)
        if other:
            places = torch.nonzero(taken).flatten().tolist()
            assert len(places) == 10 - stays
            assert places == list(range(places[0], places[0] + len(places))) if places else stays == 10
        torch.testing.assert_close(mixed.features[:, taken], FEATURES[mixed.partner][:, taken])
    assert FEATURES[0, 0] == 0, "the batch itself stays"


def test_the_first_epochs_are_not_mixed() -> None:
    found = [
        sum(mix(PUBLISHED, FEATURES, epoch, random(seed)) is not None for seed in range(100)) for epoch in (1, 2, 3)
    ]
    assert found[:2] == [0, 0]
    assert found[2] > 0


def test_how_often_and_how() -> None:
    generator = random()
    draws = [mix(PUBLISHED, FEATURES, 3, generator) for _ in range(4000)]
    mixed = [draw for draw in draws if draw is not None]
    assert len(mixed) / len(draws) == pytest.approx(0.5, abs=0.04)
    cut = [draw for draw in mixed if torch.isin(draw.features, FEATURES).all() and 0.0 < draw.share < 0.5]
    assert len(cut) / len(draws) == pytest.approx(0.25 / 2, abs=0.03)
    sums = [draw for draw in mixed if not torch.isin(draw.features, FEATURES).all()]
    assert min(draw.share for draw in sums) >= 0.5


@pytest.mark.parametrize("part", [MixingPart(), MixingPart(mixup=MixUpPart(probability=0.0, alpha=1.0))])
def test_nothing_asked_nothing_mixed(part: MixingPart) -> None:
    generator = random()
    assert not any(mix(part, FEATURES, 9, generator) for _ in range(50))


def test_always_asked_always_mixed() -> None:
    part = MixingPart(mixup=MixUpPart(probability=1.0, alpha=1.0))
    generator = random()
    draws = [mix(part, FEATURES, 1, generator) for _ in range(50)]
    assert all(draw is not None for draw in draws)
    assert min(draw.share for draw in draws if draw) < 0.5
