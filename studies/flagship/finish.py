"""Puts the measured numbers of its modes into a bundle, and signs it again.

    python studies/flagship/finish.py --bundle my-bundle --results studies/flagship/results.json \
        --failures studies/flagship/failures.json

What was measured of these modes before is replaced; all else stays. Of the mistakes that `failures.py` found, those of
the modes in its file take the place of all others.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from dermoscope.bundle import Bundle
from dermoscope.bundle_parts import Metric, Mistake, of_mode
from dermoscope.training.export import write_bundle

LICENCE = "CC BY-NC 4.0 (trained on images of HAM10000 and of ISIC 2017 and 2018); encoder: Apache-2.0"
DATA = {"ham10000": "HAM10000, held-out lesions", "isic2017": "ISIC 2017, official test images"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True, help="JSON that evaluate.py wrote")
    parser.add_argument("--failures", type=Path, help="JSON that failures.py wrote")
    parser.add_argument("--version", help="of the bundle from now on; it is created today then")
    arguments = parser.parse_args()
    description = Bundle.load(arguments.bundle).description
    if arguments.version:
        today = datetime.now(UTC).date().isoformat()
        description = description.model_copy(
            update={"version": arguments.version, "created": today, "licence": LICENCE}
        )
    metrics = list(description.metrics)
    for mode, found in json.loads(arguments.results.read_text()).items():
        metrics = [metric for metric in metrics if not metric.name.startswith(of_mode(mode))]
        command = f"python studies/flagship/evaluate.py --run runs/flagship --mode {mode}"
        metrics += [
            Metric(name=f"{of_mode(mode)} {what}", data=DATA[data], command=command, **numbers)
            for data, table in found.items()
            for what, numbers in table.items()
        ]
    mistakes = description.mistakes
    if arguments.failures:
        found = json.loads(arguments.failures.read_text())
        mistakes = tuple(Mistake(mode=mode, **one) for mode, rows in found.items() for one in rows)
    changes = {"metrics": tuple(metrics), "mistakes": mistakes}
    write_bundle(description.model_copy(update=changes), arguments.bundle)
    print(f"{arguments.bundle}: fingerprint {Bundle.load(arguments.bundle).fingerprint}")


if __name__ == "__main__":
    main()
