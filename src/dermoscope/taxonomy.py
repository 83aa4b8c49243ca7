"""Diagnoses, lesion groups, malignancy definitions, and the code maps between challenge years.

Codes are plain strings so that they survive CSV, JSON and a bundle unchanged. The one trap is `AKIEC`, the HAM10000 and
ISIC-2018 class that mixes actinic keratoses with squamous cell carcinomas: it has no group of its own and, under some
definitions, no malignancy either. Asking for one raises `UndecidedError`; `resolve_akiec` settles it by image id where
the ISIC-2019 table knows the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

ISIC2019_CODES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
"""The columns of the ISIC-2019 ground truth, in their official order."""

HAM10000_CODES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
"""The seven classes of HAM10000, in the column order of ISIC-2018 Task 3."""

UNKNOWN = "UNK"
"""ISIC-2019's ninth class, none of the other eight; also a lesion whose diagnosis nobody recorded."""

NOT_SKIN = "NOT_SKIN"
"""The label of an image that does not show skin. It is no diagnosis: it has no group and no malignancy."""

GROUPS = ("melanocytic", "non-melanocytic carcinoma", "keratosis", "fibrous", "vascular")
"""The lesion groups, in the class order of the Graz lesion-group head."""

GROUP_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "melanocytic": "melanocytic",
        "non-melanocytic carcinoma": "carcinoma",
        "keratosis": "keratosis",
        "fibrous": "fibrous",
        "vascular": "vascular",
    }
)
"""Group to the suffix of its `p_...` column in `results.csv`. A promise to scripts."""

GROUP_OF: Mapping[str, str] = MappingProxyType(
    {
        "MEL": "melanocytic",
        "NV": "melanocytic",
        "BCC": "non-melanocytic carcinoma",
        "SCC": "non-melanocytic carcinoma",
        "AK": "keratosis",
        "BKL": "keratosis",
        "DF": "fibrous",
        "VASC": "vascular",
    }
)
"""Code to lesion group, for the codes that have one; `AKIEC`, `UNK` and `NOT_SKIN` are absent."""

AKIEC_GROUPS: Mapping[str, float] = MappingProxyType({"keratosis": 130 / 327, "non-melanocytic carcinoma": 197 / 327})
"""The groups that `AKIEC` lies across, by the 130 AK and 197 SCC among the 327 images HAM10000 has of it."""

CODE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "MEL": "melanoma",
        "NV": "melanocytic nevus",
        "BCC": "basal cell carcinoma",
        "AK": "actinic keratosis",
        "AKIEC": "actinic keratosis or intraepithelial carcinoma",
        "BKL": "benign keratosis",
        "DF": "dermatofibroma",
        "VASC": "vascular lesion",
        "SCC": "squamous cell carcinoma",
        "UNK": "other or unknown",
        "NOT_SKIN": "not skin",
    }
)
"""Code to the name a person reads. Its keys are all codes there are."""

GROUP_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "melanocytic": "melanocytic lesion (melanoma or nevus)",
        "non-melanocytic carcinoma": "non-melanocytic carcinoma (basal or squamous cell)",
        "keratosis": "keratosis (actinic or benign)",
        "fibrous": "fibrous lesion (dermatofibroma)",
        "vascular": "vascular lesion (angioma and similar)",
    }
)
"""Group to a name with its members, for a person."""

HAM10000_DX: Mapping[str, str] = MappingProxyType({code.lower(): code for code in HAM10000_CODES})
"""Column `dx` of `HAM10000_metadata.csv` to code. `akiec` stays `AKIEC`: of 327 images 130 are AK and 197 are SCC."""

ISIC2017_CODES: Mapping[str, str] = MappingProxyType({"M": "MEL", "N": "NV", "SK": "BKL"})
"""ISIC-2017 Part 3 classes to code; exact for all 2,000 training images when joined with ISIC-2019."""

ISIC2020_DIAGNOSES: Mapping[str, str] = MappingProxyType(
    {
        "melanoma": "MEL",
        "nevus": "NV",
        "seborrheic keratosis": "BKL",
        "lichenoid keratosis": "BKL",
        "solar lentigo": "BKL",
        "lentigo NOS": "BKL",
        "cafe-au-lait macule": "UNK",
        "atypical melanocytic proliferation": "UNK",
        "unknown": "UNK",
    }
)
"""Column `diagnosis` of the ISIC-2020 training table to code, as Ha, Liu and Liu (arXiv 2010.05351) cleaned it up."""

_DOWNSAMPLED = "_downsampled"


class UndecidedError(ValueError):
    """The question has no answer for this code, such as the lesion group of `AKIEC`; the message says why."""


@dataclass(frozen=True)
class MalignancyDefinition:
    """One of the meanings that *malignant* has in the field.

    A code in neither set is undecided, and no result may quietly count it as benign.

    Attributes:
        name: What results print beside every probability of malignancy.
        malignant: Codes that count as malignant.
        benign: Codes that count as benign.
        description: The definition in one sentence, with its source.
    """

    name: str
    malignant: frozenset[str]
    benign: frozenset[str]
    description: str

    @property
    def decided(self) -> frozenset[str]:
        """The codes this definition has an answer for."""
        return self.malignant | self.benign


MALIGNANCY_DEFINITIONS: Mapping[str, MalignancyDefinition] = MappingProxyType(
    {
        definition.name: definition
        for definition in (
            MalignancyDefinition(
                "graz",
                malignant=frozenset({"MEL", "BCC", "SCC", "AK", "AKIEC"}),
                benign=frozenset({"NV", "BKL", "DF", "VASC"}),
                description=(
                    "Melanoma, basal and squamous cell carcinoma and actinic keratosis are malignant (TU Graz); "
                    "AKIEC is too, as both of its parts are."
                ),
            ),
            MalignancyDefinition(
                "not-nevus",
                malignant=frozenset({"MEL", "BCC", "SCC", "AK", "AKIEC", "BKL", "DF", "VASC"}),
                benign=frozenset({"NV"}),
                description=(
                    "Everything but a nevus is positive (Girona's binary task), harmless keratoses, dermatofibromas "
                    "and vascular lesions included."
                ),
            ),
            MalignancyDefinition(
                "melanoma",
                malignant=frozenset({"MEL"}),
                benign=frozenset({"NV", "BCC", "SCC", "AK", "AKIEC", "BKL", "DF", "VASC", "UNK"}),
                description=(
                    "Melanoma against everything else (ISIC 2016 and 2020); lesions of unknown diagnosis are negative, "
                    "as in the ISIC-2020 targets."
                ),
            ),
            # The ISIC-2019 rules ask for a malignant-against-benign AUC without listing the classes, and the public
            # scorer does not compute it. Invasive or in-situ cancer is what no reading disputes; AK, a precursor, is
            # left on the benign side, which is also the one point where this definition differs from `graz`.
            MalignancyDefinition(
                "isic2019",
                malignant=frozenset({"MEL", "BCC", "SCC"}),
                benign=frozenset({"NV", "AK", "BKL", "DF", "VASC"}),
                description=(
                    "The cancers among the ISIC-2019 classes: melanoma, basal and squamous cell carcinoma; actinic "
                    "keratosis is a precursor and not among them. AKIEC is undecided."
                ),
            ),
        )
    }
)
"""The named definitions of malignancy."""


def malignancy_definition(name: str) -> MalignancyDefinition:
    """The definition of that name.

    Raises:
        ValueError: If no definition has that name; the message lists those that exist.
    """
    try:
        return MALIGNANCY_DEFINITIONS[name]
    except KeyError:
        known = ", ".join(MALIGNANCY_DEFINITIONS)
        raise ValueError(f"unknown malignancy definition {name!r}; known definitions: {known}") from None


def is_malignant(code: str, definition: str) -> bool:
    """Whether a diagnosis counts as malignant under a named definition.

    Example:
        >>> is_malignant("AK", "graz"), is_malignant("AK", "isic2019")
        (True, False)

    Raises:
        ValueError: If the code or the definition is unknown; the message lists those that exist.
        UndecidedError: If the definition has no answer for this code.
    """
    meaning = malignancy_definition(definition)
    _check_code(code)
    if code not in meaning.decided:
        raise UndecidedError(
            f"{code} ({CODE_NAMES[code]}) is neither malignant nor benign under {definition!r}. {_way_out(code)}"
        )
    return code in meaning.malignant


def group_of(code: str) -> str:
    """The lesion group of a diagnosis. Test `code in GROUP_OF` first to leave out codes that have none.

    Raises:
        ValueError: If the code is unknown; the message lists those that exist.
        UndecidedError: If the code has no group: `AKIEC` lies across two, `UNK` and `NOT_SKIN` in none.
    """
    _check_code(code)
    if code not in GROUP_OF:
        raise UndecidedError(f"{code} ({CODE_NAMES[code]}) has no lesion group. {_way_out(code)}")
    return GROUP_OF[code]


def group_shares(code: str) -> Mapping[str, float]:
    """How a diagnosis code is shared by lesion groups.

    Args:
        code: Of a diagnosis.

    Returns:
        Group to share; they sum to 1. Two groups for `AKIEC`, see `AKIEC_GROUPS`; empty for a code without a group.
    """
    return AKIEC_GROUPS if code == "AKIEC" else {GROUP_OF[code]: 1.0} if code in GROUP_OF else {}


def group_probabilities(diagnosis: Mapping[str, float]) -> dict[str, float]:
    """Probability of each lesion group, from that of each diagnosis.

    A group has the probabilities of its diagnoses, added up. `AKIEC` is split as in `AKIEC_GROUPS`, and codes without a
    group are left out.

    Args:
        diagnosis: Code to probability.

    Returns:
        Group to probability, in the order of `GROUPS`; sums to 1, unless no code has a group: then all are 0.
    """
    found = dict.fromkeys(GROUPS, 0.0)
    for code, probability in diagnosis.items():
        for group, share in group_shares(code).items():
            found[group] += share * probability
    total = sum(found.values())
    return {group: value / total for group, value in found.items()} if total else found


def base_image_id(image_id: str) -> str:
    """An image id as other years know it, without the `_downsampled` of 2,074 ISIC-2019 file names.

    Use it to join tables; open files under their full name.
    """
    return image_id.removesuffix(_DOWNSAMPLED)


def isic2019_diagnoses(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Image id, without `_downsampled`, to code, from the rows of an ISIC-2019 ground-truth table.

    Args:
        rows: Rows as `csv.DictReader` gives them: `image`, and one column a code of which exactly one is 1.

    Raises:
        ValueError: If a row does not mark exactly one code, or an image comes twice with different codes; the message
            names the image.
    """
    diagnoses: dict[str, str] = {}
    for row in rows:
        marked = [code for code in ISIC2019_CODES if float(row.get(code) or 0) == 1]
        if len(marked) != 1:
            raise ValueError(f"image {row['image']}: marks {len(marked)} of {', '.join(ISIC2019_CODES)} instead of one")
        image_id = base_image_id(row["image"])
        if diagnoses.setdefault(image_id, marked[0]) != marked[0]:
            raise ValueError(f"image {image_id}: listed as {diagnoses[image_id]} and as {marked[0]}")
    return diagnoses


def resolve_akiec(code: str, image_id: str, isic2019: Mapping[str, str]) -> str:
    """`AK` or `SCC` in place of `AKIEC` where ISIC-2019 knows the image; any other code unchanged.

    Args:
        code: A diagnosis code.
        image_id: The image it belongs to, with or without `_downsampled`.
        isic2019: Image id to code, as `isic2019_diagnoses` makes it.

    Returns:
        The resolved code, or `AKIEC` if the table does not list the image.

    Raises:
        ValueError: If the table calls an `AKIEC` image anything but `AK` or `SCC`.
    """
    if code != "AKIEC":
        return code
    resolved = isic2019.get(base_image_id(image_id), "AKIEC")
    if resolved not in ("AK", "SCC", "AKIEC"):
        raise ValueError(f"image {image_id} is AKIEC, but ISIC-2019 lists it as {resolved}; one of the tables is wrong")
    return resolved


def _check_code(code: str) -> None:
    if code not in CODE_NAMES:
        raise ValueError(f"unknown diagnosis code {code!r}; known codes: {', '.join(CODE_NAMES)}")


def _way_out(code: str) -> str:
    if code == "AKIEC":
        return "It mixes AK and SCC: resolve it by image id with an ISIC-2019 table (resolve_akiec), or leave it out."
    return "Leave such images out."
