from __future__ import annotations

import numpy as np

from dermoscope.heads.class_map import ABSENT, ClassMap

GROUPS = ("melanocytic", "carcinoma", "keratosis", "fibrous", "vascular")


def test_only_what_training_shows_has_an_output() -> None:
    mapped = ClassMap.of(GROUPS, np.array([4, 0, 0, 2]))
    assert mapped.present == (0, 2, 4)
    assert mapped.outputs == ("melanocytic", "keratosis", "vascular")
    assert mapped.to_outputs(np.array([0, 1, 2, 3, 4])).tolist() == [0, ABSENT, 1, ABSENT, 2]


def test_probabilities_return_to_their_classes() -> None:
    mapped = ClassMap(GROUPS, (0, 2, 4))
    found = mapped.to_classes(np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]))
    assert found.tolist() == [[0.2, 0, 0.3, 0, 0.5], [1, 0, 0, 0, 0]]


def test_with_all_classes_nothing_changes() -> None:
    labels = np.array([3, 1, 0, 2, 4])
    mapped = ClassMap.of(GROUPS, labels)
    assert mapped.outputs == GROUPS
    assert mapped.to_outputs(labels).tolist() == labels.tolist()
