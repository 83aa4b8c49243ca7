from __future__ import annotations

import torch

from dermoscope.camnet.feature_memory import FeatureMemory

LABELS = torch.tensor([0, 0, 1, 1, 2])


def test_centres_are_means_of_what_was_last_seen() -> None:
    memory = FeatureMemory(LABELS, 3, 2)
    memory.remember(torch.tensor([0, 1]), torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    assert not memory.known.any()
    memory.update()
    assert memory.known.tolist() == [True, False, False]
    assert memory.centres[0].tolist() == [2.0, 0.0]
    memory.remember(torch.tensor([0, 2]), torch.tensor([[5.0, 2.0], [7.0, 7.0]]))
    assert memory.centres[0].tolist() == [2.0, 0.0]
    memory.update()
    assert memory.known.tolist() == [True, True, False]
    assert memory.centres[0].tolist() == [4.0, 1.0]
    assert memory.centres[1].tolist() == [7.0, 7.0]


def test_momentum_keeps_a_share_of_the_old_centre() -> None:
    memory = FeatureMemory(LABELS, 3, 1, momentum=0.75)
    memory.remember(torch.tensor([0]), torch.tensor([[4.0]]))
    memory.update()
    assert memory.centres[0].item() == 4.0
    memory.remember(torch.tensor([0]), torch.tensor([[8.0]]))
    memory.update()
    assert memory.centres[0].item() == 5.0


def test_a_state_goes_on() -> None:
    memory, other = FeatureMemory(LABELS, 3, 2), FeatureMemory(LABELS, 3, 2)
    memory.remember(torch.tensor([0, 4]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    memory.update()
    other.load({name: tensor.clone() for name, tensor in memory.state().items()})
    for each in (memory, other):
        each.remember(torch.tensor([1]), torch.tensor([[3.0, 2.0]]))
        each.update()
    assert torch.equal(memory.centres, other.centres)
    assert other.centres[0].tolist() == [2.0, 2.0]


def test_features_carry_no_gradient() -> None:
    memory = FeatureMemory(LABELS, 3, 2)
    features = torch.ones(1, 2, requires_grad=True)
    memory.remember(torch.tensor([3]), features)
    memory.update()
    assert not memory.centres.requires_grad
