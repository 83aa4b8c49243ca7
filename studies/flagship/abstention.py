"""When the answer is withheld, and what that is worth: risk and coverage, strange images, reasons.

    python studies/flagship/abstention.py --run runs/flagship --strange runs/main-job/manifest.csv --mode best \
        --json studies/flagship/abstention.json --figures studies/flagship/figures

Strange images are those of the test split of the main job that show no lesion: photographs, textures, healthy skin.
The distance has seen none of their kind, the gate has seen photographs, textures and healthy skin, but none of BSDS500.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from answers import Diagnoses, Pair, ask
from sklearn.metrics import roc_auc_score

from dermoscope.analysis import Analysis
from dermoscope.analyzer import load_analyzer
from dermoscope.bundle_parts import ModePart
from dermoscope.data.manifest import read_manifest
from dermoscope.evaluation.intervals import grouped_bootstrap

STRANGE = ("photographs", "BSDS500", "DTD", "healthy-skin")
COVERAGES = np.round(np.arange(0.3, 1.001, 0.05), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--strange", type=Path, required=True, help="manifest of the main job")
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--mode", help="by default its first")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figures", type=Path, help="a folder")
    arguments = parser.parse_args()
    analyzer = load_analyzer(arguments.bundle, mode=arguments.mode, streams=2)
    run, mode = arguments.run, analyzer.mode
    _, part = analyzer.bundle.mode(mode)
    assert part
    ham10000, isic2017 = (
        ask(list(read_manifest(run / f"test-{data}.csv")), run / f"test-{data}-{mode}", analyzer)
        for data in ("ham10000", "isic2017")
    )
    records = [r for r in read_manifest(arguments.strange) if r.split == "test" and r.source in STRANGE]
    strange = ask(records, run / f"strange-{mode}", analyzer)
    found = {
        "curve": curve(ham10000, part),
        "strange": refused(ham10000, isic2017, strange),
        "reasons": reasons(ham10000, isic2017),
    }
    print(json.dumps(found, indent=1))
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        arguments.json.write_text(f"{json.dumps({**kept, mode: found}, indent=1)}\n")
    if arguments.figures:
        arguments.figures.mkdir(parents=True, exist_ok=True)
        draw(found, arguments.figures / f"risk-coverage-{mode}.png")


def curve(pairs: list[Pair], mode: ModePart) -> dict[str, list[float] | dict[str, float]]:
    """Balanced accuracy where only the surest images are answered, and where those are that the model answers."""
    seen = Diagnoses.of(pairs, mode)
    points = [
        grouped_bootstrap(lambda rows, c=c: seen.balanced(seen.surest(rows, c)), seen.groups)
        for c in COVERAGES.tolist()
    ]
    answered = np.array([not one.abstained for _, one in pairs])
    own = grouped_bootstrap(lambda rows: seen.balanced(rows[answered[rows]]), seen.groups)
    return {
        "coverage": COVERAGES.tolist(),
        "value": [round(one.value, 4) for one in points],
        "low": [round(one.low, 4) for one in points],
        "high": [round(one.high, 4) for one in points],
        "as it withholds": {
            "coverage": round(float(answered.mean()), 4),
            "value": round(own.value, 4),
            "low": round(own.low, 4),
            "high": round(own.high, 4),
        },
    }


def refused(ham10000: list[Pair], isic2017: list[Pair], strange: list[Pair]) -> dict[str, dict[str, float]]:
    """Which images the gate and the distance withhold, and how well the distance tells strange ones by itself."""
    sets = {"HAM10000": ham10000, "ISIC2017": isic2017}
    for source in STRANGE:
        sets[source] = [pair for pair in strange if pair[0].source == source]
    familiar = [distance(one) for _, one in [*ham10000, *isic2017]]
    found = {}
    for source, pairs in sets.items():
        distances = np.array([distance(one) for _, one in pairs])
        by_gate = np.array([one.gate is not None and not one.gate.is_skin for _, one in pairs])
        truth = np.repeat([0, 1], [len(familiar), len(distances)])
        found[source] = {
            "images": len(pairs),
            "gate refuses": round(float(by_gate.mean()), 4),
            "too far": round(float((distances > 1).mean()), 4),
            "either": round(float((by_gate | (distances > 1)).mean()), 4),
            "answer withheld": round(float(np.mean([one.abstained for _, one in pairs])), 4),
        }
        if source in STRANGE:
            auc = roc_auc_score(truth, np.concatenate([familiar, distances]))
            found[source]["AUC of the distance against lesions"] = round(float(auc), 4)
    return found


def distance(one: Analysis) -> float:
    """As a share of the limit."""
    if one.out_of_distribution is None:
        raise SystemExit("this bundle measures no distance")
    return one.out_of_distribution


def reasons(ham10000: list[Pair], isic2017: list[Pair]) -> dict[str, dict[str, int]]:
    """How often each reason withholds an answer about a lesion."""
    return {
        name: dict(Counter(one.abstain_reason or "answered" for _, one in pairs).most_common())
        for name, pairs in (("HAM10000", ham10000), ("ISIC2017", isic2017))
    }


def draw(found: dict[str, dict], path: Path) -> None:  # type: ignore[type-arg]
    """The curve with its band, and the point that the model's own rules choose."""
    from matplotlib.figure import Figure

    shown = found["curve"]
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(shown["coverage"], shown["low"], shown["high"], alpha=0.2, linewidth=0)
    axes.plot(shown["coverage"], shown["value"], label="the surest images answered")
    own = shown["as it withholds"]
    error = [[own["value"] - own["low"]], [own["high"] - own["value"]]]
    axes.errorbar([own["coverage"]], [own["value"]], yerr=error, fmt="o", color="black", label="as the model withholds")
    axes.set(xlabel="share of images answered", ylabel="balanced accuracy, seven diagnoses")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
