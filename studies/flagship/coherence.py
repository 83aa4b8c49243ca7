"""How often the shipped model contradicts itself, and how often its evidence lies beside the lesion.

    DERMOSCOPE_DATA=/path/to/data python studies/flagship/coherence.py --images 200 --out runs/coherence

Analyses validation images of HAM10000 and full frames of ISIC 2018 with the bundle inside the package, in float32.
Counts, among answered images, how often the most probable group is not that of the most probable diagnosis (`AKIEC`
fits two), and how often the malignancy flag and the most probable diagnosis disagree; the latter must happen, because
the flag is set at high sensitivity and the diagnosis speaks of equally frequent classes. Then quantiles of the
disagreement between the heads and of the share of evidence on the lesion, and how often there is a warning.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dermoscope import taxonomy
from dermoscope.abstention import group_disagreement
from dermoscope.analysis import Analysis
from dermoscope.analyzer import load_analyzer

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200, help="of each source, drawn with a fixed seed")
    parser.add_argument("--out", type=Path, default=Path("runs/coherence"))
    arguments = parser.parse_args()
    data = Path(os.environ["DERMOSCOPE_DATA"])
    analyzer = load_analyzer(precision="float32")
    result = {}
    for source, paths in {"HAM10000": ham10000(data), "ISIC2018": isic2018(data)}.items():
        order = np.random.default_rng(0).permutation(len(paths))[: arguments.images]
        found = [analyzer.analyze(paths[number], evidence=True).analysis for number in order]
        result[source] = summary([each for each in found if not each.abstained])
        for name, value in result[source].items():
            print(f"| {source} | {name} | {value} |", flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "coherence.json").write_text(json.dumps(result, indent=2) + "\n")


def ham10000(data: Path) -> list[Path]:
    with (data / "splits" / "ham10000_cls.csv").open(newline="") as stream:
        chosen = {row["image"] for row in csv.DictReader(stream) if row["split"] == "val"}
    return sorted(path for path in (data / "HAM10000").glob("*_part_*/*.jpg") if path.stem in chosen)


def isic2018(data: Path) -> list[Path]:
    with (data / "splits" / "isic2018_task1_seg.csv").open(newline="") as stream:
        chosen = {row["image"] for row in csv.DictReader(stream) if row["split"] != "test"}
    return sorted(path for path in (data / "ISIC2018_256").glob("*/*.jpg") if path.stem in chosen)


def summary(answered: list[Analysis]) -> Mapping[str, object]:
    flagged = np.array([bool(each.malignancy and each.malignancy.flagged) for each in answered])
    malignant = np.array([top_is_malignant(each) for each in answered])
    evidence = [each.evidence for each in answered if each.evidence and each.evidence.share_inside is not None]
    apart = [group_disagreement(each.group, each.diagnosis) for each in answered]
    return {
        "answered": len(answered),
        "top group is not the group of the top diagnosis": round(float(np.mean([is_apart(a) for a in answered])), 3),
        "flagged, top diagnosis benign": round(float((flagged & ~malignant).mean()), 3),
        "not flagged, top diagnosis malignant": round(float((~flagged & malignant).mean()), 3),
        "disagreement of the heads, quantiles": np.quantile(apart, QUANTILES).round(3).tolist(),
        "with mask and evidence": len(evidence),
        "share of evidence inside, quantiles": np.quantile([e.share_inside for e in evidence], QUANTILES)
        .round(3)
        .tolist(),
        "peak of evidence inside": round(float(np.mean([bool(e.peak_inside) for e in evidence])), 3),
        "warned": round(float(np.mean([bool(e.warning) for e in evidence])), 3),
        "flagged": int(flagged.sum()),
        "warnings": sorted({e.warning.split(", ", 1)[1] for e in evidence if e.warning}),
    }


def is_apart(analysis: Analysis) -> bool:
    groups = (
        taxonomy.AKIEC_GROUPS
        if analysis.top_diagnosis == "AKIEC"
        else {taxonomy.GROUP_OF[analysis.top_diagnosis or ""]}
    )
    return analysis.top_group not in groups


def top_is_malignant(analysis: Analysis) -> bool:
    definition = taxonomy.malignancy_definition(analysis.malignancy.definition if analysis.malignancy else "graz")
    return analysis.top_diagnosis in definition.malignant


if __name__ == "__main__":
    main()
