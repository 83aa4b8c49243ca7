"""The numbers of the study: accuracy and attention of every variant, and what an ensemble of its seeds adds.

    python studies/girona/tables.py --run runs/girona --split test

For every variant: accuracy and AUC of nevus against the rest, the mean over crops answering, each the mean over seeds;
the difference of accuracy to cross-entropy of the same seeds, paired by lesion; and of the class maps, by image over
crops, the correlation with the mask (of all classes, and of the decided one alone), the share of positive evidence on
it, and how often the map peaks on it. Then, where a variant has several seeds, the ensemble of them (Dempster-Shafer
over seeds and crops) beside its best member, which is chosen on the validation images. Intervals draw whole lesions.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dermoscope.data.manifest import Record, read_manifest
from dermoscope.ensemble.combination import dempster_shafer
from dermoscope.ensemble.masses import plain
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap

MEASURES = ("correlation", "energy", "pointing")
BASE = "cross-entropy"


@dataclass(frozen=True, eq=False)
class Run:
    """One training: its answers `[C, N, 2]`, the truth and lesion of each image, and its maps by image."""

    answers: NDArray[np.float64]
    positive: NDArray[np.bool_]
    lesions: list[str]
    validation: float
    maps: dict[str, NDArray[np.float64]]

    @property
    def right(self) -> NDArray[np.float64]:
        """Whether each image is right, the mean over crops answering."""
        return ((self.answers.mean(axis=0)[:, 1] >= 0.5) == self.positive).astype(np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/girona"))
    parser.add_argument("--split", choices=("val", "test"), default="val")
    arguments = parser.parse_args()
    truth = {record.image_id: record for record in read_manifest(arguments.run / "by-lesion.csv")}
    found: dict[tuple[str, str], dict[int, Run]] = defaultdict(dict)
    for folder in sorted((arguments.run / "ablation").iterdir()):
        if (folder / "maps.csv").exists() and (name := re.fullmatch(r"(.+)-(one-crop|three-crops)-(\d+)", folder.name)):
            of = {split: read(folder, split, truth) for split in ("val", arguments.split)}
            validation = of["val"][0].mean(axis=0)[:, 1] >= 0.5
            accuracy = float((validation == of["val"][1]).mean())
            answers, positive, lesions = of[arguments.split]
            maps = read_maps(folder, arguments.split)
            found[name[1], name[2]][int(name[3])] = Run(answers, positive, lesions, accuracy, maps)
    measures = " | ".join(next(iter(next(iter(found.values())).values())).maps)
    print(f"| losses | crops | seeds | accuracy | beside {BASE} | AUC | {measures} |")
    for (variant, crops), runs in found.items():
        print_row(variant, crops, runs, found.get((BASE, crops), {}))
    print("| ensemble of | crops | members | accuracy | beside its best member | AUC |")
    for (variant, crops), runs in found.items():
        if len(runs) > 1:
            print_ensemble(variant, crops, list(runs.values()))


def print_row(variant: str, crops: str, runs: dict[int, Run], base: dict[int, Run]) -> None:
    """One variant: means over its seeds."""
    first = next(iter(runs.values()))
    accuracy = mean_of(np.mean([run.right for run in runs.values()], axis=0), first.lesions)
    auc = np.mean([roc_auc_score(run.positive, run.answers.mean(axis=0)[:, 1]) for run in runs.values()])
    both = sorted(runs.keys() & base.keys())
    change = "-"
    if both and variant != BASE:
        difference = np.mean([runs[seed].right - base[seed].right for seed in both], axis=0)
        change = shown(mean_of(difference, first.lesions), "+.3f")
    cells = [
        shown(mean_of(np.nanmean([run.maps[name] for run in runs.values()], axis=0), first.lesions))
        for name in first.maps
    ]
    seeds = ", ".join(map(str, runs))
    print(f"| {variant} | {crops} | {seeds} | {shown(accuracy)} | {change} | {auc:.3f} | {' | '.join(cells)} |")


def print_ensemble(variant: str, crops: str, runs: list[Run]) -> None:
    """All seeds together, beside the best of them on the validation images."""
    best = max(runs, key=lambda run: run.validation)
    combined = dempster_shafer(plain(np.concatenate([run.answers for run in runs])))
    right = ((combined[:, 1] >= 0.5) == best.positive).astype(np.float64)
    gain = mean_of(right - best.right, best.lesions)
    print(
        f"| {variant} | {crops} | {len(runs)} seeds | {shown(mean_of(right, best.lesions))} | "
        f"{shown(gain, '+.3f')} | {roc_auc_score(best.positive, combined[:, 1]):.3f} |"
    )


def read(
    folder: Path, split: str, truth: dict[str, Record]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[str]]:
    """Answers `[C, N, 2]`, whether each image is something else than a nevus, and its lesion."""
    rows: dict[str, dict[str, list[float]]] = defaultdict(dict)
    with (folder / "crops.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["split"] == split:
                rows[row["image_id"]][row["crop"]] = [float(row["p_benign"]), float(row["p_malignant"])]
    names = sorted(rows)
    answers = np.array([[rows[name][crop] for name in names] for crop in rows[names[0]]])
    answers /= answers.sum(axis=-1, keepdims=True)
    positive = np.array([truth[name].diagnosis != "NV" for name in names])
    return answers, positive, [truth[name].group_id for name in names]


def read_maps(folder: Path, split: str) -> dict[str, NDArray[np.float64]]:
    """Mean of each measure by image, over crops, in the order of `read`; NaN where no map of an image has one."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (folder / "maps.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["split"] != split:
                continue
            for name in MEASURES:
                if row[name] and name == "correlation":
                    values["correlation, all classes"][row["image_id"]].append(float(row[name]))
                if row[name] and row["decided"] == "1":
                    values[name][row["image_id"]].append(float(row[name]))
                values[name].setdefault(row["image_id"], [])
    names = sorted(values["correlation"])
    return {
        name: np.array([np.mean(of[image]) if of.get(image) else np.nan for image in names])
        for name, of in values.items()
    }


def mean_of(values: NDArray[np.float64], lesions: list[str]) -> Estimate:
    """The mean of what is known, with an interval that draws whole lesions."""
    known = np.flatnonzero(np.isfinite(values))
    return grouped_bootstrap(lambda rows: float(values[known][rows].mean()), [lesions[i] for i in known.tolist()])


def shown(estimate: Estimate, form: str = ".3f") -> str:
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


if __name__ == "__main__":
    main()
