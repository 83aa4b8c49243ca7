"""Fits the four heads on stored features and writes the bundle.

    python studies/main-job/train.py --run runs/main-job --weights weights/litemedsam.safetensors --out bundle

Every choice (recipe, epoch, calibration, thresholds) is made on `val`; `test` is not touched here. Nothing is trained
where images of one lesion lie in two splits, unless `--allow-leaks "reason"` says why. `training/` in the run holds
`leak_check.json`, `run.json` and `metrics.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from extract import CONTRACT, ENCODER_NAME
from prepare import PRINTS
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from dermoscope import __version__
from dermoscope.bundle import BundleDescription
from dermoscope.bundle_parts import DecoderPart, EncoderPart, GatePart, HeadsPart
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.encoders.inputs import prepare
from dermoscope.encoders.registry import encoder_spec
from dermoscope.files import sha256_of
from dermoscope.heads.fit import ProbeRecipe, logits_of
from dermoscope.images import decode
from dermoscope.segment.selection import SelectionRules
from dermoscope.training.default_heads import (
    FittedHead,
    fit_head,
    gate_point,
    labelled,
    malignancy_point,
    out_of_fold,
    probabilities,
)
from dermoscope.training.export import (
    DECODER,
    ENCODER,
    GATE,
    HEADS,
    check_graphs,
    export_heads,
    load_parts,
    write_bundle,
)
from dermoscope.training.features import FeatureTable
from dermoscope.training.leaks import LeaksFoundError, check_before_training, decide
from dermoscope.training.run_folder import EpochMetrics, RunFolder, RunRecord
from dermoscope.training.tasks import DEFAULT_TASKS, Task
from dermoscope.training.views import ORIGINAL

RECIPES = {
    "gate": ProbeRecipe(balance=0.5, mixup=1.0, weight_decay=0.1, dropout=0.5, epochs=20),
    "group": ProbeRecipe(balance=1.0, mixup=1.0, weight_decay=0.1, epochs=20),
    "diagnosis": ProbeRecipe(balance=1.0, mixup=1.0, weight_decay=0.1, epochs=20),
    "malignancy": ProbeRecipe(balance=0.5, mixup=0.4, epochs=20),
}
SEEDS = (0, 1, 2, 3, 4)
REFUSED, SENSITIVITY = 0.0025, 0.90  # half of what may be refused: other clinics differ from those seen
CHECKED_IMAGES = 16
LICENCE = "CC BY-NC 4.0 (trained on HAM10000 and ISIC 2018 images); encoder: Apache-2.0"
TRAINING_DATA = (
    "HAM10000 (Tschandl et al. 2018, CC BY-NC 4.0), centre squares at 256 px: heads",
    "ISIC 2018 Task 1 training images outside the ISIC 2017 test ids (CC BY-NC 4.0), full frame at 256 px, with the "
    "diagnoses of ISIC 2019: heads",
    "lesion-free squares cut from ISIC 2018 images: gate",
    "DTD textures (research use), ImageNet sample photographs (non-commercial research use): gate",
    "encoder: LiteMedSAM, unchanged, trained by its authors on medical images, possibly dermoscopic ones",
    "mask decoder: LiteMedSAM, unchanged; its prompts and confidence fitted on ISIC 2018 images",
)


def report(task: Task, fitted: FittedHead, records: list[Record], features: FeatureTable) -> dict[str, float]:
    """Validation scores, for the choices above."""
    chosen, labels = labelled(task, records, "val")
    read = features.of(chosen, ORIGINAL, task.reads)
    balanced = balanced_accuracy_score(labels, logits_of(fitted.module, read).argmax(1))
    scores = {"balanced accuracy, uncalibrated": float(balanced), "n": float(len(labels))}
    if len(task.classes) == 2:
        scores["auc"] = float(roc_auc_score(labels, probabilities(fitted, read)[:, 1]))
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/main-job"), help="manifest, features, SAM graphs")
    parser.add_argument("--weights", type=Path, required=True, help="safetensors of the encoder and decoder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--allow-leaks", metavar="REASON", help="train although splits share lesions; goes to run.json")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    manifest = arguments.run / "manifest.csv"
    training = arguments.run / "training"
    try:
        check = check_before_training(manifest, training, cache=arguments.run / PRINTS, jobs=2)
        leaks = decide(check, arguments.allow_leaks)
    except LeaksFoundError as error:
        parser.exit(1, f"{error}\n")
    except ValueError as error:
        parser.error(str(error))
    records = list(read_manifest(manifest))
    features = FeatureTable.load(arguments.run / "features.npz")
    command = [Path(__file__), "--run", arguments.run, "--weights", arguments.weights, "--out", arguments.out]
    command += [] if arguments.allow_leaks is None else ["--allow-leaks", arguments.allow_leaks]
    record = RunRecord.begin(command=command, seeds=SEEDS, records=records, check=check, leaks=leaks)
    with RunFolder(training, record) as run:
        heads, scores = fit(records, features, run)
        write(arguments.run, arguments.weights, arguments.out, records, features, heads)
        run.complete(scores)


def fit(
    records: list[Record], features: FeatureTable, run: RunFolder
) -> tuple[dict[str, FittedHead], dict[str, dict[str, float]]]:
    """The heads and their validation scores, by name."""
    heads, scores = {}, {}
    for name, task in DEFAULT_TASKS.items():
        # ISIC 2018 has three of the classes at other frequencies: it helps to train, but calibration and thresholds
        # come from the lesions of HAM10000 alone, except for the gate.
        used = [r for r in records if name == "gate" or r.split == "train" or r.source == "HAM10000"]

        def on_epoch(seed: int, epoch: int, metrics: Mapping[str, float], head: str = name) -> None:
            run.add_metrics(EpochMetrics(head=head, seed=seed, epoch=epoch, metrics=dict(metrics)))

        heads[name] = fit_head(task, used, features, RECIPES[name], SEEDS, on_epoch)
        scores[name] = report(task, heads[name], used, features)
        run.add_metrics(EpochMetrics(head=name, metrics=scores[name]))
        print(name, json.dumps(scores[name]), flush=True)
    return heads, scores


def write(
    run: Path,
    weights: Path,
    out: Path,
    records: list[Record],
    features: FeatureTable,
    heads: Mapping[str, FittedHead],
) -> None:
    """The bundle, with operating points and the checks of its graphs."""
    task = DEFAULT_TASKS["gate"]
    seen, unseen = (
        [r for r in records if r.split == split and r.source in ("HAM10000", "ISIC2018")] for split in ("train", "val")
    )
    p_skin = np.concatenate([
        out_of_fold(task, records, seen, features, RECIPES["gate"], SEEDS[:2], folds=3),
        probabilities(heads["gate"], features.of(unseen, ORIGINAL, task.reads)),
    ])[:, 1]  # fmt: skip
    ham = [r for r in records if r.source == "HAM10000"]
    lesions, malignant = labelled(DEFAULT_TASKS["malignancy"], ham, "val")
    p_malignant = probabilities(heads["malignancy"], features.of(lesions, ORIGINAL))[:, 1]
    out.mkdir(parents=True, exist_ok=True)
    for graph in (ENCODER, DECODER):
        shutil.copyfile(run / graph, out / graph)
    modules = {name: fitted.module for name, fitted in heads.items()}
    gate = modules.pop("gate")
    export_heads({"gate": gate}, "statistics", features.statistics.shape[1], out / GATE)
    export_heads(modules, "feature", features.feature.shape[1], out / HEADS)
    spec = encoder_spec(ENCODER_NAME)
    prepared = [prepare(decode(r.path).rgb, CONTRACT) for r in lesions[:: len(lesions) // CHECKED_IMAGES]]
    checks = check_graphs(
        load_parts(spec, weights, CONTRACT),
        gate,
        modules,
        [(p.image, p.pool_weights) for p in prepared],
        CONTRACT,
        out,
    )
    description = BundleDescription(
        schema_version=1,
        name="dermoscope-default",
        version=__version__,
        created=datetime.now(UTC).date().isoformat(),
        intended_use="For research on dermoscopic images. Not for decisions about patients.",
        licence=LICENCE,
        encoder=EncoderPart(name=spec.name, graph=ENCODER, input=CONTRACT, licence=spec.licence, source=spec.source),
        decoder=DecoderPart(
            graph=DECODER,
            rules=SelectionRules(),
            confidence_slope=1.0,  # finish.py puts the fitted ones here
            confidence_intercept=0.0,
        ),
        gate=GatePart(
            graph=GATE,
            head=heads["gate"].head,
            point=gate_point(p_skin, refused=REFUSED),
        ),
        heads=HeadsPart(
            graph=HEADS,
            group=heads["group"].head,
            diagnosis=heads["diagnosis"].head,
            malignancy=heads["malignancy"].head,
            malignancy_definition=DEFAULT_TASKS["malignancy"].definition,
            malignancy_point=malignancy_point(p_malignant, malignant == 1, sensitivity=SENSITIVITY),
        ),
        training_data=TRAINING_DATA,
        provenance={
            "code": f"dermoscope {__version__}, studies/main-job",
            "manifest sha256": sha256_of(run / "manifest.csv"),
            "encoder weights sha256": sha256_of(weights),
        },
        metrics=(),
        graph_checks=checks,
    )
    write_bundle(description, out)
    print(f"bundle in {out}: {sum(p.stat().st_size for p in out.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
