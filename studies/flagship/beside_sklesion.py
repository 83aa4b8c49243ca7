"""The package sklesion on the held-out images of this study, beside our modes.

    python studies/flagship/beside_sklesion.py --run runs/flagship --json studies/flagship/sklesion.json

Which images it has learnt from is not published, other than that they are HAM10000's: some of ours are among them, and
these numbers flatter it. Its authors tell a balanced accuracy of 0.723 on 1,511 images of their own split. It is given
age, sex and site, which our modes are not. `benchmarks/peer_sides.py` says how to install it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from answers import Diagnoses
from sklearn.metrics import roc_auc_score

from dermoscope import taxonomy
from dermoscope.data.manifest import read_manifest
from dermoscope.evaluation.intervals import grouped_bootstrap
from dermoscope.training.tasks import DEFAULT_TASKS

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from peer_sides import SKLESION_CLASSES, sklesion_classifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    classify = sklesion_classifier()
    task = DEFAULT_TASKS["diagnosis"]
    order = [SKLESION_CLASSES.index(code) for code in task.classes]
    malignant = [code in taxonomy.malignancy_definition("graz").malignant for code in task.classes]
    found = {}
    for data in ("ham10000", "isic2017"):
        records = list(read_manifest(arguments.run / f"test-{data}.csv"))
        said = np.stack([classify(record.path, record.age, record.sex, record.site)[order] for record in records])
        groups = [record.group_id for record in records]
        melanoma = np.array([record.diagnosis == "MEL" for record in records])
        truth = np.array([DEFAULT_TASKS["malignancy"].label(record) == 1 for record in records])
        numbers = {
            what: grouped_bootstrap(lambda rows, t=true, p=score: float(roc_auc_score(t[rows], p[rows])), groups)
            for what, true, score in (
                ("AUC, melanoma", melanoma, said[:, task.classes.index("MEL")]),
                ("AUC, malignancy (graz)", truth, said[:, malignant].sum(axis=1)),
            )
        }
        if data == "ham10000":
            labels = np.array([task.label(record) for record in records], np.int64)
            seen = Diagnoses(labels, said.astype(np.float64), said.max(axis=1), groups)
            numbers["balanced accuracy, seven diagnoses"] = grouped_bootstrap(seen.balanced, groups)
        print(f"\n{data}, {len(records):,} images\n\n| what | value |\n| --- | --- |")
        for what, one in numbers.items():
            print(f"| {what} | {one.value:.3f} ({one.low:.3f} to {one.high:.3f}) |", flush=True)
        found[data] = {what: [round(v, 4) for v in (one.value, one.low, one.high)] for what, one in numbers.items()}
    if arguments.json:
        arguments.json.write_text(f"{json.dumps(found, indent=1)}\n")


if __name__ == "__main__":
    main()
