from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis

from dermoscope.heads.outliers import MahalanobisHead, NeighbourDistanceHead, OutlierHead, energy

MEAN, STD = torch.tensor([1.0, -2.0, 0.0]), torch.tensor([2.0, 1.0, 0.5])
FEATURES = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))


def mahalanobis_head(inlier: int = 1) -> MahalanobisHead:
    centre = torch.tensor([0.1, 0.2, -0.3])
    precision = torch.tensor([[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 3.0]])
    return MahalanobisHead(MEAN, STD, inlier, centre, torch.linalg.cholesky(precision))


def neighbour_head(neighbours: int = 2, inlier: int = 1) -> NeighbourDistanceHead:
    return NeighbourDistanceHead(MEAN, STD, inlier, FEATURES[:5], neighbours)


def test_mahalanobis_as_scipy() -> None:
    head = mahalanobis_head()
    precision = (head.whitening @ head.whitening.T).numpy()
    standardised = ((FEATURES - MEAN) / STD).numpy()
    expected = [mahalanobis(row, head.centre.numpy(), precision) / np.sqrt(3) for row in standardised]
    np.testing.assert_allclose(head.distance(FEATURES), expected, rtol=1e-5)


@pytest.mark.parametrize("neighbours", [1, 2, 5])
def test_distance_of_the_kth_neighbour(neighbours: int) -> None:
    directions = ((FEATURES - MEAN) / STD).numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    distances = np.linalg.norm(directions[:, None] - directions[None, :5], axis=-1)
    expected = np.sort(distances, axis=1)[:, neighbours - 1]
    np.testing.assert_allclose(neighbour_head(neighbours).distance(FEATURES), expected, atol=1e-3)


@pytest.mark.parametrize("inlier", [0, 1])
@pytest.mark.parametrize("make", [mahalanobis_head, neighbour_head])
def test_the_logits_are_equal_at_the_border_and_favour_what_is_nearer(make: type[OutlierHead], inlier: int) -> None:
    head = make(inlier=inlier)  # type: ignore[call-arg]
    distances = head.distance(FEATURES)
    head.border.fill_(float(distances[3]))
    head.slope.fill_(5.0)
    logits = head(FEATURES)
    assert logits.shape == (7, 2)
    torch.testing.assert_close(logits[3, 0], logits[3, 1])
    assert ((logits[:, inlier] > logits[:, 1 - inlier]) == (distances < distances[3])).all()


def test_energy_is_low_where_one_class_is_sure() -> None:
    found = energy(torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([-9.000247, -np.log(3.0)], dtype=torch.float32))


def test_a_higher_temperature_scales_energy() -> None:
    logits = torch.tensor([[2.0, 4.0]])
    torch.testing.assert_close(energy(logits, 2.0), 2 * energy(logits / 2))
