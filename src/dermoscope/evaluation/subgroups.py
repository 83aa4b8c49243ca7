"""Does it work for everyone? Sensitivity and specificity of subgroups, with small groups named rather than hidden."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermoscope.evaluation.intervals import Bootstrap, Estimate
from dermoscope.evaluation.proportions import estimate_shares

UNKNOWN = "unknown"
"""The subgroup of images for which an attribute is not recorded."""

AGE_BANDS = ("under 20", "20 to 39", "40 to 59", "60 to 79", "80 and over", UNKNOWN)
"""What `age_band` answers, in the order of age."""

FEW_GROUPS = 10
"""With fewer positive or negative groups than this a subgroup gets a remark."""

_BAND_STARTS = (20, 40, 60, 80)


@dataclass(frozen=True)
class SubgroupRow:
    """One subgroup at a fixed threshold.

    Attributes:
        attribute: What the images are divided by, such as `sex`.
        value: The subgroup, such as `female`.
        n: Images.
        positives: Positive images.
        groups: Independent groups, such as lesions.
        sensitivity: Share of positive images flagged, with a 95 % interval; none without positive images.
        specificity: Share of negative images not flagged; none without negative images.
        remark: Why little can be concluded, or empty.
    """

    attribute: str
    value: str
    n: int
    positives: int
    groups: int
    sensitivity: Estimate | None
    specificity: Estimate | None
    remark: str


def age_band(age: float | None) -> str:
    """The age band of a person.

    Args:
        age: Years; none or NaN if unknown.

    Raises:
        ValueError: If the age is negative.
    """
    if age is None or math.isnan(age):
        return UNKNOWN
    if age < 0:
        raise ValueError(f"age must not be negative: {age}")
    return AGE_BANDS[sum(age >= start for start in _BAND_STARTS)]


def subgroup_rows(
    positive: NDArray[np.bool_],
    score: NDArray[np.floating],
    threshold: float,
    attributes: Mapping[str, Sequence[str | None]],
    groups: Sequence[str],
    *,
    orders: Mapping[str, Sequence[str]] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[SubgroupRow, ...]]:
    """Sensitivity and specificity of every subgroup, all at one threshold and from the same resamples of all images.

    No subgroup is left out for being small: it gets a wide interval and a remark. Accuracy is not given, because it
    hides a missed melanoma behind many harmless images.

    Args:
        positive: `[N]`.
        score: `[N]`, higher means more suspect.
        threshold: At or above it an image is flagged; the same for all subgroups.
        attributes: What the images are divided by, such as `sex`, to the subgroup of each image, `[N]`; none or empty
            counts as unknown.
        groups: `[N]` what belongs together, such as the lesion.
        orders: Attribute to its values in the order wanted, such as `AGE_BANDS`; others follow, the largest first,
            unknown last.
        resamples: Of the bootstrap, which keeps the share of positives.
        seed: Of the bootstrap.

    Raises:
        ValueError: If the lengths differ.
    """
    flagged, members = score >= threshold, []
    for attribute, values in attributes.items():
        if not len(positive) == len(score) == len(values) == len(groups):
            lengths = f"{len(positive)}, {len(score)}, {len(values)}, {len(groups)}"
            raise ValueError(f"positive, score, values and groups of {attribute} differ in length: {lengths}")
        members += [(attribute, *each) for each in _members(values, (orders or {}).get(attribute, ()))]
    bootstrap = Bootstrap(groups, positive, resamples=resamples, seed=seed)
    wholes = [part for *_, inside in members for part in (inside & positive, inside & ~positive)]
    rates = estimate_shares(bootstrap, [flagged, ~flagged] * len(members), wholes)
    rows: dict[str, tuple[SubgroupRow, ...]] = dict.fromkeys(attributes, ())
    for place, (attribute, value, inside) in enumerate(members):
        sensitivity, specificity = rates[2 * place : 2 * place + 2]
        rows[attribute] += (
            SubgroupRow(
                attribute=attribute,
                value=value,
                n=int(inside.sum()),
                positives=int((inside & positive).sum()),
                groups=bootstrap.groups_among(inside),
                sensitivity=sensitivity,
                specificity=specificity,
                remark=_remark(sensitivity, specificity),
            ),
        )
    return rows


def _members(values: Sequence[str | None], order: Sequence[str]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Each subgroup with which images, `[N]`, belong to it, in order."""
    names, code, counts = np.unique(
        np.array([value or UNKNOWN for value in values], np.str_), return_inverse=True, return_counts=True
    )
    size = dict(zip(names.tolist(), counts.tolist(), strict=True))
    rank = {value: place for place, value in enumerate(order)}
    ordered = sorted(size, key=lambda value: (rank.get(value, len(rank)), value == UNKNOWN, -size[value], value))
    return [(value, code == int(np.searchsorted(names, value))) for value in ordered]


def _remark(sensitivity: Estimate | None, specificity: Estimate | None) -> str:
    found = []
    for estimate, kind in ((sensitivity, "positive"), (specificity, "negative")):
        groups = estimate.groups if estimate else 0
        if groups < FEW_GROUPS:
            found.append(f"{'no' if groups == 0 else f'only {groups}'} {kind}")
    return f"few: {', '.join(found)}" if found else ""
