from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest

from dermoscope.data.manifest import Record
from dermoscope.data.statistics import Cell, Reservoir, as_json, cell_of, class_title, gather


def record(number: int = 0, **values: object) -> Record:
    return Record.model_validate({"image_id": f"ISIC_{number}", "path": Path(f"{number}.jpg"), **values})


RECORDS = [
    record(1, diagnosis="NV", split="train", source="A", lesion_id="L1", age=45.0, sex="male", site="back"),
    record(2, diagnosis="NV", split="train", source="A", lesion_id="L1", age=45.0, sex="male", site="back"),
    record(3, diagnosis="NV", split="val", source="A", lesion_id="L1", mask_path=Path("m.png"), patient_id="P"),
    record(4, diagnosis="MEL", split="train", source="B", lesion_id="L1", age=89.9, mask_path=Path("m.png")),
    record(5, diagnosis="MEL", split="test", source="B", age=0.0),
    record(6, age=101.0, sex="female"),
]


def test_the_table() -> None:
    statistics = gather(iter(RECORDS))
    assert statistics.images == 6
    assert dict(statistics.cells) == {
        Cell("NV", "train", "A"): 2,
        Cell("NV", "val", "A"): 1,
        Cell("MEL", "train", "B"): 1,
        Cell("MEL", "test", "B"): 1,
        Cell("no diagnosis", "no split", "no source"): 1,
    }
    assert statistics.classes == ("MEL", "NV", "no diagnosis")
    assert statistics.splits == ("train", "val", "test", "no split")
    assert statistics.sources == ("A", "B", "no source")
    assert statistics.count(statistics.cells, class_name="NV") == 3
    assert statistics.count(statistics.cells, split="train", source="A") == 2
    assert statistics.count(statistics.cells) == 6
    assert statistics.with_mask == 2
    assert statistics.count(statistics.masks, source="B") == 1


def test_lesions_and_patients_count_once() -> None:
    statistics = gather(RECORDS)
    assert statistics.with_lesion == 4
    assert statistics.different_lesions == 2, "L1 of source A is not L1 of source B"
    assert statistics.lesions[Cell("NV", "train", "A")] == 1
    assert statistics.lesions[Cell("NV", "val", "A")] == 1, "a lesion in two splits counts in both"
    assert (statistics.with_patient, statistics.different_patients) == (1, 1)


def test_patients_described() -> None:
    statistics = gather(RECORDS)
    assert statistics.ages == Counter({45: 2, 85: 1, 0: 1, 90: 1})
    assert statistics.mean_age == pytest.approx((45 + 45 + 89.9 + 0 + 101) / 5)
    assert statistics.sexes == Counter({"male": 2, "not stated": 3, "female": 1})
    assert statistics.sites == Counter({"not stated": 4, "back": 2})


def test_nothing_at_all() -> None:
    statistics = gather([])
    assert statistics.mean_age is None
    assert statistics.classes == ()
    assert as_json(statistics)["images"] == 0


def test_an_age_that_is_no_number_is_not_stated() -> None:
    assert gather([record(age=math.nan)]).mean_age is None


def test_json_is_json() -> None:
    described = json.loads(json.dumps(as_json(gather(RECORDS))))
    assert sum(row["images"] for row in described["table"]) == described["images"] == 6
    assert described["age"]["bands"][-1] == {"from": 90, "to": None, "images": 1}
    assert described["table"][0] == {
        "class": "MEL",
        "split": "test",
        "source": "B",
        "images": 1,
        "lesions": 0,
        "masks": 0,
    }


@pytest.mark.parametrize(
    ("name", "title"), [("NV", "melanocytic nevus"), ("no diagnosis", "no diagnosis"), ("odd", "odd")]
)
def test_class_title(name: str, title: str) -> None:
    assert class_title(name) == title


def test_cell_of() -> None:
    assert cell_of(record()) == Cell("no diagnosis", "no split", "no source")


def sample(size: int, stream: int, seed: str) -> list[int]:
    reservoir = Reservoir[int](size, seed)
    for number in range(stream):
        reservoir.add(number)
    return list(reservoir)


def test_a_reservoir_is_repeatable() -> None:
    assert sample(5, 100, "a") == sample(5, 100, "a")
    assert sample(5, 100, "a") != sample(5, 100, "b")


@pytest.mark.parametrize(("size", "stream", "kept"), [(5, 3, 3), (5, 5, 5), (5, 100, 5), (0, 100, 0)])
def test_a_reservoir_keeps_its_size(size: int, stream: int, kept: int) -> None:
    found = sample(size, stream, "a")
    assert len(set(found)) == len(found) == kept


@pytest.mark.parametrize("part", [8, 4])
def test_a_reservoir_is_fair_also_in_its_first_part(part: int) -> None:
    """Each tenth of the stream gets its share, within five standard deviations of the binomial."""
    rounds = 400
    tenths = Counter(number // 10 for seed in range(rounds) for number in sample(8, 100, str(seed))[:part])
    expected = rounds * part / 10
    assert all(abs(tenths[tenth] - expected) < 5 * math.sqrt(expected * 0.9) for tenth in range(10)), tenths
