"""How near the bundle's encoder comes to the speed of a large matrix product on this machine.

    python benchmarks/encoder_share.py --json out.json

One image at a time (latency), and two at once on two streams (throughput), through the engine as `analyze` uses it, in
the fastest precision of this CPU and in float32; beside it the floor (`floor.py`). Rounds take turns; the best round of
each counts. A quiet machine, please.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path

import numpy as np
from floor import encoder_call, graph_flops, matmul_peak, precision_name

from dermoscope.bundle import Bundle
from dermoscope.engine import NamedGraph, Precision, compile_graph

CALLS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    encoder, given = encoder_call(Bundle.default())
    flops = graph_flops(encoder, {name: list(value.shape) for name, value in given.items()})
    asked: tuple[Precision, ...] = ("float32", "auto")
    # Without bfloat16 both are the same.
    precisions = {precision_name(precision): precision for precision in asked}.values()
    sides = {
        (precision, streams): compile_graph(encoder, precision=precision, streams=streams)
        for precision in precisions
        for streams in (1, 2)
    }
    peaks, seconds = dict.fromkeys(precisions, 0.0), dict.fromkeys(sides, float("inf"))
    for _ in range(arguments.rounds):
        for precision in precisions:
            peaks[precision] = max(peaks[precision], matmul_peak(precision))
        for (precision, streams), graph in sides.items():
            seconds[precision, streams] = min(seconds[precision, streams], an_image(graph, given, streams))
    found: dict[str, object] = {"GFLOP an image": round(flops / 1e9, 2)}
    for precision, peak in peaks.items():
        found[precision_name(precision)] = {
            "peak, GFLOP/s": round(peak / 1e9),
            **{
                f"{streams} at once": {
                    "ms an image": round(1e3 * taken, 1),
                    "share of peak": round(flops / taken / peak, 3),
                }
                for (of, streams), taken in seconds.items()
                if of == precision
            },
        }
    print(json.dumps(found, indent=1))
    if arguments.json:
        arguments.json.write_text(f"{json.dumps(found, indent=1)}\n")


def an_image(graph: NamedGraph, given: dict[str, np.ndarray], at_once: int) -> float:  # type: ignore[type-arg]
    """Seconds an image, `at_once` threads asking."""

    def ask() -> None:
        for _ in range(CALLS):
            graph(given)

    graph(given)
    threads = [threading.Thread(target=ask) for _ in range(at_once)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - start) / (CALLS * at_once)


if __name__ == "__main__":
    main()
