from __future__ import annotations

from pathlib import Path

import pytest

from dermoscope import taxonomy
from dermoscope.analysis import Analysis
from dermoscope.evaluation.columns import CLASS_ORDER, Columns, headerless, read_header
from dermoscope.evaluation.problems import InputError, Problems


def header(*names: str) -> Columns:
    problems = Problems()
    found = read_header(Path("a.csv"), names, problems)
    problems.check()
    return found


def test_every_diagnosis_has_its_place() -> None:
    assert set(CLASS_ORDER) == set(taxonomy.CODE_NAMES) - {taxonomy.NOT_SKIN}


def test_classes_come_in_one_order_with_or_without_prefix() -> None:
    found = header("p_NV", "image", "MEL")
    assert found.identity == 1
    assert found.classes == {"MEL": 2, "NV": 0}


def test_every_column_of_results_is_understood() -> None:
    found = header(*Analysis(image_id="").to_row())
    assert found.is_ours
    assert tuple(found.groups) == taxonomy.GROUPS


def test_results_may_have_columns_of_later_versions() -> None:
    assert header("image_id", "status", "is_skin", "p_MEL", "p_NV", "novelty").is_ours
    with pytest.raises(InputError, match="'NEW' is no diagnosis code"):
        header("image_id", "status", "is_skin", "p_MEL", "p_NV", "p_NEW")


def test_groups_come_together_or_not_at_all() -> None:
    with pytest.raises(InputError, match="column p_carcinoma: missing, although other lesion groups are given"):
        header("image_id", "p_melanocytic", "p_keratosis", "p_fibrous", "p_vascular")


@pytest.mark.parametrize(("first", "is_2016"), [(["ISIC_1", "0.5"], True), (["image", "MEL"], False), (["a"], False)])
def test_headerless(first: list[str], is_2016: bool) -> None:
    assert (headerless(first) is not None) is is_2016
