"""Trains the recipes of the thesis and ours on stored features, scores them on the test split, and prints the table.

    python studies/graz/train.py --run runs/graz --encoder runs/graz/litemedsam-112 --manifest runs/graz/manifest.csv

Each line of the table is one `dermoscope train` and one `dermoscope evaluate`, which can be repeated by hand; a run
that is there already is read, not repeated. `--views original` trains on the images as they are, where the store has no
other views; `--views train` has the other views of training images alone. Writes `<encoder>.json` beside the runs.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dermoscope.cli import main as dermoscope
from dermoscope.encoders.folder import EncoderFolder


@dataclass(frozen=True)
class Line:
    """One line of the table: a recipe and how it is changed.

    Attributes:
        recipe: Its name.
        variants: Variants the recipe names.
        changes: Further settings, as `--set` takes them.
    """

    recipe: str
    variants: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the run's folder, and of the line."""
        changed = [re.sub(r"[^\w.]+", "-", change).strip("-") for change in self.changes]
        return "_".join([self.recipe, *self.variants, *changed])


SHUFFLES = range(42, 52)


def published(recipe: str, *variants: str) -> tuple[Line, ...]:
    """A lesion head of the thesis: its settings, its ablation, and the negative control of ten seeds."""
    named = ("original", "all-augmented", *variants, "128_64_16_DO01", "64_16_DO01")
    shuffled = (Line(recipe, (), ("shuffled_labels=true", f"seeds=[{seed}]")) for seed in SHUFFLES)
    return (Line(recipe), *(Line(recipe, (variant,)) for variant in named), *shuffled)


def ours(recipe: str, *changes: tuple[str, ...]) -> tuple[Line, ...]:
    """A lesion head of ours: its inputs, and baselines on the mean."""
    inputs = (("input.columns=[mean, std]",), ("input.columns=[levels]",))
    baselines = (("head={kind: logistic}",), ("head={kind: knn}",))
    return (Line(recipe), *(Line(recipe, (), change) for change in (*inputs, *changes, *baselines)))


LINES = (
    Line("graz-gate"),
    Line("graz-gate", ("script",)),
    Line("gate"),
    Line("gate", ("mahalanobis",)),
    Line("gate", ("neighbour-distance",)),
    *published("graz-group", "document", "lmf"),
    *ours("group"),
    *published("graz-malignancy"),
    *ours("malignancy", ("input.columns=[levels]", "calibration=equal classes")),
)
SHOWN = {"class": ("balanced_accuracy", "accuracy", "macro_f1", "weighted_f1", "mean_auc"), "two": ("auc", "accuracy")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/graz"), help="folder with the store")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--views", choices=("recipe", "train", "original"), default="recipe")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="LINE", help="these lines only, such as 'graz-*'")
    parser.add_argument("--allow-leaks", metavar="REASON")
    arguments = parser.parse_args()
    encoder = EncoderFolder.load(arguments.encoder).description
    place = arguments.run / f"{encoder.name}-{encoder.contract.size}-{arguments.manifest.stem}-{arguments.views}"
    results = {}
    for line in LINES:
        if not any(fnmatchcase(line.name, pattern) for pattern in arguments.only):
            continue
        if arguments.views == "original" and "all-augmented" in line.variants:
            continue
        results[line.name] = run(line, arguments, place / line.name)
        print(row(line, results[line.name]), flush=True)
    (arguments.run / f"{place.name}.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def run(line: Line, arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Train and evaluate, unless it was done; what the evaluation measured, with the seconds of training."""
    if not (out / "head.json").exists():
        given = ["train", line.recipe, "--manifest", str(arguments.manifest), "--store", str(arguments.run / "store")]
        given += ["--encoder", str(arguments.encoder), "--out", str(out)]
        given += ["--prints", str(arguments.run / "prints.sqlite")]
        given += [part for variant in line.variants for part in ("--variant", variant)]
        held_out, training = ("sampling.validation.views=[original]",), ("sampling.train.views=[original]",)
        changes = (
            *line.changes,
            *({"recipe": (), "train": held_out, "original": training + held_out}[arguments.views]),
        )
        given += [part for change in changes for part in ("--set", change)]
        given += ["--allow-leaks", arguments.allow_leaks] if arguments.allow_leaks else []
        given += ["--resume"] if (out / "recipe.yaml").exists() else []
        done([*given, "--quiet", "--jobs", "2"])
    predictions, test = out / "predictions.csv", out / "test"
    if not (test / "metrics.json").exists():
        given = ["evaluate", str(predictions), "--manifest", str(arguments.manifest), "--validation", str(predictions)]
        done([*given, "--out", str(test), "--quiet"])
    measured = json.loads((test / "metrics.json").read_text(encoding="utf-8"))
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    (chosen_on,) = record["metrics"].values()
    question = next(key for key in measured if key not in ("schema_version", "kind", "notice", "header"))
    return {
        "question": question,
        "seconds": chosen_on["seconds of training"],
        "validation": chosen_on,
        **measured[question],
    }


def done(arguments: list[str]) -> None:
    """Run a command; anything but success ends the study."""
    if code := dermoscope(arguments):
        raise SystemExit(f"dermoscope {' '.join(arguments)} ended with {code}")


def row(line: Line, result: dict[str, Any]) -> str:
    """One line of Markdown."""
    metrics = result["metrics"]
    names = [name for names in SHOWN.values() for name in names if name in metrics]
    cells = [f"{name} {text(metrics[name])}" for name in dict.fromkeys(names)]
    cells.append(
        f"val: balanced {result['validation']['balanced_accuracy']:.3f}, AUC {result['validation']['mean_auc']:.3f}"
    )
    return f"| {line.name} | {result['n']:,} | {' | '.join(cells)} | {result['seconds']:.1f} s |"


def text(estimate: dict[str, float]) -> str:
    """Value and interval."""
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


if __name__ == "__main__":
    main()
