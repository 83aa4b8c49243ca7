from __future__ import annotations

import numpy as np
import pytest

from dermoscope.evaluation.class_maps import map_measures

MASK = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def one(values: list[list[float]], mask: np.ndarray = MASK) -> dict[str, float]:
    found = map_measures(np.array([values]), mask[None])
    return {name: float(getattr(found, name)[0]) for name in found.__dataclass_fields__}


def test_a_map_like_the_mask() -> None:
    found = one((10 * MASK - 3).tolist())
    assert found["correlation"] == pytest.approx(1)
    assert found["energy"] == 1
    assert found["pointing"] == 1
    assert (found["smallest"], found["largest"]) == (-3, 7)
    assert found["deviation"] == pytest.approx(10 * MASK.std())


def test_a_map_beside_the_lesion() -> None:
    found = one([[0, 0, 0], [0, 0, 0], [0, 0, 5]])
    assert found["correlation"] == pytest.approx(np.corrcoef(MASK.ravel(), np.eye(9)[8])[0, 1])
    assert found["energy"] == 0
    assert found["pointing"] == 0


def test_energy_counts_the_positive_part_alone() -> None:
    assert one([[1, 0, 3], [0, -9, 0], [0, 0, -4]])["energy"] == 0.25


def test_a_constant_map_knows_nothing() -> None:
    found = one([[2, 2, 2]] * 3)
    assert found["correlation"] == 0
    assert found["energy"] == pytest.approx(4 / 9)


def test_what_has_no_meaning_is_not_a_number() -> None:
    without = one([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.zeros((3, 3)))
    assert np.isnan([without[name] for name in ("correlation", "energy", "pointing")]).all()
    full = one([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.ones((3, 3)))
    assert np.isnan(full["correlation"])
    assert (full["energy"], full["pointing"]) == (1, 1)
    assert np.isnan(one([[-1, -2, -3]] * 3)["energy"])


def test_a_lesion_smaller_than_half_a_cell_has_its_fullest_cell() -> None:
    faint = np.zeros((3, 3))
    faint[1, 1] = 0.2
    assert one([[0, 0, 0], [0, 9, 0], [0, 0, 0]], faint)["pointing"] == 1
    assert one([[9, 0, 0], [0, 0, 0], [0, 0, 0]], faint)["pointing"] == 0


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"N, h, w"):
        map_measures(np.zeros((2, 3, 3)), np.zeros((2, 4, 4)))
    with pytest.raises(ValueError, match="not finite"):
        map_measures(np.full((1, 3, 3), np.nan), MASK[None])
