"""The numbers of the study: accuracy and attention of every variant, and what an ensemble of networks adds.

    python studies/girona/tables.py --run runs/girona --task binary --split test --json studies/girona/results.json

For every variant, the mean over crops answering: accuracy, and AUC (of the binary task) or balanced accuracy and
Cohen's kappa, each the mean over seeds; the difference of accuracy, paired by lesion, to that of the same seeds without
any of the losses, or for a change other than a loss, with the lesion focus alone, as it has; and of the class maps, by
image over crops, the correlation with the mask (of all classes, and of the decided one alone), the share of positive
evidence on it, and how often the map peaks on it. `--spread` prints instead the smallest and largest value and the
standard deviation of the maps of each class.

Then ensembles: the seeds of each variant, the variants of each seed, and everything, by the rule that is published for
the task, beside the member that is best on the validation images, for three crops and for one. Intervals draw whole
lesions. In the file, rows of earlier runs stay unless they are measured anew.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ablation import CHANGES, OWN
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, recall_score, roc_auc_score

from dermoscope.data.manifest import Record, read_manifest
from dermoscope.ensemble.ensemble import Ensemble, EnsembleDescription
from dermoscope.evaluation.class_maps import MapMeasures
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.training.recipes import load_recipe
from dermoscope.training.recipes.ensembles import EnsembleRecipe
from dermoscope.training.tasks import BENIGN, MALIGNANT, TASKS, Task

MEASURES = ("correlation", "energy", "pointing")
SPREAD = ("smallest", "largest", "deviation")
QUESTIONS = {
    "binary": Task("malignancy", (BENIGN, MALIGNANT), definition="not-nevus"),
    "three-class": TASKS["cancer"],
}
BASES = ("cross-entropy", "focal")
Name = tuple[str, str, int]
"""Variant, crops, seed."""


@dataclass(frozen=True, eq=False)
class Run:
    """One training: its answers `[C, N, K]`, the class and lesion of each image, and its maps by image."""

    answers: NDArray[np.float64]
    labels: NDArray[np.int64]
    lesions: list[str]
    validation: float
    maps: dict[str, NDArray[np.float64]]

    @property
    def mean(self) -> NDArray[np.float64]:
        """`[N, K]`."""
        return self.answers.mean(axis=0)

    @property
    def right(self) -> NDArray[np.float64]:
        """Whether each image is right, the mean over crops answering."""
        return right_of(self.mean, self.labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/girona"))
    parser.add_argument("--task", choices=QUESTIONS, default="binary")
    parser.add_argument("--split", choices=("val", "test"), default="val")
    parser.add_argument("--manifest", default="by-lesion.csv", help="in the run folder; of a split by image, its name")
    parser.add_argument("--runs", default="ablation", help="folder of the trainings in the run folder")
    parser.add_argument("--spread", action="store_true")
    parser.add_argument("--json", type=Path, help="a file that the numbers are added to")
    arguments = parser.parse_args()
    truth = {record.image_id: record for record in read_manifest(arguments.run / arguments.manifest)}
    task = QUESTIONS[arguments.task]
    found = read_runs(arguments.run / arguments.runs / arguments.task, task, arguments.split, truth)
    if arguments.spread:
        print_spread(arguments.run / arguments.runs / arguments.task, sorted(found), arguments.split)
        return
    binary = len(task.classes) == 2
    maps = " | ".join(next(iter(found.values())).maps)
    more = "AUC" if binary else "balanced accuracy | kappa"
    numbers: dict[str, list[dict[str, object]]] = {"variants": [], "ensembles": []}
    print(f"| losses | crops | seeds | accuracy | beside no losses | {more} | {maps} |")
    for variant, crops in sorted({name[:2] for name in found}, key=lambda name: (name[1] == "one-crop", name[0])):
        own = {seed: run for (v, c, seed), run in found.items() if (v, c) == (variant, crops)}
        beside = (OWN,) if variant in CHANGES else BASES
        base = {seed: run for (v, c, seed), run in found.items() if v in beside and c == crops}
        numbers["variants"].append(print_row(variant, crops, own, {} if variant in BASES else base))
    print(f"\n| ensemble of | members | accuracy | beside its best member | {more} |")
    for label, names in ensembles(list(found)):
        numbers["ensembles"].append(print_ensemble(label, task, names, found))
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        name = f"{arguments.runs}, {arguments.task}, {arguments.split}"
        kept[name] = {part: merged(kept.get(name, {}).get(part, []), rows) for part, rows in numbers.items()}
        arguments.json.write_text(f"{json.dumps(kept, indent=1)}\n")


def merged(earlier: list[dict[str, object]], rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows, and those of earlier runs that are no longer on disk."""
    here = [identity(row) for row in rows]
    return [*(row for row in earlier if identity(row) not in here), *rows]


def identity(row: dict[str, object]) -> object:
    """What a row is about."""
    return (row["losses"], row["crops"]) if "losses" in row else row["members"]


def print_row(variant: str, crops: str, runs: dict[int, Run], base: dict[int, Run]) -> dict[str, object]:
    """One variant: means over its seeds."""
    first = next(iter(runs.values()))
    accuracy = mean_of(np.mean([run.right for run in runs.values()], axis=0), first.lesions)
    both, change = sorted(runs.keys() & base.keys()), "-"
    if both:
        difference = np.mean([runs[seed].right - base[seed].right for seed in both], axis=0)
        change = shown(mean_of(difference, first.lesions), "+.3f")
    scores = np.mean([scores_of(run.mean, run.labels) for run in runs.values()], axis=0)
    maps = {
        name: mean_of(np.nanmean([run.maps[name] for run in runs.values()], axis=0), first.lesions)
        for name in first.maps
    }
    cells = [change, *(f"{score:.3f}" for score in scores), *map(shown, maps.values())]
    print(f"| {variant} | {crops} | {', '.join(map(str, sorted(runs)))} | {shown(accuracy)} | {' | '.join(cells)} |")
    return {
        "losses": variant,
        "crops": crops,
        "seeds": sorted(runs),
        "accuracy": bounds(accuracy),
        "accuracy of each seed": {seed: round(float(run.right.mean()), 4) for seed, run in sorted(runs.items())},
        "gain": bounds(mean_of(difference, first.lesions)) if both else None,
        "scores": [round(float(score), 4) for score in scores],
        "maps": {name: bounds(estimate) for name, estimate in maps.items()},
    }


def ensembles(names: list[Name]) -> list[tuple[str, list[Name]]]:
    """What is combined: a label and its members, at least two."""
    groups: list[tuple[str, list[Name]]] = []
    for crops in ("three-crops", "one-crop"):
        own = [name for name in names if name[1] == crops and name[0] not in CHANGES]
        groups += [(f"{v}, {crops}, all seeds", [n for n in own if n[0] == v]) for v in sorted({n[0] for n in own})]
        groups += [
            (f"every loss, {crops}, seed {s}", [n for n in own if n[2] == s]) for s in sorted({n[2] for n in own})
        ]
        groups.append((f"all with {crops}", own))
    return [(label, members) for label, members in groups if len(members) > 1]


def print_ensemble(label: str, task: Task, names: list[Name], found: dict[Name, Run]) -> dict[str, object]:
    """Some networks together, beside the best of them on the validation images."""
    runs = [found[name] for name in names]
    best = max(runs, key=lambda run: run.validation)
    combined = combined_answers(task, runs)
    right = right_of(combined, best.labels)
    gain = mean_of(right - best.right, best.lesions)
    scores = scores_of(combined, best.labels)
    accuracy = mean_of(right, best.lesions)
    cells = " | ".join(f"{score:.3f}" for score in scores)
    print(f"| {label} | {len(runs)} | {shown(accuracy)} | {shown(gain, '+.3f')} | {cells} |")
    return {
        "members": [f"{variant}-{crops}-{seed}" for variant, crops, seed in names],
        "best member on validation": round(best.validation, 4),
        "accuracy": bounds(accuracy),
        "gain": bounds(gain),
        "scores": [round(score, 4) for score in scores],
    }


def combined_answers(task: Task, runs: Sequence[Run]) -> NDArray[np.float64]:
    """`[N, K]`, by the rule of the published ensemble of that task."""
    recipe = load_recipe("ensemble-binary" if len(task.classes) == 2 else "ensemble-three-class")
    assert isinstance(recipe, EnsembleRecipe)
    crops = len(runs[0].answers)
    description = EnsembleDescription(
        schema_version=1,
        classes=task.classes,
        members=tuple(f"member {number}" for number in range(len(runs))),
        crops=tuple(f"crop {number}" for number in range(crops)),
        across=recipe.across,
        rule=recipe.rule,
        crop_rule=recipe.crop_rule,
    )
    return Ensemble(description).combine(np.stack([run.answers for run in runs]))


def scores_of(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, ...]:
    """AUC of two classes; balanced accuracy and kappa of more."""
    if probabilities.shape[1] == 2:
        return (float(roc_auc_score(labels, probabilities[:, 1])),)
    decided = probabilities.argmax(axis=1)
    return float(recall_score(labels, decided, average="macro")), float(cohen_kappa_score(labels, decided))


def right_of(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Whether each image is right, 0 or 1."""
    return (probabilities.argmax(axis=1) == labels).astype(np.float64)


def read_runs(folder: Path, task: Task, split: str, truth: dict[str, Record]) -> dict[Name, Run]:
    """Every finished training."""
    found: dict[Name, Run] = {}
    for run in sorted(folder.iterdir()):
        name = re.fullmatch(r"(.+)-(one-crop|three-crops)-(\d+)", run.name)
        if name and (run / "maps.csv").exists():
            answers, labels, _ = read_answers(run, task, "val", truth)
            validation = float(right_of(answers.mean(axis=0), labels).mean())
            answers, labels, lesions = read_answers(run, task, split, truth)
            found[name[1], name[2], int(name[3])] = Run(answers, labels, lesions, validation, read_maps(run, split))
    return found


def read_answers(
    run: Path, task: Task, split: str, truth: dict[str, Record]
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[str]]:
    """Answers `[C, N, K]`, and class and lesion of each image, in the order of their names."""
    rows: dict[str, dict[str, list[float]]] = defaultdict(dict)
    with (run / "crops.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["split"] == split:
                rows[row["image_id"]][row["crop"]] = [float(row[f"p_{name}"]) for name in task.classes]
    names = sorted(rows)
    answers = np.array([[rows[name][crop] for name in names] for crop in rows[names[0]]])
    answers /= answers.sum(axis=-1, keepdims=True)
    labels = np.array([task.label(truth[name]) for name in names], np.int64)
    return answers, labels, [truth[name].group_id for name in names]


def read_maps(run: Path, split: str) -> dict[str, NDArray[np.float64]]:
    """Mean of each measure by image, over crops, in the order of `read_answers`; NaN where no map has one."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (run / "maps.csv").open(newline="") as stream:
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


def print_spread(folder: Path, names: list[Name], split: str) -> None:
    """Smallest and largest value and standard deviation of the maps, by class, the mean over images and crops."""
    fields = [name for name in SPREAD if name in MapMeasures.__annotations__]
    print(f"| losses | crops | seed | class | {' | '.join(fields)} |")
    for variant, crops, seed in names:
        values: dict[str, list[list[float]]] = defaultdict(list)
        with (folder / f"{variant}-{crops}-{seed}" / "maps.csv").open(newline="") as stream:
            for row in csv.DictReader(stream):
                if row["split"] == split:
                    values[row["class"]].append([float(row[name]) for name in fields])
        for label, found in values.items():
            cells = " | ".join(f"{value:.2f}" for value in np.mean(found, axis=0))
            print(f"| {variant} | {crops} | {seed} | {label} | {cells} |")


def mean_of(values: NDArray[np.float64], lesions: list[str]) -> Estimate:
    """The mean of what is known, with an interval that draws whole lesions."""
    known = np.flatnonzero(np.isfinite(values))
    return grouped_bootstrap(lambda rows: float(values[known][rows].mean()), [lesions[i] for i in known.tolist()])


def bounds(estimate: Estimate) -> list[float]:
    """Value, lower and upper end."""
    return [round(value, 4) for value in (estimate.value, estimate.low, estimate.high)]


def shown(estimate: Estimate, form: str = ".3f") -> str:
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


if __name__ == "__main__":
    main()
