"""How far the answers of a mode agree with each other, and whether its evidence lies on the lesion.

    python studies/flagship/coherence.py --run runs/flagship --mode best --json studies/flagship/coherence.json

Reads what `evaluate.py` has asked about the held-out images (or asks, and resumes). Among answered images: whether the
diagnosis lies in its prediction set, which must be; how often its group is not the most probable one, the sum over
diagnoses, which may be; and how often flag and diagnosis part, which must: the flag is set at a high sensitivity, at a
risk of a few per cent, and the diagnosis speaks of equally frequent diagnoses. Then where the evidence for malignancy
lies, of answered images where there is an outline and any evidence; how many of the flags come with a warning that it
lies beside the lesion, and how often such flags and the others are right, beside the risk that they were told with.
Shares have 95 % intervals over lesions.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from answers import Pair, ask
from evaluate import among

from dermoscope import taxonomy
from dermoscope.analysis import Analysis
from dermoscope.analyzer import load_analyzer
from dermoscope.data.manifest import read_manifest
from dermoscope.evaluation.intervals import Estimate
from dermoscope.training.tasks import DEFAULT_TASKS

QUARTILES = (0.25, 0.5, 0.75)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--mode", help="by default its first")
    parser.add_argument("--json", type=Path, help="a file that the numbers are added to")
    arguments = parser.parse_args()
    analyzer = load_analyzer(arguments.bundle, mode=arguments.mode, streams=2)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for data in ("ham10000", "isic2017"):
        records = list(read_manifest(arguments.run / f"test-{data}.csv"))
        pairs = ask(records, arguments.run / f"test-{data}-{analyzer.mode}", analyzer)
        print(f"\n{data}, {len(pairs):,} images, mode {analyzer.mode}\n\n| what | value |\n| --- | --- |")
        found[data] = {}
        for what, share in shares(pairs).items():
            print(f"| {what} | {share.value:.3f} ({share.low:.3f} to {share.high:.3f}) of {share.n:,} |", flush=True)
            found[data][what] = {"value": share.value, "low": share.low, "high": share.high, "n": share.n}
        inside = [share for _, one in pairs if not one.abstained and (share := share_inside(one)) is not None]
        quartiles = dict(zip(("low", "value", "high"), np.quantile(inside, QUARTILES).tolist(), strict=True))
        print(
            "| share of the evidence on the lesion, median and quartiles |",
            *(f"{q:.2f}" for q in quartiles.values()),
            "|",
        )
        found[data]["share of the evidence on the lesion, median and quartiles"] = {**quartiles, "n": len(inside)}
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        kept[analyzer.mode] = {
            data: {what: {name: round(v, 4) for name, v in of.items()} for what, of in table.items()}
            for data, table in found.items()
        }
        arguments.json.write_text(f"{json.dumps(kept, indent=1)}\n")


def shares(pairs: list[Pair]) -> dict[str, Estimate]:
    """What is counted, as shares of the images that it can be said of."""
    groups = [record.group_id for record, _ in pairs]
    answered = np.array([not one.abstained for _, one in pairs])
    placed = answered & np.array([share_inside(one) is not None for _, one in pairs])
    flagged = answered & np.array([bool(one.malignancy and one.malignancy.flagged) for _, one in pairs])
    warned = np.array([bool(one.evidence and one.evidence.warning) for _, one in pairs])
    risk = [one.malignancy.probability if one.malignancy else 0.0 for _, one in pairs]
    malignant = [DEFAULT_TASKS["malignancy"].label(record) == 1 for record, _ in pairs]
    counted = {
        "the diagnosis is not in its prediction set": (answered, [not in_its_set(one) for _, one in pairs]),
        "the group is not the most probable one": (answered, [not in_likeliest_group(one) for _, one in pairs]),
        "flagged, diagnosis benign": (flagged, [not is_malignant(one) for _, one in pairs]),
        "not flagged, diagnosis malignant": (answered & ~flagged, [is_malignant(one) for _, one in pairs]),
        "strongest evidence on the lesion": (
            placed,
            [bool(one.evidence and one.evidence.peak_inside) for _, one in pairs],
        ),
        "flagged, warned that the evidence lies beside the lesion": (flagged, warned),
        "flagged with a warning, malignant": (flagged & warned, malignant),
        "flagged with a warning, risk on average": (flagged & warned, risk),
        "flagged without a warning, malignant": (flagged & ~warned, malignant),
        "flagged without a warning, risk on average": (flagged & ~warned, risk),
    }
    return {what: among(rows, np.array(yes), groups) for what, (rows, yes) in counted.items()}


def in_its_set(analysis: Analysis) -> bool:
    return analysis.prediction_set is None or analysis.top_diagnosis in analysis.prediction_set.codes


def in_likeliest_group(analysis: Analysis) -> bool:
    return analysis.top_group == max(analysis.group, key=analysis.group.__getitem__)


def share_inside(analysis: Analysis) -> float | None:
    return analysis.evidence.share_inside if analysis.evidence else None


def is_malignant(analysis: Analysis) -> bool:
    definition = taxonomy.malignancy_definition(analysis.malignancy.definition if analysis.malignancy else "graz")
    return analysis.top_diagnosis in definition.malignant


if __name__ == "__main__":
    main()
