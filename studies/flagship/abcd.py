"""What each ABCD measure tells by itself: melanoma against nevus on validation images of HAM10000, with given masks.

    DERMOSCOPE_DATA=/path/to/data python studies/flagship/abcd.py --out runs/abcd

Measures the lesions under the masks of the data set, so that nothing here depends on a model. Prints the area under the
ROC curve of each measure with its 95 % interval (bootstrap over lesions), on all images and on those whose lesion the
image does not cut, and writes them to results.json. The validation part is `splits/ham10000_cls.csv` (image, lesion_id,
split); at most 1,500 images.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermoscope.data.ham10000 import HAM10000
from dermoscope.data.manifest import Record
from dermoscope.evaluation.intervals import Bootstrap, Estimate
from dermoscope.evaluation.ranking import RankedScores
from dermoscope.images import decode, read_mask
from dermoscope.measures import COLOURS, LesionMeasures, measure_lesion

MOST_IMAGES = 1500
MEASURES: Mapping[str, Callable[[LesionMeasures], float]] = {
    "asymmetry, mean of both axes": lambda found: found.asymmetry.mean,
    "asymmetry, long axis": lambda found: found.asymmetry.long_axis,
    "asymmetry, short axis": lambda found: found.asymmetry.short_axis,
    "border irregularity": lambda found: found.compactness,
    "number of colours": lambda found: float(len(found.colours.present)),
    "colour variance": lambda found: found.colours.variance,
    "largest diameter": lambda found: found.pixels.largest,
    "equivalent diameter": lambda found: found.pixels.equivalent,
    **{f"share of {name}": lambda found, name=name: found.colours.shares[name] for name in COLOURS},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/abcd"))
    arguments = parser.parse_args()
    data = Path(os.environ["DERMOSCOPE_DATA"])
    records = validation_records(data)
    found = [measured(record) for record in records]
    is_melanoma = np.array([record.diagnosis == "MEL" for record in records])
    is_cut = np.array([each.is_cut for each in found])
    lesions = [record.group_id for record in records]
    print(f"{len(records)} images of {len(set(lesions))} lesions, {is_melanoma.sum()} of melanoma; {is_cut.sum()} cut")
    parts = {"all": np.ones(len(records), np.bool_), "whole lesions": ~is_cut}
    estimates = {
        name: {
            part: auc(np.array([measure(each) for each in found])[rows], is_melanoma[rows], chosen(lesions, rows))
            for part, rows in parts.items()
        }
        for name, measure in MEASURES.items()
    }
    print("| measure | AUC, all | AUC, whole lesions |\n| --- | --- | --- |")
    for name, row in estimates.items():
        print(f"| {name} | {row['all']} | {row['whole lesions']} |")
    arguments.out.mkdir(parents=True, exist_ok=True)
    as_json = {name: {part: vars(each) for part, each in row.items()} for name, row in estimates.items()}
    (arguments.out / "results.json").write_text(json.dumps(as_json, indent=2) + "\n")


def validation_records(data: Path) -> list[Record]:
    with (data / "splits" / "ham10000_cls.csv").open(newline="") as stream:
        chosen_ids = {row["image"] for row in csv.DictReader(stream) if row["split"] == "val"}
    records = (r for r in HAM10000(data / "HAM10000").records() if r.image_id in chosen_ids)
    return [record for record in records if record.diagnosis in ("MEL", "NV")][:MOST_IMAGES]


def measured(record: Record) -> LesionMeasures:
    if record.mask_path is None:
        raise ValueError(f"{record.image_id} has no mask; get HAM10000_segmentations_lesion_tschandl")
    return measure_lesion(decode(record.path).rgb, read_mask(record.mask_path))


def auc(values: NDArray[np.float64], truth: NDArray[np.bool_], lesions: list[str]) -> Estimate:
    ranked = RankedScores(truth, values)
    return Bootstrap(lesions, truth).estimate(lambda weights: ranked.curve(weights).auc)


def chosen(lesions: list[str], rows: NDArray[np.bool_]) -> list[str]:
    return [lesion for lesion, is_in in zip(lesions, rows, strict=True) if is_in]


if __name__ == "__main__":
    main()
