from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dermoscope.heads.fit import FeatureSet, ProbeRecipe, fit_probe, logits_of

QUICK = ProbeRecipe(hidden=(16,), dropout=0.1, learning_rate=1e-2, batch_size=64, epochs=6)


def toy(counts: tuple[int, ...], seed: int, apart: float = 3.0) -> FeatureSet:
    """One cloud a class, each in a direction of its own."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    features = random.normal(0, 1, (len(labels), 12)) + 5
    features[np.arange(len(labels)), labels] += apart * 2
    return FeatureSet(features.astype(np.float32), labels.astype(np.int64))


def accuracy(head: torch.nn.Module, data: FeatureSet) -> float:
    return float((logits_of(head, data.features).argmax(1) == data.labels).mean())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gamma": 2.0},
        {"balance": 0.0},
        {"feature_noise": 0.2},
        {"mixup": 0.4},
        {"hidden": (), "dropout": 0.0},
    ],
    ids=str,
)
def test_separable_data_are_separated(changes: dict[str, object]) -> None:
    recipe = replace(QUICK, **changes)  # type: ignore[arg-type]
    head = fit_probe(toy((200, 200, 200), 0), toy((60, 60, 60), 1), 3, recipe, seed=0)
    assert not head.training
    assert accuracy(head, toy((100, 100, 100), 2)) > 0.95


@pytest.mark.parametrize("changes", [{}, {"mixup": 0.4, "feature_noise": 0.1}], ids=str)
def test_one_seed_gives_one_result(changes: dict[str, float]) -> None:
    recipe = replace(QUICK, epochs=2, **changes)  # type: ignore[arg-type]
    data, development = toy((100, 100), 0), toy((30, 30), 1)
    first, again, other = (fit_probe(data, development, 2, recipe, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])


def test_balance_helps_the_rare_class() -> None:
    train, development, test = toy((600, 30), 0, apart=0.8), toy((100, 20), 1, apart=0.8), toy((200, 200), 2, apart=0.8)
    recalls = [
        (
            logits_of(fit_probe(train, development, 2, replace(QUICK, balance=balance, epochs=3), 0), test.features)[
                200:
            ].argmax(1)
            == 1
        ).mean()
        for balance in (0.0, 1.0)
    ]
    assert recalls[1] > recalls[0] + 0.1


def test_the_best_epoch_is_kept_not_the_last() -> None:
    # The development set contradicts the training set, so every step makes it worse.
    train, right = toy((200, 200), 0), toy((60, 60), 1)
    wrong = FeatureSet(right.features, 1 - right.labels)
    short = fit_probe(train, wrong, 2, replace(QUICK, epochs=1), seed=0)
    long = fit_probe(train, wrong, 2, replace(QUICK, epochs=8, learning_rate=1e-2), seed=0)
    assert accuracy(long, wrong) <= 0.5
    assert accuracy(long, right) < 1.0 or accuracy(short, right) == 1.0


def test_standardisation_comes_from_the_training_features() -> None:
    train = toy((50, 50), 0)
    constant = train.features.copy()
    constant[:, 5] = 2.0
    head = fit_probe(FeatureSet(constant, train.labels), toy((20, 20), 1), 2, replace(QUICK, epochs=1), 0)
    np.testing.assert_allclose(head.feature_mean.numpy(), constant.mean(0), rtol=1e-5)
    assert float(head.feature_std[5]) == pytest.approx(1e-6)
    assert np.isfinite(logits_of(head, constant)).all()


def test_fewer_samples_than_a_batch_still_train() -> None:
    head = fit_probe(toy((10, 10), 0), toy((10, 10), 1), 2, replace(QUICK, epochs=30), 0)
    assert accuracy(head, toy((50, 50), 2)) > 0.7


def test_logits_leave_the_head_in_evaluation_mode() -> None:
    head = fit_probe(toy((20, 20), 0), toy((10, 10), 1), 2, replace(QUICK, epochs=1), 0).train()
    logits = logits_of(head, toy((20, 20), 0).features)
    assert not head.training
    assert logits.shape == (40, 2)
    assert logits.dtype == np.float32
