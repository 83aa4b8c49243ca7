from __future__ import annotations

import json
from pathlib import Path

import pytest

from dermoscope.data.leakage.findings import Finding, Kind, LeakReport, Member


def finding(kind: Kind, *splits: str, also: tuple[Kind, ...] = ()) -> Finding:
    members = tuple(Member(f"i{number}", "A", split, f"i{number}.jpg") for number, split in enumerate(splits))
    return Finding(kind, "key", members, also=also)


@pytest.mark.parametrize(
    ("splits", "is_leak"),
    [
        (("train", "test"), True),
        (("train", "train"), False),
        (("train", ""), False),
        (("", ""), False),
        (("train", "", "val"), True),
    ],
)
def test_a_leak_has_a_split_between_its_members(splits: tuple[str, ...], is_leak: bool) -> None:
    assert finding(Kind.SAME_ID, *splits).is_leak is is_leak


@pytest.fixture
def report() -> LeakReport:
    findings = (
        finding(Kind.NEAR_DUPLICATE, "train", "test"),
        finding(Kind.NEAR_DUPLICATE, "train", "val", also=(Kind.SAME_GROUP,)),
        finding(Kind.SAME_ID, "train", "train"),
    )
    return LeakReport(findings, 10, True, {"x.jpg": "is empty"}, ["grey.jpg"], {"least_similarity": 0.75})


def test_counts(report: LeakReport) -> None:
    counts = report.counts()
    assert counts["near-duplicate"] == {"findings": 2, "leaks": 2, "images": 2}
    assert counts["near-duplicate, told by nothing else"] == {"findings": 1, "leaks": 1, "images": 2}
    assert counts["same id"] == {"findings": 1, "leaks": 0, "images": 2}
    assert counts["same file"]["findings"] == 0
    assert report.between_splits() == {"test, train": 1, "train, val": 1}


def test_written_as_json(report: LeakReport, tmp_path: Path) -> None:
    report.write(tmp_path / "deep" / "leaks.json")
    read = json.loads((tmp_path / "deep" / "leaks.json").read_text(encoding="utf-8"))
    assert read == json.loads(json.dumps(report.as_json()))
    assert read["leaks"] == 2
    assert read["unreadable"] == {"x.jpg": "is empty"}
    assert read["findings"][1]["also"] == ["same group"]
    assert [row["is_leak"] for row in read["findings"]] == [True, True, False]
