"""Trains what the study compares: where the second look goes, how its crops come about, and what it starts from.

    python studies/cam-crop/ablation.py --run runs/cam-crop --weights efficientnet_lite0.safetensors
    python studies/cam-crop/ablation.py --run runs/cam-crop --weights efficientnet_lite0.safetensors --only map-0.2-0.1

Each training is `dermoscope train cam-crop-isic2017` on the official splits of ISIC 2017, at 160 px but for four; one
that is there is not done again, one that was interrupted goes on. They lie in `<run>/looks/<name>-<seed>` (`--folder`
names another folder, for a `--manifest` other than the official splits); `tables.py` reads them. The first look and
the networks of the folds are those of the first training of a seed, `map-0.2-0.1`, for all that differ from it in the
second look alone, so that differences are those of the second look. Masks are what `dermoscope segment` draws by
itself, in `<run>/masks`. Two of these scripts can share the work, each with its own `--only`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from dermoscope.cli import main as dermoscope
from dermoscope.evaluation.training_run import PREDICTIONS_NAME
from dermoscope.training.recipes import RECIPE_NAME, load_cam_recipe
from dermoscope.training.two_looks_description import FIRST
from dermoscope.training.two_looks_run import FOLD

OFFICIAL = "isic2017.csv"
SIZE = 160
THRESHOLDS, MARGINS = (0.2, 0.4, 0.6), (0.0, 0.1, 0.25)
BASE = "map-0.2-0.1"
SECOND_LOOKS: dict[str, tuple[str, ...]] = {
    **{f"map-{t}-{m}": (f"look.threshold={t}", f"look.margin={m}") for t in THRESHOLDS for m in MARGINS},
    **{f"mask-{m}": ("look.rule=mask", "first.crops.masks=folder", f"look.margin={m}") for m in MARGINS},
    "peak-0.5": ("look.rule=peak", "look.window=0.5"),
    "peak-0.7": ("look.rule=peak", "look.window=0.7"),
    "random-0.2-0.1": ("look.rule=random",),
    "random-0.6-0.1": ("look.rule=random", "look.threshold=0.6"),
    "full": ("look.rule=full",),
    "pretrained": ("start=pretrained",),
}
"""What differs in the second look alone."""
OTHER_CAMERAS = load_cam_recipe("cam-diagnosis").augmentation.model_dump_json()
"""The augmentation of `cam-diagnosis`."""
AUGMENTED = (
    "folds=0",
    "first.model.size=224",
    "first.crops.masks=folder",
    "first.loss.lesion_focus=0.5",
    f"first.augmentation={OTHER_CAMERAS}",
    "second={optimiser.learning_rate: 0.0003, stopping.epochs: 6}",
)
OTHERS: dict[str, tuple[str, ...]] = {
    "in-fold": ("folds=0",),
    "in-fold-0.6": ("folds=0", "look.threshold=0.6"),
    "size-224": ("folds=0", "first.model.size=224"),
    "every-stage": ("folds=0", "first.model.frozen_stages=0"),
    "augmented": (*AUGMENTED, "first.stopping={epochs: 16, select: loss}"),
    "augmented-last": (*AUGMENTED, "first.stopping={epochs: 16, select: last epoch}"),
    "melanoma": ("folds=0", "first.task.question=isic2017-melanoma"),
    "keratosis": ("folds=0", "first.task.question=isic2017-keratosis"),
    "vgg-gap": (
        "folds=0",
        "first.model.backbone=vgg16",
        "first.model.gap_convolution=1024",
        "first.model.frozen_stages=7",
        "first.model.size=128",
        "first.precision=bfloat16",
        "first.optimiser.learning_rate=0.0002",
        "first.stopping.epochs=4",
        "second={optimiser.learning_rate: 0.00006, stopping.epochs: 2}",
    ),
}
"""What changes the first look, too: without folds, to be compared with `in-fold`, which shares the first."""
IN_FOLD = ("in-fold", "in-fold-0.6")
"""Have the first look of the base."""
OTHER_WEIGHTS = "vgg-gap"
"""Is trained if it is named alone, with `--weights` of VGG16."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/cam-crop"))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--manifest", default=OFFICIAL, help="in the run folder")
    parser.add_argument("--folder", default="looks", help="of the trainings, in the run folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--only", nargs="+", choices=[*SECOND_LOOKS, *OTHERS], help="these alone, in this order")
    parser.add_argument("--set", action="append", default=[], dest="changes", help="a change to the recipe, for all")
    arguments = parser.parse_args()
    official = arguments.manifest == OFFICIAL
    if not official and arguments.folder == "looks":
        parser.error("--manifest: is not that of the official splits; name another --folder, too")
    for seed in arguments.seeds:
        base = arguments.run / arguments.folder / f"{BASE}-{seed}"
        every = [BASE, *(one for one in (*SECOND_LOOKS, *OTHERS) if one not in (BASE, OTHER_WEIGHTS))]
        for name in arguments.only or every:
            out: Path = arguments.run / arguments.folder / f"{name}-{seed}"
            if (out / PREDICTIONS_NAME).exists():
                continue
            if name != BASE:
                share(base, out, name)
            given = ["--manifest", arguments.run / arguments.manifest, "--weights", arguments.weights, "--out", out]
            given += ["--prints", arguments.run / "prints.sqlite", "--resamples", "300"]
            # Leaks between the official splits stay, as the published numbers have them; `prepare.py` counts them.
            given += ["--allow-leaks", "the official splits" if official else "between val and test, as published"]
            own = SECOND_LOOKS.get(name, ()) + OTHERS.get(name, ())
            given += ["--masks", arguments.run / "masks"] if "first.crops.masks=folder" in own else []
            for change in (f"first.model.size={SIZE}", f"first.seed={seed}", *own, *arguments.changes):
                given += ["--set", change]
            given += ["--resume"] if (out / RECIPE_NAME).exists() else []
            code = dermoscope(["train", "cam-crop-isic2017", *map(str, given)])
            if code:
                sys.exit(code)
            shutil.rmtree(out / "cache", ignore_errors=True)


def share(base: Path, out: Path, name: str) -> None:
    """Take over what another training has that differs in the second look alone."""
    shared = [FIRST] if name in IN_FOLD else []
    if name in SECOND_LOOKS:
        shared = [FIRST, *sorted(path.name for path in base.glob(FOLD.format("*")))]
    for part in shared:
        if not (base / part / PREDICTIONS_NAME).exists():
            sys.exit(f"{base / part} is not finished; train {BASE} first")
        shutil.copytree(base / part, out / part, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
