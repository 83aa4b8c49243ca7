"""Trains what the study compares: every loss on one crop and on three, with several seeds.

    python studies/girona/ablation.py --run runs/girona --weights weights/efficientnet_lite0.safetensors

Each training is `dermoscope train cam-binary` with the variant's losses, 128 px, four epochs; one that is there is not
done again, one that was interrupted goes on. The runs lie in `<run>/ablation/<variant>-<crops>-<seed>`; `tables.py`
reads them. On one core a run takes 18 minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dermoscope.cli import main as dermoscope

VARIANTS = ("cross-entropy", "lesion-focus", "all-losses", "penalised-divergence", "centre", "divergence")
CROPS = ("three-crops", "one-crop")
SIZE, EPOCHS = 128, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/girona"))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--crops", nargs="+", choices=CROPS, default=list(CROPS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        for crops in arguments.crops:
            for variant in arguments.variants:
                out: Path = arguments.run / "ablation" / f"{variant}-{crops}-{seed}"
                if (out / "predictions.csv").exists():
                    continue
                given = ["--manifest", arguments.run / "by-lesion.csv", "--weights", arguments.weights, "--out", out]
                given += ["--cache", arguments.run / f"cache-{SIZE}-{crops}", "--masks", arguments.run / "masks"]
                given += ["--prints", arguments.run / "prints.sqlite", "--resamples", "300"]
                # The recipe itself has the lesion focus alone.
                given += [] if variant == "lesion-focus" else ["--variant", variant]
                given += ["--variant", "one-crop"] if crops == "one-crop" else []
                for change in ("crops.masks=folder", f"model.size={SIZE}", f"stopping.epochs={EPOCHS}", f"seed={seed}"):
                    given += ["--set", change]
                given += ["--resume"] if (out / "recipe.yaml").exists() else []
                code = dermoscope(["train", "cam-binary", *map(str, given)])
                if code:
                    sys.exit(code)


if __name__ == "__main__":
    main()
