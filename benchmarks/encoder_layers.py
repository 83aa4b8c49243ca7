"""Where the time of the bundle's encoder goes: OpenVINO's own counters, by kind of layer.

    python benchmarks/encoder_layers.py --json out.json

Counting makes every layer a little slower, small ones most; the shares are what counts. One image at a time, in the
fastest precision of this CPU and in float32.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from floor import encoder_call, precision_name

from dermoscope.bundle import Bundle
from dermoscope.engine import Precision

WARM, CALLS = 3, 30
PRECISIONS: tuple[Precision, ...] = ("float32", "auto")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    encoder, given = encoder_call(Bundle.default())
    found = {precision_name(precision): of_kinds(encoder, given, precision_name(precision)) for precision in PRECISIONS}
    for precision, milliseconds in found.items():
        whole = sum(milliseconds.values())
        print(f"\n{precision}, {whole:.1f} ms\n\n| layers | ms | share |\n| --- | --- | --- |")
        for name, ms in sorted(milliseconds.items(), key=lambda pair: -pair[1]):
            print(f"| {name} | {ms:.2f} | {ms / whole:.1%} |")
    if arguments.json:
        arguments.json.write_text(f"{json.dumps(found, indent=1)}\n")


def of_kinds(graph: Path, given: dict[str, np.ndarray], precision: str) -> dict[str, float]:  # type: ignore[type-arg]
    """Milliseconds an image of each kind of layer, with depthwise convolutions apart."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # it would report over the network
    import openvino as ov
    import openvino.properties as props
    import openvino.properties.hint as hints

    options = {
        props.enable_profiling: True,
        hints.inference_precision: ov.Type.bf16 if precision == "bfloat16" else ov.Type.f32,
        hints.performance_mode: hints.PerformanceMode.LATENCY,
    }
    request = ov.Core().compile_model(str(graph), "CPU", options).create_infer_request()
    total: Counter[str] = Counter()
    for call in range(WARM + CALLS):
        request.infer(given)
        if call >= WARM:
            for layer in request.profiling_info:
                kind = f"{layer.node_type}, depthwise" if "dw" in layer.exec_type else layer.node_type
                total[kind] += 1e3 * layer.real_time.total_seconds() / CALLS
    return {kind: round(ms, 3) for kind, ms in total.items() if ms >= 0.005}


if __name__ == "__main__":
    main()
