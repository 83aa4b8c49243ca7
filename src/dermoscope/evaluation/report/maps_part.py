"""The part about where a network looked: what its class activation maps have to do with the lesion."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.problems import InputError, Problem
from dermoscope.evaluation.report.document import Cell, Section, Table
from dermoscope.evaluation.report.parts import Part, Settings
from dermoscope.evaluation.truth import Matched

MAPS_NAME = "maps.csv"
DECIDED = "the likeliest class"
MEASURES: Mapping[str, str] = {
    "correlation": "Correlation with the lesion",
    "energy": "Positive evidence on it",
    "pointing": "Peak on it",
    "smallest": "Smallest value",
    "largest": "Largest value",
    "deviation": "Standard deviation",
}
"""Column of the file to its name for a person."""

_LEAD = (
    "Class activation maps of every crop, compared with the lesion mask of that crop on the grid of the map; the mean "
    "over the crops of an image. Correlation is Pearson's over positions; evidence is the share of a map's positive "
    "part that lies on the lesion. A map that follows the lesion says where a network looks, not that it is right."
)


def maps_part(folder: Path, matched: Matched, where: str, settings: Settings) -> Part | None:
    """Sum up the maps of the scored images.

    Args:
        folder: Of the training run.
        matched: The images.
        where: Which images these are, such as `split test`, for captions.
        settings: How numbers are made.

    Returns:
        None if the run has no maps of these images.

    Raises:
        InputError: If its table of maps is broken.
    """
    path = folder / MAPS_NAME
    if not path.is_file():
        return None
    values = _by_image(path, {name: row for row, name in enumerate(matched.truth.image_ids)})
    if not values:
        return None
    found = {
        name: {measure: _mean(by_image, matched, settings) for measure, by_image in of.items()}
        for name, of in values.items()
    }
    rows: list[tuple[Cell, ...]] = [(name, *(of.get(measure) for measure in MEASURES)) for name, of in found.items()]
    table = Table("class-maps", f"Class activation maps: {where}", ("Map of", *MEASURES.values()), tuple(rows))
    return Part("class_maps", Section("class-maps", "Where the network looks", _LEAD, (table,)), found)


def _by_image(path: Path, known: Mapping[str, int]) -> dict[str, dict[str, dict[int, list[float]]]]:
    """Class to measure to image to the values of its crops; the likeliest class last."""
    found: dict[str, dict[str, dict[int, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    likeliest: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                image = known.get(row["image_id"])
                if image is None:
                    continue
                for measure in MEASURES:
                    if row[measure]:
                        found[row["class"]][measure][image].append(float(row[measure]))
                        if row["decided"] == "1":
                            likeliest[measure][image].append(float(row[measure]))
    except (OSError, ValueError, KeyError, TypeError):
        reason = "is not as dermoscope train writes it; train again"
        raise InputError((Problem(path, reason),), 1) from None
    return {**found, DECIDED: likeliest} if found else {}


def _mean(by_image: Mapping[int, list[float]], matched: Matched, settings: Settings) -> Estimate:
    """The mean over images of the mean over crops, with an interval that draws whole lesions."""
    values = np.array([np.mean(of_crops) for of_crops in by_image.values()])
    groups = [matched.truth.groups[image] for image in by_image]
    return grouped_bootstrap(
        lambda rows: float(values[rows].mean()), groups, resamples=settings.resamples, seed=settings.seed
    )
