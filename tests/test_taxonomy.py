from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from dermoscope import taxonomy
from dermoscope.taxonomy import UndecidedError, base_image_id, group_of, is_malignant, isic2019_diagnoses, resolve_akiec

# One row a code: group, then the answer of graz, not-nevus, melanoma, isic2019; None is undecided.
TABLE: dict[str, tuple[str | None, bool | None, bool | None, bool | None, bool | None]] = {
    "MEL": ("melanocytic", True, True, True, True),
    "NV": ("melanocytic", False, False, False, False),
    "BCC": ("non-melanocytic carcinoma", True, True, False, True),
    "SCC": ("non-melanocytic carcinoma", True, True, False, True),
    "AK": ("keratosis", True, True, False, False),
    "BKL": ("keratosis", False, True, False, False),
    "DF": ("fibrous", False, True, False, False),
    "VASC": ("vascular", False, True, False, False),
    "AKIEC": (None, True, True, False, None),
    "UNK": (None, None, None, False, None),
    "NOT_SKIN": (None, None, None, None, None),
}
DEFINITIONS = ("graz", "not-nevus", "melanoma", "isic2019")
# Training and test ground truth of ISIC-2019 together.
ISIC2019_COUNTS = {
    "MEL": 5849,
    "NV": 15370,
    "BCC": 4298,
    "AK": 1241,
    "BKL": 3284,
    "DF": 330,
    "VASC": 357,
    "SCC": 793,
    "UNK": 2047,
}


def test_official_orders() -> None:
    assert taxonomy.ISIC2019_CODES == ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
    assert taxonomy.HAM10000_CODES == ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
    assert tuple(taxonomy.MALIGNANCY_DEFINITIONS) == DEFINITIONS


def test_every_code_and_group_has_a_name_and_every_group_a_column() -> None:
    assert set(taxonomy.CODE_NAMES) == {*taxonomy.ISIC2019_CODES, *taxonomy.HAM10000_CODES, taxonomy.NOT_SKIN}
    assert set(taxonomy.CODE_NAMES) == set(TABLE)
    assert tuple(taxonomy.GROUP_NAMES) == taxonomy.GROUPS == tuple(taxonomy.GROUP_COLUMNS)
    assert list(taxonomy.GROUP_COLUMNS.values()) == ["melanocytic", "carcinoma", "keratosis", "fibrous", "vascular"]


@pytest.mark.parametrize("code", TABLE)
def test_group(code: str) -> None:
    group = TABLE[code][0]
    if group is None:
        assert code not in taxonomy.GROUP_OF
        with pytest.raises(UndecidedError, match=code):
            group_of(code)
    else:
        assert group_of(code) == group


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("code", TABLE)
def test_malignancy(code: str, definition: str) -> None:
    expected = TABLE[code][1 + DEFINITIONS.index(definition)]
    if expected is None:
        with pytest.raises(UndecidedError, match=definition):
            is_malignant(code, definition)
    else:
        assert is_malignant(code, definition) is expected


@pytest.mark.parametrize("definition", taxonomy.MALIGNANCY_DEFINITIONS.values(), ids=lambda definition: definition.name)
def test_definitions_do_not_contradict_themselves(definition: taxonomy.MalignancyDefinition) -> None:
    assert not definition.malignant & definition.benign
    assert definition.decided <= set(taxonomy.CODE_NAMES) - {taxonomy.NOT_SKIN}


def test_unknown_names_are_refused_with_what_is_known() -> None:
    with pytest.raises(ValueError, match="graz, not-nevus, melanoma, isic2019"):
        is_malignant("MEL", "cancer")
    with pytest.raises(ValueError, match=r"'akiec'.*MEL, NV, BCC"):
        is_malignant("akiec", "graz")
    with pytest.raises(ValueError, match="'nevus'"):
        group_of("nevus")


def test_akiec_says_how_to_resolve_it() -> None:
    with pytest.raises(UndecidedError, match="resolve_akiec"):
        group_of("AKIEC")


def test_graz_counts_are_those_of_the_seed() -> None:
    groups: Counter[str] = Counter()
    malignant: Counter[bool] = Counter()
    for code, count in ISIC2019_COUNTS.items():
        if code in taxonomy.GROUP_OF:
            groups[group_of(code)] += count
            malignant[is_malignant(code, "graz")] += count
    assert [groups[group] for group in taxonomy.GROUPS] == [21219, 5091, 4525, 330, 357]
    assert (malignant[True], malignant[False]) == (12181, 19341)


def test_code_maps_lead_to_known_codes() -> None:
    assert taxonomy.HAM10000_DX["akiec"] == "AKIEC"
    assert set(taxonomy.HAM10000_DX.values()) == set(taxonomy.HAM10000_CODES)
    assert dict(taxonomy.ISIC2017_CODES) == {"M": "MEL", "N": "NV", "SK": "BKL"}
    assert set(taxonomy.ISIC2020_DIAGNOSES.values()) <= set(taxonomy.ISIC2019_CODES)
    assert taxonomy.ISIC2020_DIAGNOSES["lichenoid keratosis"] == "BKL"
    assert taxonomy.ISIC2020_DIAGNOSES["atypical melanocytic proliferation"] == taxonomy.UNKNOWN


def _row(image: str, code: str) -> dict[str, str]:
    return {"image": image, **{name: "1.0" if name == code else "0.0" for name in taxonomy.ISIC2019_CODES}}


@pytest.mark.parametrize(
    ("code", "image_id", "expected"),
    [
        ("AKIEC", "ISIC_1", "AK"),
        ("AKIEC", "ISIC_2", "SCC"),
        ("AKIEC", "ISIC_2_downsampled", "SCC"),
        ("AKIEC", "ISIC_9", "AKIEC"),
        ("NV", "ISIC_1", "NV"),
    ],
)
def test_resolving_akiec(code: str, image_id: str, expected: str) -> None:
    isic2019 = isic2019_diagnoses([_row("ISIC_1_downsampled", "AK"), _row("ISIC_2", "SCC")])
    assert resolve_akiec(code, image_id, isic2019) == expected


def test_a_contradicting_table_is_named() -> None:
    with pytest.raises(ValueError, match="ISIC_1 is AKIEC, but ISIC-2019 lists it as NV"):
        resolve_akiec("AKIEC", "ISIC_1", {"ISIC_1": "NV"})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([_row("ISIC_1", "")], "ISIC_1: marks 0"),
        ([_row("ISIC_1", "NV") | {"MEL": "1.0"}], "ISIC_1: marks 2"),
        ([_row("ISIC_1", "NV"), _row("ISIC_1_downsampled", "MEL")], "ISIC_1: listed as NV and as MEL"),
    ],
)
def test_a_broken_ground_truth_is_named(rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        isic2019_diagnoses(rows)


def test_groups_are_the_sums_of_their_diagnoses() -> None:
    found = taxonomy.group_probabilities({"MEL": 0.2, "NV": 0.3, "BCC": 0.1, "BKL": 0.1, "DF": 0.2, "VASC": 0.1})
    assert found == pytest.approx(dict(zip(taxonomy.GROUPS, (0.5, 0.1, 0.1, 0.2, 0.1), strict=True)))
    assert tuple(found) == taxonomy.GROUPS


def test_akiec_is_split_and_codes_without_a_group_are_left_out() -> None:
    found = taxonomy.group_probabilities({"AKIEC": 0.4, "UNK": 0.2, "NV": 0.4})
    assert found["melanocytic"] == pytest.approx(0.5)
    assert found["keratosis"] == pytest.approx(0.5 * 130 / 327)
    assert sum(found.values()) == pytest.approx(1)
    assert set(taxonomy.group_probabilities({"UNK": 1.0}).values()) == {0.0}


def test_base_image_id_strips_the_suffix_only_at_the_end() -> None:
    assert base_image_id("ISIC_0000001_downsampled") == "ISIC_0000001"
    assert base_image_id("ISIC_downsampled_1") == "ISIC_downsampled_1"


@pytest.mark.data
def test_ham10000_akiec_splits_as_documented(real_data: Path) -> None:
    with (real_data / "ISIC2019" / "ISIC_2019_Training_GroundTruth.csv").open(newline="") as stream:
        isic2019 = isic2019_diagnoses(csv.DictReader(stream))
    with (real_data / "HAM10000" / "HAM10000_metadata.csv").open(newline="") as stream:
        ham = {row["image_id"]: taxonomy.HAM10000_DX[row["dx"]] for row in csv.DictReader(stream)}
    resolved = Counter(resolve_akiec(code, image, isic2019) for image, code in ham.items() if code == "AKIEC")
    assert resolved == {"AK": 130, "SCC": 197}
    assert all(isic2019[image] == code for image, code in ham.items() if code != "AKIEC")
