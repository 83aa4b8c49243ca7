from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from dermoscope.heads.neighbours import NeighbourHead


def world(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(60, 5, generator=random), torch.randint(0, 3, (60,), generator=random)


@pytest.mark.parametrize("neighbours", [1, 4, 60])
def test_votes_as_scikit_learn_does(neighbours: int) -> None:
    features, labels = world()
    queries, _ = world(1)
    head = NeighbourHead(features, labels, 3, torch.zeros(5), torch.ones(5), neighbours)
    reference = KNeighborsClassifier(neighbours, metric="cosine", algorithm="brute").fit(features, labels)
    np.testing.assert_allclose(head(queries).softmax(-1), reference.predict_proba(queries), atol=1e-5)


def test_angles_are_measured_after_standardisation() -> None:
    features, labels = world()
    mean, std = torch.arange(5.0), torch.full((5,), 2.0)
    head = NeighbourHead(features * 2 + mean, labels, 3, mean, std, 4)
    plain = NeighbourHead(features, labels, 3, torch.zeros(5), torch.ones(5), 4)
    torch.testing.assert_close(head(features * 2 + mean), plain(features))


def test_a_class_without_a_vote_stays_finite() -> None:
    features, labels = world()
    head = NeighbourHead(features, torch.zeros_like(labels), 3, torch.zeros(5), torch.ones(5), 4)
    assert torch.isfinite(head(features)).all()
