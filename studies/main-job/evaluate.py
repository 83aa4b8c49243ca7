"""Scores what `dermoscope analyze` wrote, against the manifest's test split.

    python studies/main-job/evaluate.py --run runs/main-job --out runs/main-job/test

Runs the batch runner over every test image exactly as a user would (it resumes), then reads `results.csv` and the
masks. Prints a table and writes `results.json`.

Where `training/leak_check.json` in the run names a test image whose lesion was also trained on, that lesion is
analysed, but not scored. `scored.csv` is the manifest with such images outside every split, for `dermoscope evaluate`.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from dermoscope import taxonomy
from dermoscope.analyzer import load_analyzer
from dermoscope.batch import analyze_batch
from dermoscope.data.manifest import Record, read_manifest, write_manifest
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.evaluation.masks import mask_scores
from dermoscope.images import read_mask
from dermoscope.training.leaks import LEAK_CHECK_NAME, LeakCheck
from dermoscope.training.tasks import DEFAULT_TASKS

Row = dict[str, str]
COMMAND = "python studies/main-job/evaluate.py --run runs/main-job --out runs/main-job/test"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/main-job"))
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--out", type=Path, default=Path("runs/main-job/test"))
    parser.add_argument("--precision", choices=("auto", "float32"), default="auto")
    parser.add_argument("--split", default="test", help="val while choosing, test once")
    arguments = parser.parse_args()
    manifest = list(read_manifest(arguments.run / "manifest.csv"))
    records = [r for r in manifest if r.split == arguments.split]
    analyzer = load_analyzer(arguments.bundle, precision=arguments.precision, streams=2)
    summary = analyze_batch([str(r.path) for r in records], arguments.out, analyzer, jobs=2, pictures=False)
    print(f"{summary.done} analysed, {summary.skipped} before, {summary.failed} failed")
    with (arguments.out / "results.csv").open(newline="") as stream:
        rows = {row["path"]: row for row in csv.DictReader(stream)}
    leaked = leaked_lesions(arguments.run / "training" / LEAK_CHECK_NAME, records)
    done = [(r, rows[str(r.path)]) for r in records if rows[str(r.path)]["status"] == "done"]
    pairs = [(r, row) for r, row in done if (r.source, r.group_id) not in leaked]
    without = (
        r.model_copy(update={"split": ""}) if r.split == arguments.split and (r.source, r.group_id) in leaked else r
        for r in manifest
    )
    write_manifest(without, arguments.out / "scored.csv")
    print(f"{len(done) - len(pairs)} images of {len(leaked)} lesions are not scored: pictures of them were trained on")
    metrics = [*gate(pairs), *heads(pairs), *masks(pairs, arguments.out)]
    for name, estimate, data in metrics:
        print(f"| {name} | {estimate} | {estimate.n} | {data} |")
    as_json = [
        {"name": n, "value": e.value, "low": e.low, "high": e.high, "n": e.n, "data": d, "command": COMMAND}
        for n, e, d in metrics
    ]
    (arguments.out / "results.json").write_text(json.dumps({"metrics": as_json}, indent=2) + "\n")


def leaked_lesions(check: Path, records: Sequence[Record]) -> set[tuple[str, str]]:
    """Source and lesion of the images that have a picture of the same lesion in a split trained or chosen on."""
    if not check.exists():
        return set()
    order = ("train", "val", "test")
    leaks = LeakCheck.model_validate_json(check.read_bytes()).leaks
    held_out = {
        (image.source, image.image_id)
        for leak in leaks
        for image in leak.images
        if order.index(image.split) > min(order.index(other.split) for other in leak.images)
    }
    return {(r.source, r.group_id) for r in records if (r.source, r.image_id) in held_out}


def gate(pairs: list[tuple[Record, Row]]) -> list[tuple[str, Estimate, str]]:
    skin = np.array([r.diagnosis != taxonomy.NOT_SKIN for r, _ in pairs])
    said = np.array([row["is_skin"].lower() == "true" for _, row in pairs])
    groups = [f"{r.source}/{r.group_id}" for r, _ in pairs]

    def balanced(rows: np.ndarray) -> float:
        return float(balanced_accuracy_score(skin[rows], said[rows]))

    table = [("gate balanced accuracy", grouped_bootstrap(balanced, groups), "all held-out images")]
    for source in sorted({r.source for r, _ in pairs}):
        chosen = np.array([i for i, (r, _) in enumerate(pairs) if r.source == source])
        refused = ~said[chosen]
        estimate = grouped_bootstrap(_mean(refused), [groups[i] for i in chosen])
        table.append(("share refused by the gate", estimate, source))
    dermoscopic = np.array([i for i, (r, _) in enumerate(pairs) if r.source in ("HAM10000", "ISIC2018")])
    estimate = grouped_bootstrap(_mean(~said[dermoscopic]), [groups[i] for i in dermoscopic])
    return [*table, ("share refused by the gate", estimate, "HAM10000 and ISIC2018")]


def heads(pairs: list[tuple[Record, Row]]) -> list[tuple[str, Estimate, str]]:
    table = []
    for source in ("HAM10000", "ISIC2018"):
        chosen = [(r, row) for r, row in pairs if r.source == source]
        for name, column in (("group", "group"), ("diagnosis", "diagnosis")):
            task = DEFAULT_TASKS[name]
            kept = [(r, row) for r, row in chosen if task.label(r) is not None]
            truth = np.array([task.classes[task.label(r) or 0] for r, _ in kept])
            said = np.array([row[column] for _, row in kept])
            ids = [r.group_id for r, _ in kept]
            table.append((f"{name} balanced accuracy", grouped_bootstrap(_balanced(truth, said), ids), source))
            table.append((f"{name} accuracy", grouped_bootstrap(_mean(truth == said), ids), source))
        task = DEFAULT_TASKS["malignancy"]
        truth = np.array([task.label(r) for r, _ in chosen])
        risk = np.array([float(row["p_malignant"]) for _, row in chosen])
        ids = [r.group_id for r, _ in chosen]
        table.append(("malignancy AUC (graz)", grouped_bootstrap(_auc(truth, risk), ids), source))
        flagged = np.array([row["flagged"].lower() == "true" for _, row in chosen])
        for word, value in (("sensitivity", 1), ("specificity", 0)):
            part = truth == value
            hits = (flagged == bool(value))[part]
            estimate = grouped_bootstrap(_mean(hits), [g for g, is_in in zip(ids, part, strict=True) if is_in])
            table.append((f"malignancy {word} at the operating point", estimate, source))
        melanoma = np.array([r.diagnosis == "MEL" for r, _ in chosen])
        p_melanoma = np.array([float(row["p_melanoma"]) for _, row in chosen])
        table.append(("melanoma AUC", grouped_bootstrap(_auc(melanoma, p_melanoma), ids), source))
    return table


def masks(pairs: list[tuple[Record, Row]], out: Path) -> list[tuple[str, Estimate, str]]:
    table = []
    for source in ("HAM10000", "ISIC2018"):
        scores, ids = [], []
        for record, row in pairs:
            if record.source != source or record.mask_path is None:
                continue
            truth = read_mask(record.mask_path)
            predicted = read_mask(out / row["mask"]) if row["mask"] else np.zeros_like(truth)
            scores.append(mask_scores(predicted, truth))
            ids.append(record.group_id)
        for name in ("dice", "jaccard", "thresholded_jaccard", "pixel_accuracy"):
            values = np.array([getattr(score, name) for score in scores])
            if len(values):
                title = f"mask {name.replace('_', ' ')}, prompt: auto"
                table.append((title, grouped_bootstrap(_mean(values), ids), source))
    return table


def _mean(values: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda rows: float(values[rows].mean())


def _balanced(truth: np.ndarray, said: np.ndarray) -> Callable[[np.ndarray], float]:
    # Mean recall over the classes a resample holds; sklearn would warn of labels that were only predicted.
    def statistic(rows: np.ndarray) -> float:
        true, hit = truth[rows], truth[rows] == said[rows]
        return float(np.mean([hit[true == label].mean() for label in np.unique(true)]))

    return statistic


def _auc(truth: np.ndarray, score: np.ndarray) -> Callable[[np.ndarray], float]:
    def statistic(rows: np.ndarray) -> float:
        return float(roc_auc_score(truth[rows], score[rows])) if len(set(truth[rows])) == 2 else float("nan")

    return statistic


if __name__ == "__main__":
    main()
