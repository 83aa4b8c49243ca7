"""Puts the mask confidence and the measured numbers into a bundle, and signs it again.

After the validation and the test run:

    python studies/main-job/finish.py --bundle bundle --confidence runs/main-job/confidence.json
    python studies/main-job/finish.py --bundle bundle --metrics runs/main-job/test/results.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dermoscope.bundle import Bundle
from dermoscope.bundle_parts import Metric
from dermoscope.training.export import write_bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--confidence", type=Path, help="JSON that masks.py --fit wrote")
    parser.add_argument("--metrics", type=Path, help="JSON that evaluate.py wrote")
    arguments = parser.parse_args()
    description = Bundle.load(arguments.bundle).description
    if arguments.confidence:
        fit = json.loads(arguments.confidence.read_text())
        fitted = {"confidence_slope": fit["slope"], "confidence_intercept": fit["intercept"]}
        description = description.model_copy(update={"decoder": description.decoder.model_copy(update=fitted)})
    if arguments.metrics:
        metrics = tuple(Metric.model_validate(m) for m in json.loads(arguments.metrics.read_text())["metrics"])
        description = description.model_copy(update={"metrics": metrics})
    write_bundle(description, arguments.bundle)
    print(f"{arguments.bundle}: fingerprint {Bundle.load(arguments.bundle).fingerprint}")


if __name__ == "__main__":
    main()
