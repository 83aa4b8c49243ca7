"""How many masks of one's own it takes: trains a decoder on 10, 50, 200 images, and scores each on the test images.

    python studies/skinsam/few_images.py --run runs/skinsam --weights weights/litemedsam.safetensors

For each number: `dermoscope train skinsam-decoder --variant few-images` on that many training images, drawn at random
from both data sets alike, with 40 validation images to choose the epoch on; `dermoscope export`; `evaluate.py` on at
most 300 test images a source. What is there already is not done again. Prints a table and writes `few-images.json`.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from dermoscope.cli import main as dermoscope
from dermoscope.data.manifest import Record, read_manifest, write_manifest

VALIDATION = 40
MOST = 300
HEALTHY = "healthy-skin"  # nobody brings masks of nothing
METRICS = ("dice", "jaccard", "thresholded_jaccard")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/skinsam"))
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=int, nargs="+", default=[10, 50, 200])
    arguments = parser.parse_args()
    run: Path = arguments.run
    records = list(read_manifest(run / "fewer-nevi.csv"))
    table = {}
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
        bundle, test = folder / "bundle", folder / "test"
        if not bundle.exists():
            assert dermoscope(["export", str(folder / "run"), "--out", str(bundle)]) == 0
        if not (test / "summary.json").exists():
            script = Path(__file__).with_name("evaluate.py")
            given = ["--manifest", str(run / "manifest.csv"), "--bundle", str(bundle), "--most", str(MOST)]
            subprocess.run([sys.executable, str(script), *given, "--out", str(test)], check=True)
        summary = json.loads((test / "summary.json").read_text())
        table[count] = {"seconds": json.loads(seconds.read_text()), "test": summary}
        for data, prompts in summary.items():
            means = {one["metric"]: one["estimate"] for one in prompts["auto"] if one["averaging"] == "per image"}
            cells = [f"{means[m]['value']:.3f} ({means[m]['low']:.3f} to {means[m]['high']:.3f})" for m in METRICS]
            print(f"| {count} | {data} | {' | '.join(cells)} | {table[count]['seconds']:.0f} s |", flush=True)
    (run / "few-images.json").write_text(json.dumps(table) + "\n")


def drawn(records: list[Record], split: str, count: int) -> list[Record]:
    """That many images of a split, as many of each source as can be."""
    sources = sorted({record.source for record in records} - {HEALTHY})
    shuffled = random.Random(0).sample(records, len(records))
    queues = [[r for r in shuffled if r.split == split and r.source == source] for source in sources]
    turns = [record for turn in zip(*queues, strict=False) for record in turn]
    return turns[:count]


if __name__ == "__main__":
    main()
