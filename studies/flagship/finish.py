"""Puts the measured numbers of its modes into a bundle, and signs it again.

python studies/flagship/finish.py --bundle my-bundle --results studies/flagship/results.json

What was measured of these modes before is replaced; all else stays.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dermoscope.bundle import Bundle
from dermoscope.bundle_parts import Metric
from dermoscope.training.export import write_bundle
from dermoscope.training.mode_bundle import metrics_of_mode

DATA = {"ham10000": "HAM10000, held-out lesions", "isic2017": "ISIC 2017, official test images"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True, help="JSON that evaluate.py wrote")
    arguments = parser.parse_args()
    description = Bundle.load(arguments.bundle).description
    metrics = list(description.metrics)
    for mode, found in json.loads(arguments.results.read_text()).items():
        metrics = [metric for metric in metrics if not metric.name.startswith(metrics_of_mode(mode))]
        command = f"python studies/flagship/evaluate.py --run runs/flagship --mode {mode}"
        metrics += [
            Metric(name=f"{metrics_of_mode(mode)} {what}", data=DATA[data], command=command, **numbers)
            for data, table in found.items()
            for what, numbers in table.items()
        ]
    write_bundle(description.model_copy(update={"metrics": tuple(metrics)}), arguments.bundle)
    print(f"{arguments.bundle}: fingerprint {Bundle.load(arguments.bundle).fingerprint}")


if __name__ == "__main__":
    main()
