"""Our modes beside what a user would run instead: milliseconds an image.

    python benchmarks/peers.py --images photos --json out.json

Sides take turns on the same images, each in a process of its own (`worker.py`, `peer_sides.py`); all cores, one image
at a time. A quiet machine, please.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from analyze import IMAGE_SUFFIXES, SETTLE_S, Worker, machine

SIDES = ("dermoscope-fast", "dermoscope-best", "timm", "sklesion")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of dermoscopic images")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.images.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    taken: dict[str, list[float]] = {side: [] for side in arguments.sides}
    with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
        workers = {}
        for side in arguments.sides:
            print(f"starting {side}", file=sys.stderr)
            workers[side] = Worker(side, None, Path(cache))
            stack.callback(workers[side].close)
        for number, file in enumerate(files[: arguments.count + 2]):
            for side, worker in workers.items():
                time.sleep(SETTLE_S)
                answer = worker.ask("one", str(file))
                if number >= 2:
                    taken[side].append(sum(answer.values()))
    found = {
        side: {
            "median_ms": round(float(np.median(ms)), 1),
            "p90_ms": round(float(np.quantile(ms, 0.9)), 1),
            "n": len(ms),
        }
        for side, ms in taken.items()
    }
    print(json.dumps(found, indent=1))
    if arguments.json:
        arguments.json.write_text(f"{json.dumps({'machine': machine(), **found}, indent=1)}\n")


if __name__ == "__main__":
    main()
