"""How many masks of one's own it takes: trains a decoder on 10, 50, 200 images, and scores each on the test images.

    python studies/skinsam/few_images.py --run runs/skinsam --weights weights/litemedsam.safetensors

For each number: `dermoscope train skinsam-decoder --variant few-images` on that many training images, drawn at random
from both data sets alike, with 40 validation images to choose the epoch on; `dermoscope export`; `evaluate.py` on at
most 200 test images a source. What is there already is not done again. Beside them, on the same images, the decoder
before any training (0) and after that on all images (`bundle-zero`, `bundle-tuned`). Prints a table, writes
`few-images.json`, and draws `few-images.svg` into `--figures`.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dermoscope.cli import main as dermoscope
from dermoscope.data.manifest import Record, read_manifest, write_manifest
from dermoscope.evaluation.figures.style import page

VALIDATION = 40
MOST = 200
HEALTHY = "healthy-skin"  # nobody brings masks of nothing
METRICS = ("dice", "jaccard", "thresholded_jaccard")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/skinsam"))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--figures", type=Path, default=Path("studies/skinsam/figures"))
    arguments = parser.parse_args()
    run: Path = arguments.run
    records = list(read_manifest(run / "fewer-nevi.csv"))
    table: dict[str, Any] = {}
    for count in arguments.images:
        folder = run / f"few-{count}"
        seconds = folder / "seconds.json"
        if not seconds.exists():
            folder.mkdir(exist_ok=True)
            chosen = [*drawn(records, "train", count), *drawn(records, "val", VALIDATION)]
            write_manifest(chosen, folder / "manifest.csv")
            start = time.perf_counter()
            given = ["--manifest", str(folder / "manifest.csv"), "--weights", str(arguments.weights)]
            code = dermoscope(
                ["train", "skinsam-decoder", "--variant", "few-images", *given, "--out", str(folder / "run")]
            )
            assert code == 0
            seconds.write_text(json.dumps(time.perf_counter() - start))
        if not (folder / "bundle").exists():
            assert dermoscope(["export", str(folder / "run"), "--out", str(folder / "bundle")]) == 0
        summary = scored(run, folder / "bundle", folder / "test")
        table[str(count)] = {"seconds": json.loads(seconds.read_text()), "test": summary}
    whole = [("0", "bundle-zero"), ("all", "bundle-tuned")]
    table |= {name: {"test": scored(run, run / bundle, run / f"few-{name}")} for name, bundle in whole}
    order = ["0", *map(str, arguments.images), "all"]
    for name in order:
        for data in table[name]["test"]:
            shown = means(table[name], data)
            cells = [f"{shown[m]['value']:.3f} ({shown[m]['low']:.3f} to {shown[m]['high']:.3f})" for m in METRICS]
            took = f"{table[name]['seconds']:.0f} s" if "seconds" in table[name] else ""
            print(f"| {name} | {data} | {' | '.join(cells)} | {took} |", flush=True)
    (run / "few-images.json").write_text(json.dumps(table) + "\n")
    draw(table, order, arguments.figures / "few-images.svg")


def scored(run: Path, bundle: Path, out: Path) -> dict[str, Any]:
    """What `evaluate.py` says of a bundle, done once."""
    if not (out / "summary.json").exists():
        script = Path(__file__).with_name("evaluate.py")
        given = ["--manifest", str(run / "manifest.csv"), "--bundle", str(bundle), "--most", str(MOST)]
        subprocess.run([sys.executable, str(script), *given, "--out", str(out)], check=True)
    found: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return found


def means(row: dict[str, Any], data: str) -> dict[str, dict[str, float]]:
    """Means over images of automatic masks, by metric."""
    summaries = row["test"][data]["auto"]
    return {one["metric"]: one["estimate"] for one in summaries if one["averaging"] == "per image"}


def draw(table: dict[str, Any], order: list[str], path: Path) -> None:
    """Dice against the number of images, each data set a line with its intervals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with page(path, 6, 3.4, note="Dice of automatic masks of test images; 95 % intervals by lesion") as figure:
        axes = figure.subplots()
        for data in table[order[0]]["test"]:
            if data == HEALTHY:
                continue
            dice = [means(table[name], data)["dice"] for name in order]
            middle = [one["value"] for one in dice]
            ends = [[one["value"] - one["low"] for one in dice], [one["high"] - one["value"] for one in dice]]
            axes.errorbar(range(len(order)), middle, yerr=ends, marker="o", capsize=3, label=data)
        axes.set_xticks(range(len(order)), order)
        axes.set_xlabel("Images with masks that the decoder was fine-tuned on")
        axes.set_ylabel("Dice")
        axes.legend()


def drawn(records: list[Record], split: str, count: int) -> list[Record]:
    """That many images of a split, as many of each source as can be."""
    sources = sorted({record.source for record in records} - {HEALTHY})
    shuffled = random.Random(0).sample(records, len(records))
    queues = [[r for r in shuffled if r.split == split and r.source == source] for source in sources]
    turns = [record for turn in zip(*queues, strict=False) for record in turn]
    return turns[:count]


if __name__ == "__main__":
    main()
