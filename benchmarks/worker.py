"""One side of the benchmark in a process of its own, so that neither side's libraries or threads disturb the other.

    python benchmarks/worker.py SIDE WEIGHTS

SIDE is `dermoscope-auto`, `dermoscope-float32`, a mode as `dermoscope-fast`, the same in eager torch as `eager-fast`,
the mask by prompts in eager torch (`torch-112`, `torch-256`), `timm` or `sklesion`. Every line on standard input is a
request: `one PATH` analyses one image, `folder PATH OUT` a folder. Every answer is a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

Analyze = Callable[[Path, Path | None], dict[str, float]]


def main() -> None:
    side, weights = sys.argv[1], Path(sys.argv[2])
    analyze = _side(side, weights)
    print(json.dumps({"ready": side}), flush=True)
    for line in sys.stdin:
        verb, *paths = json.loads(line)
        answer = analyze(Path(paths[0]), None) if verb == "one" else _folder(analyze, Path(paths[0]), Path(paths[1]))
        print(json.dumps(answer), flush=True)


def _side(side: str, weights: Path) -> Analyze:
    if side.startswith("torch-"):
        return _torch(side, weights)
    if side.startswith("eager-"):
        from eager_mode import EagerMode

        return EagerMode(weights, side.removeprefix("eager-")).analyze
    if side.startswith("dermoscope-"):
        return _dermoscope(side.removeprefix("dermoscope-"))
    from peer_sides import sklesion_script, timm_script

    return {"timm": timm_script, "sklesion": sklesion_script}[side]()


def _folder(analyze: Analyze, folder: Path, out: Path) -> dict[str, float]:
    out.mkdir(parents=True)
    files = sorted(folder.iterdir())
    start = time.perf_counter()
    for file in files:
        analyze(file, out / f"{file.stem}.png")
    return {"images": len(files), "seconds": time.perf_counter() - start}


def _torch(side: str, weights: Path) -> Analyze:
    from eager_torch import EagerTorch

    return EagerTorch(weights, int(side.removeprefix("torch-"))).analyze


def _dermoscope(side: str) -> Analyze:
    from dermoscope.analyzer import load_analyzer

    if side in ("auto", "float32"):
        analyzer = load_analyzer(precision="float32" if side == "float32" else "auto")
    else:
        analyzer = load_analyzer(mode=side)
    return lambda path, _mask_path: analyzer.analyze(path).analysis.timings_ms


if __name__ == "__main__":
    main()
