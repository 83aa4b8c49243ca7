"""Trains what the study compares: every loss on one crop and on three, with several seeds, for either question.

    python studies/girona/ablation.py --run runs/girona --weights efficientnet_lite0.safetensors
    python studies/girona/ablation.py --run runs/girona --weights efficientnet_lite0.safetensors --task three-class

Each training is `dermoscope train cam-binary` (or `cam-three-class`) with the variant's losses at 128 px; one that is
there is not done again, one that was interrupted goes on. The runs lie in
`<run>/ablation/<task>/<variant>-<crops>-<seed>`; `tables.py` reads them. On one core a run takes 14 minutes (5).
With `--by-image` it is the split that leaks, and they lie in `<run>/by-image`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from dermoscope.cli import main as dermoscope


class Question(NamedTuple):
    """What is trained for a task: the recipe, how long, and the variant that is the recipe as it stands."""

    recipe: str
    epochs: int
    variants: tuple[str, ...]


OWN = "lesion-focus"  # what both recipes have without a variant
LOSSES = ("all-losses", "penalised-divergence", "centre", "divergence")
TASKS = {
    "binary": Question("cam-binary", 4, ("cross-entropy", OWN, *LOSSES)),
    "three-class": Question("cam-three-class", 8, ("focal", OWN, *LOSSES)),
}
CLEANING = ("hair-removal", "colour-constancy")
CHANGES = (*CLEANING, "constancy-augmentation", "rand-augment", "mask-head")  # by `--variants`, not by default
CROPS = ("three-crops", "one-crop")
SIZE = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/girona"))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--task", choices=TASKS, default="binary")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--crops", nargs="+", choices=CROPS, default=list(CROPS))
    parser.add_argument("--by-image", action="store_true")
    parser.add_argument("--variants", nargs="+", help=f"all losses by default; also {', '.join(CHANGES)}")
    arguments = parser.parse_args()
    question = TASKS[arguments.task]
    runs, leaks = ("by-image", "what a split by image is worth") if arguments.by_image else ("ablation", "")
    manifest = arguments.run / f"{'by-image' if arguments.by_image else 'by-lesion'}.csv"
    for seed in arguments.seeds:
        for crops in arguments.crops:
            for variant in arguments.variants or question.variants:
                out: Path = arguments.run / runs / arguments.task / f"{variant}-{crops}-{seed}"
                if (out / "predictions.csv").exists():
                    continue
                given = ["--manifest", manifest, "--weights", arguments.weights, "--out", out]
                kind = [str(SIZE), arguments.task, crops, *([variant] if variant in CLEANING else [])]
                given += ["--cache", arguments.run / "-".join(["cache", *kind, *(["by-image"] if leaks else [])])]
                given += ["--allow-leaks", leaks] if leaks else []
                given += ["--masks", arguments.run / "masks"]
                given += ["--prints", arguments.run / "prints.sqlite", "--resamples", "300"]
                given += [] if variant == OWN else ["--variant", variant]
                given += ["--variant", "one-crop"] if crops == "one-crop" else []
                changes = ("crops.masks=folder", f"model.size={SIZE}", f"stopping.epochs={question.epochs}")
                for change in (*changes, f"seed={seed}"):
                    given += ["--set", change]
                given += ["--resume"] if (out / "recipe.yaml").exists() else []
                code = dermoscope(["train", question.recipe, *map(str, given)])
                if code:
                    sys.exit(code)


if __name__ == "__main__":
    main()
