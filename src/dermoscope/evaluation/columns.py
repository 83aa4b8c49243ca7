"""What the columns of a predictions file mean: dermoscope's own, an official ISIC submission's, or a researcher's."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dermoscope import taxonomy
from dermoscope.data.manifest import Record
from dermoscope.evaluation.problems import Problems

CLASS_ORDER = ("MEL", "NV", "BCC", "AK", "AKIEC", "BKL", "DF", "VASC", "SCC", "UNK")
"""The order in which reports list classes: that of ISIC 2019, with AKIEC where AK is."""

ID_COLUMNS = ("image_id", "image", "image_name")
"""Names of the id column: ours and ISIC 2017's, ISIC 2018's and 2019's, ISIC 2020's."""

SCORE_COLUMNS = {
    "p_skin": "p_skin",
    "p_malignant": "p_malignant",
    "p_melanoma": "p_melanoma",
    "melanoma": "p_melanoma",
    "target": "p_melanoma",
    "seborrheic_keratosis": "p_seborrheic_keratosis",
}
"""Columns that hold one probability of their own, to the name of the score; `target` is ISIC 2020's."""

GROUP_COLUMNS = {f"p_{suffix}": group for group, suffix in taxonomy.GROUP_COLUMNS.items()}
"""Columns of lesion groups to the group."""

TEXT_COLUMNS = (
    "path",
    "status",
    "reason",
    "is_skin",
    "group",
    "diagnosis",
    "malignancy_definition",
    "abstained",
    "abstain_reason",
    "mask",
    "mask_confidence",
    "area_fraction",
    "flagged",
    "malignancy_threshold",
    "quality",
    "width",
    "height",
    "bundle",
)
"""The other columns of `results.csv`."""


@dataclass(frozen=True)
class Columns:
    """Where what stands.

    Attributes:
        identity: Column number of the image id.
        classes: Code to column number, in `CLASS_ORDER`.
        groups: Lesion group to column number.
        scores: Score to column number, such as `p_malignant`.
        text: The other columns of `results.csv` to column number.
        names: The header as it stands in the file.
        is_ours: Whether `dermoscope analyze` wrote the file.
        has_header: Whether the first row is a header; an ISIC 2016 submission has none.
    """

    identity: int
    classes: dict[str, int]
    groups: dict[str, int]
    scores: dict[str, int]
    text: dict[str, int]
    names: tuple[str, ...]
    is_ours: bool = False
    has_header: bool = True

    @property
    def numeric(self) -> tuple[int, ...]:
        """Every column that holds a probability."""
        return (*self.classes.values(), *self.groups.values(), *self.scores.values())


def headerless(first: Sequence[str]) -> Columns | None:
    """The columns of an ISIC 2016 Part 3 submission, `image,probability` without a header, or none."""
    if len(first) != 2:
        return None
    try:
        float(first[1])
    except ValueError:
        return None
    return Columns(0, {}, {}, {"p_melanoma": 1}, {}, ("image", "probability of melanoma"), has_header=False)


def read_header(path: Path, names: Sequence[str], problems: Problems) -> Columns:
    """Find the meaning of every column; what cannot be understood goes to `problems`.

    Args:
        path: The file, for messages.
        names: Its first row.
        problems: Where a missing, unknown or repeated column is noted.
    """
    names = [name.strip() for name in names]
    is_ours = {"image_id", "status", "is_skin"} <= set(names)
    identity, classes, groups, scores, text = -1, {}, {}, {}, {}
    for number, name in enumerate(names):
        code = name.removeprefix("p_")
        if name in names[:number]:
            problems.add(path, "the column is there twice", 1, name)
        elif name in ID_COLUMNS and identity < 0:
            identity = number
        elif code in CLASS_ORDER and code not in classes:
            classes[code] = number
        elif name in GROUP_COLUMNS:
            groups[GROUP_COLUMNS[name]] = number
        elif name in SCORE_COLUMNS and SCORE_COLUMNS[name] not in scores:
            scores[SCORE_COLUMNS[name]] = number
        elif name in TEXT_COLUMNS:
            text[name] = number
        elif (name.startswith("p_") or not is_ours) and name not in Record.model_fields:
            problems.add(path, _unknown(code), 1, name)
    if identity < 0:
        problems.add(path, f"the column of image ids is missing; name it {ID_COLUMNS[0]}", 1)
    if "AKIEC" in classes and {"AK", "SCC"} & set(classes):
        problems.add(path, "AKIEC stands for AK and SCC together; give either AKIEC or the other two", 1, "AKIEC")
    if groups and (absent := [name for name, group in GROUP_COLUMNS.items() if group not in groups]):
        problems.add(path, f"missing, although other lesion groups are given: {', '.join(absent)}", 1, absent[0])
    if not (classes or groups or scores) and identity >= 0:
        problems.add(path, f"no column of probabilities; name them by diagnosis code: {', '.join(CLASS_ORDER)}", 1)
    if len(classes) == 1:  # one class against the rest: a score, not a distribution
        (code, number), classes = next(iter(classes.items())), {}
        scores.setdefault("p_melanoma" if code == "MEL" else f"p_{code}", number)
    ordered = {code: classes[code] for code in CLASS_ORDER if code in classes}
    ordered_groups = {group: groups[group] for group in taxonomy.GROUPS if group in groups}
    return Columns(identity, ordered, ordered_groups, scores, text, tuple(names), is_ours)


def _unknown(code: str) -> str:
    close = difflib.get_close_matches(code.upper(), CLASS_ORDER, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known codes: {', '.join(CLASS_ORDER)}."
    return f"{code!r} is no diagnosis code; {hint} Rename the column or take it out"
