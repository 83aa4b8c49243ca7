"""Trains a probe on stored features: seconds, not hours, because the encoder stays frozen."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor

from dermoscope.heads.mlp import MLPHead
from dermoscope.losses.focal import FocalLoss

OnEpoch = Callable[[int, int, Mapping[str, float]], None]
"""Called after an epoch with the seed, the epoch from 1 up, and what was measured, by name."""


@dataclass(frozen=True)
class ProbeRecipe:
    """How a probe is trained.

    Attributes:
        hidden: Widths of the hidden layers.
        dropout: Probability of dropping a hidden unit.
        gamma: Focusing parameter of the focal loss; zero is cross-entropy.
        balance: How far sampling is moved from the natural class frequencies (0) to equal ones (1).
        feature_noise: Standard deviation of noise added to standardised features.
        mixup: Parameter of the Beta distribution of feature-space mixup; zero switches it off.
        learning_rate: Peak rate of the one-cycle schedule.
        weight_decay: Of AdamW.
        batch_size: Samples a step.
        epochs: Passes over the training set; the best epoch on the development set is kept.
    """

    hidden: tuple[int, ...] = (512, 256)
    dropout: float = 0.3
    gamma: float = 0.0
    balance: float = 1.0
    feature_noise: float = 0.0
    mixup: float = 0.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 256
    epochs: int = 30


@dataclass(frozen=True)
class FeatureSet:
    """Features with labels.

    Attributes:
        features: `[N, F]` float32.
        labels: `[N]` int64.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]


def fit_probe(
    train: FeatureSet,
    development: FeatureSet,
    classes: int,
    recipe: ProbeRecipe,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> MLPHead:
    """Train one probe and keep the epoch with the best balanced accuracy on the development set.

    Args:
        train: Training features.
        development: Features of other lesions, for the choice of the epoch.
        classes: Number of classes.
        recipe: Hyperparameters.
        seed: Of initialisation, sampling and dropout.
        on_epoch: Told the mean training loss and the balanced accuracy on the development set.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    features, labels = torch.from_numpy(train.features), torch.from_numpy(train.labels)
    head = MLPHead(classes, features.mean(0), features.std(0).clamp_min(1e-6), recipe.hidden, recipe.dropout)
    probability = _sampling_probability(labels, classes, recipe.balance)
    loss_of = FocalLoss(torch.ones(classes), recipe.gamma)
    steps = max(1, len(labels) // recipe.batch_size)
    optimiser = torch.optim.AdamW(head.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=steps * recipe.epochs, pct_start=0.1
    )
    best_score, best_state = -1.0, copy.deepcopy(head.state_dict())
    for epoch in range(1, recipe.epochs + 1):
        head.train()
        total = 0.0
        for chosen in torch.multinomial(probability, steps * recipe.batch_size, True, generator=generator).split(
            recipe.batch_size
        ):
            batch = features[chosen]
            if recipe.feature_noise:
                batch = batch + recipe.feature_noise * head.feature_std * torch.randn(batch.shape, generator=generator)
            loss = _mixed_loss(head, batch, labels[chosen], loss_of, recipe.mixup, generator)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        score = balanced_accuracy_score(development.labels, logits_of(head, development.features).argmax(1))
        if score >= best_score:  # among equals the later one: accuracy is full long before the margin is
            best_score, best_state = score, copy.deepcopy(head.state_dict())
        if on_epoch:
            on_epoch(seed, epoch, {"training loss": total / steps, "balanced accuracy": float(score)})
    head.load_state_dict(best_state)
    return head.eval()


def logits_of(head: torch.nn.Module, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits `[N, K]` of features `[N, F]`, in evaluation mode."""
    head.eval()
    with torch.inference_mode():
        return np.asarray(head(torch.from_numpy(features)).numpy(), np.float32)


def _sampling_probability(labels: Tensor, classes: int, balance: float) -> Tensor:
    counts = torch.bincount(labels, minlength=classes).double().clamp_min(1)
    return (counts**-balance)[labels]


def _mixed_loss(
    head: MLPHead, batch: Tensor, labels: Tensor, loss_of: FocalLoss, mixup: float, generator: torch.Generator
) -> Tensor:
    if not mixup:
        return cast(Tensor, loss_of(head(batch), labels))
    # A Beta(a, a) draw from two Gamma draws would leave the generator; numpy's seeded one is derived from it.
    seed = int(torch.randint(2**31, (1,), generator=generator))
    share = float(np.random.default_rng(seed).beta(mixup, mixup))
    order = torch.randperm(len(labels), generator=generator)
    logits = head(share * batch + (1 - share) * batch[order])
    return cast(Tensor, share * loss_of(logits, labels) + (1 - share) * loss_of(logits, labels[order]))
