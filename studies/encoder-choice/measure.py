"""Which encoder should be the default: frozen-feature probes, mask Dice and latency, side by side.

    python studies/encoder-choice/measure.py --data data --weights weights --cache runs/encoder-choice \
        litemedsam@112:squash litemedsam@112:pad litemedsam@168 litemedsam@256:pad:600 \
        mobilesam@448 mobilesam@672:pad:600 sam2_hiera_tiny@512:pad:600

A name is NAME@SIZE, NAME@SIZE:FIT or NAME@SIZE:FIT:IMAGES. The first one is what the others are compared with, on the
same images. `--data` holds HAM10000, ISIC2018_256, ISIC2019 and splits; `--weights` holds `<encoder>.safetensors`.
An interrupted run goes on where it stopped. Writes results.json beside this file and prints the table of RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from masks import MaskImage, dice_by_prompt, latencies_ms, read_images
from probes import Probe, Sample, extract, fit_probes, read_subset
from variants import Variant, export_graphs

from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="+", type=Variant.parse, metavar="NAME@SIZE")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--cache", type=Path, default=Path("runs/encoder-choice"))
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("results.json"))
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9, help="timed passes a variant")
    parser.add_argument("--threads", type=int, default=0, help="for extraction; 0 leaves it to the engine")
    arguments = parser.parse_args()
    variants: list[Variant] = arguments.variants
    samples, images = read_subset(arguments.data), read_images(arguments.data)
    baseline = variants[0]
    rows: list[dict[str, Any]] = []
    for variant in variants:
        export_graphs(variant, arguments.weights, arguments.cache)
        chosen = samples[: variant.count]
        features = extract(variant, chosen, arguments.cache, arguments.threads)
        reference = extract(baseline, chosen, arguments.cache, arguments.threads)
        row: dict[str, Any] = {"encoder": variant.label, "spec": asdict(variant.spec)}
        row["input"] = variant.contract.model_dump()
        row["images"] = _counts(chosen)
        row["probe"] = _probe_scores(fit_probes(features, chosen), fit_probes(reference, chosen), arguments.resamples)
        row["dice"] = _dice(variant, images, arguments.weights, arguments.cache, arguments.resamples)
        rows.append(row)
    for row, times in zip(rows, latencies_ms(variants, arguments.cache, arguments.rounds), strict=True):
        row["latency_ms"] = times
    machine = {"cores": os.cpu_count(), "architecture": platform.machine(), "openvino": version("openvino")}
    result = {"compared_with": baseline.label, "machine": machine, "rows": rows}
    arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(table(rows))


def _counts(samples: list[Sample]) -> dict[str, int]:
    counts = {split: sum(sample.split == split for sample in samples) for split in ("train", "val")}
    return {**counts, "val_lesions": len({sample.lesion for sample in samples if sample.split == "val"})}


def _probe_scores(probes: dict[str, Probe], reference: dict[str, Probe], resamples: int) -> dict[str, Any]:
    return {
        task: {
            "score": asdict(probe.estimate(resamples)),
            "advantage": asdict(probe.advantage_over(reference[task], resamples)),
            "C": probe.strength,
        }
        for task, probe in probes.items()
    }


def _dice(variant: Variant, images: list[MaskImage], weights: Path, cache: Path, resamples: int) -> dict[str, Any]:
    file = cache / "dice" / f"{variant.key}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(dice_by_prompt(variant, images, weights, cache)))
    ids = [one.image_id for one in images]
    estimates = {}
    for source, values in json.loads(file.read_text()).items():
        array = np.array(values)
        estimates[source] = asdict(
            grouped_bootstrap(lambda rows, a=array: float(a[rows].mean()), ids, resamples=resamples)
        )
    return estimates


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown: scores first, then the paired differences from the first row."""
    lines = [
        "| encoder | train / val images | group, balanced accuracy | malignancy (`graz`), AUC "
        "| seven classes, balanced accuracy | Dice, prompt: auto | Dice, prompt: jittered box "
        "| encode ms | decode four boxes ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        n, probe, dice, times = row["images"], row["probe"], row["dice"], row["latency_ms"]
        scores = [_text(probe[task]["score"]) for task in probe]
        masks = [_text(dice[source]) for source in dice]
        cost = [str(times.get(stage, "not measured")) for stage in ("encode", "decode")]
        lines.append(_line(row["encoder"], f"{n['train']} / {n['val']}", *scores, *masks, *cost))
    lines += [
        "",
        "| encoder, less the first on the same images | group | malignancy | seven classes |",
        "|---|---|---|---|",
    ]
    lines += [
        _line(row["encoder"], *(_text(row["probe"][task]["advantage"], signed=True) for task in row["probe"]))
        for row in rows[1:]
    ]
    return "\n".join(lines)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _text(fields: dict[str, Any], *, signed: bool = False) -> str:
    estimate = Estimate(**fields)
    form = "+.3f" if signed else ".3f"
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"


if __name__ == "__main__":
    main()
