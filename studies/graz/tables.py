"""The tables of RESULTS.md, out of what `train.py` wrote, and results.json with every number in them.

python studies/graz/tables.py --run runs/graz --out studies/graz/results.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from train import text

PROBED = ("litemedsam-112", "mobilesam-448", "sam2_hiera_tiny-256", "sam2_hiera_tiny-512", "tf_efficientnet_lite0-224")
SETS = {
    "litemedsam-112-fewer-nevi-recipe": "LiteMedSAM@112, five views, by lesion",
    "litemedsam-112-image-level-fewer-nevi-recipe": "LiteMedSAM@112, five views, by image (leaks)",
    "litemedsam-112-fewer-nevi-original": "LiteMedSAM@112, originals, by lesion",
    "litemedsam-112-manifest-original": "LiteMedSAM@112, originals, all nevi, by lesion",
    "sam2_hiera_tiny-512-fewer-nevi-original": "SAM2-tiny@512, originals, by lesion",
    "sam2_hiera_tiny-512-sampled-train": "SAM2-tiny@512, five views of a sample, by lesion",
    "tf_efficientnet_lite0-224-fewer-nevi-original": "EfficientNet-Lite0@224 (ImageNet), originals, by lesion",
} | {f"{name}-probe-original": f"{name}, a small training set" for name in PROBED}
PUBLISHED = {
    "graz-gate": "accuracy 0.9938",
    "graz-group": "accuracy 0.658, F1 of a class 0.59 to 0.72",
    "graz-group_original": "collapsed, about 0.01",
    "graz-malignancy": "accuracy 0.7255, F1 0.7255, 1.5 h",
    "graz-malignancy_original": "accuracy 0.7129, F1 0.7045, 4.5 h",
    "graz-malignancy_all-augmented": "accuracy 0.7312, F1 0.7310, 11.5 h",
}
COLUMNS = {
    "gate": ("balanced_accuracy", "accuracy", "auc"),
    "group": ("balanced_accuracy", "accuracy", "macro_f1", "weighted_f1"),
    "malignancy": ("auc", "balanced_accuracy", "accuracy"),
}
KEPT = ("title", "n", "support", "metrics", "per_class", "confusion", "classes", "seconds", "validation", "positives")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/graz"))
    parser.add_argument("--out", type=Path, help="results.json")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    for name, title in SETS.items():
        path = arguments.run / f"{name}.json"
        if not path.exists():
            continue
        lines = json.loads(path.read_text(encoding="utf-8"))
        found[name] = {
            line: {key: result[key] for key in ("question", *KEPT) if key in result} for line, result in lines.items()
        }
        print(f"\n## {title}")
        for question in COLUMNS:
            print(table(question, {line: result for line, result in lines.items() if result["question"] == question}))
    for path in sorted([*arguments.run.glob("pooling-*.json"), *arguments.run.glob("gates-*.json")]):
        found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
    if arguments.out:
        arguments.out.write_text(json.dumps(rounded(found), separators=(",", ":")) + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """The same with four decimals, and without the numbers of images behind every estimate."""
    if isinstance(value, Mapping):
        estimated = "low" in value
        return {key: rounded(one) for key, one in value.items() if not (estimated and key in ("n", "groups"))}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def table(question: str, lines: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: every run of one question."""
    if not lines:
        return ""
    columns = COLUMNS[question]
    on_val = "mean_auc" if question == "malignancy" else "balanced_accuracy"
    head = ["recipe", *(column.replace("_", " ") for column in columns), f"val {on_val.replace('_', ' ')}", "training"]
    rows = [f"\n| {' | '.join([*head, 'published'])} |", "|---" * (len(head) + 1) + "|"]
    for name, result in lines.items():
        cells = [text(result["metrics"][column]) for column in columns]
        cells += [f"{result['validation'][on_val]:.3f}", f"{result['seconds']:.0f} s", PUBLISHED.get(name, "")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
