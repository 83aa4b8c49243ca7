from __future__ import annotations

import numpy as np
import torch

from dermoscope.heads.face import standardisation

FEATURES = np.random.default_rng(0).normal(3, 5, (50, 4)).astype(np.float32)


def test_mean_and_deviation_of_the_training_features() -> None:
    mean, std = standardisation(FEATURES, wanted=True)
    torch.testing.assert_close(mean, torch.from_numpy(FEATURES.mean(0)))
    torch.testing.assert_close(std, torch.from_numpy(FEATURES.std(0)))


def test_a_constant_feature_is_not_divided_by_zero() -> None:
    assert (standardisation(np.ones((3, 2), np.float32), wanted=True)[1] > 0).all()


def test_unwanted_features_stay() -> None:
    mean, std = standardisation(FEATURES, wanted=False)
    assert (mean.tolist(), std.tolist()) == ([0.0] * 4, [1.0] * 4)
