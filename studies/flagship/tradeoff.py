"""What each mode costs and what it is worth: milliseconds an image beside balanced accuracy, as one figure.

    python studies/flagship/tradeoff.py --images photos --results studies/flagship/results.json \
        --json studies/flagship/tradeoff.json --figure studies/flagship/figures/tradeoff.png

The modes take turns on the same images, after two to warm up, in one process; images that the gate refuses are not
counted. Cores are all the machine has. Run it on a quiet one.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from pathlib import Path

import numpy as np

from dermoscope.analyzer import Analyzer
from dermoscope.bundle import Bundle

WORTH = "balanced accuracy, seven diagnoses"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of dermoscopic images")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--results", type=Path, required=True, help="JSON that evaluate.py wrote")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    bundle = Bundle.load(arguments.bundle) if arguments.bundle else Bundle.default()
    bare = Bundle(bundle.folder, bundle.description.model_copy(update={"modes": {}}), bundle.fingerprint)
    analyzers = {"heads": Analyzer(bare)} | {name: Analyzer(bundle, mode=name) for name in bundle.description.modes}
    results = json.loads(arguments.results.read_text())
    stages: dict[str, list[dict[str, float]]] = defaultdict(list)
    for number, path in enumerate(sorted(arguments.images.rglob("*.jpg"))[: arguments.count + 2]):
        answers = {name: analyzer.analyze(path).analysis for name, analyzer in analyzers.items()}
        if number >= 2 and all(one.gate and one.gate.is_skin for one in answers.values()):
            for name, one in answers.items():
                stages[name].append({**one.timings_ms, "whole": sum(one.timings_ms.values())})
    found = {
        name: {
            "cores": os.cpu_count(),
            "images": len(times),
            "median_ms": {stage: round(float(np.median([one[stage] for one in times])), 2) for stage in times[0]},
            "p90_ms": round(float(np.quantile([one["whole"] for one in times], 0.9)), 2),
            **({WORTH: results[name]["ham10000"][WORTH]} if name in results else {}),
        }
        for name, times in stages.items()
    }
    print(json.dumps(found, indent=1))
    if arguments.json:
        arguments.json.write_text(f"{json.dumps(found, indent=1)}\n")
    if arguments.figure:
        arguments.figure.parent.mkdir(parents=True, exist_ok=True)
        draw(found, arguments.figure)


def draw(found: dict[str, dict], path: Path) -> None:  # type: ignore[type-arg]
    """A point with its interval for each mode."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for name, one in found.items():
        if WORTH not in one:
            continue
        x, worth = one["median_ms"]["whole"], one[WORTH]
        error = [[worth["value"] - worth["low"]], [worth["high"] - worth["value"]]]
        axes.errorbar([x], [worth["value"]], yerr=error, fmt="o")
        axes.annotate(name, (x, worth["value"]), textcoords="offset points", xytext=(8, 4))
    axes.set(xlabel="milliseconds an image, median", ylabel=WORTH)
    axes.set_xlim(0, 1.2 * max(one["median_ms"]["whole"] for one in found.values()))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
