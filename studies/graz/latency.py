"""How long one image takes each encoder, and how good lesion probes on its features are: quality per millisecond.

    python studies/graz/latency.py --run runs/graz litemedsam-112 sam2-256 sam2-512 efficientnet-lite0-224

Encoders take turns, one image a pass, on all cores; the median of the passes counts. Quality is read from what
`train.py --manifest probe.csv --views original --only group 'group_input*' malignancy 'malignancy_input*'` wrote.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from train import text

from dermoscope.encoders.folder import EncoderFolder
from dermoscope.engine import compile_graph

COLUMNS = {"mean": "", "mean and deviation": "_input.columns-mean-std", "all maps": "_input.columns-levels"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoders", nargs="+", help="folders of encoders in the run folder")
    parser.add_argument("--run", type=Path, default=Path("runs/graz"))
    parser.add_argument("--passes", type=int, default=15)
    arguments = parser.parse_args()
    folders = {name: EncoderFolder.load(arguments.run / name) for name in arguments.encoders}
    graphs = {name: compile_graph(folder.graph) for name, folder in folders.items()}
    taken: dict[str, list[float]] = {name: [] for name in graphs}
    for number in range(arguments.passes + 2):
        for name, graph in graphs.items():
            contract = folders[name].description.contract
            image = np.random.default_rng(number).random((1, 3, contract.size, contract.size), np.float32)
            cells = np.full((1, 1, contract.map_size, contract.map_size), 1 / contract.map_size**2, np.float32)
            start = time.perf_counter()
            graph({"image": image, "pool_weights": cells})
            if number > 1:  # the first passes compile and warm up
                taken[name].append(1000 * (time.perf_counter() - start))
    print("| encoder | ms an image | features | group, balanced accuracy | malignancy, AUC |\n|---|---|---|---|---|")
    for name, folder in folders.items():
        described = folder.description
        path = arguments.run / f"{described.name}-{described.contract.size}-probe-original.json"
        scores = json.loads(path.read_text(encoding="utf-8"))
        for title, suffix in COLUMNS.items():
            cells_of = [
                text(scores[f"{question}{suffix}"]["metrics"][metric])
                for question, metric in (("group", "balanced_accuracy"), ("malignancy", "auc"))
            ]
            print(f"| {name} | {statistics.median(taken[name]):.0f} | {title} | {' | '.join(cells_of)} |")


if __name__ == "__main__":
    main()
