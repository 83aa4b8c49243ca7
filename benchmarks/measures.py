"""What measuring a lesion costs, part by part.

    python benchmarks/measures.py --json out.json

One lesion in an image of each size, on one thread. Median and least processor time of each part in milliseconds; other
programs on the machine disturb the median.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from dermoscope.measures import (
    compactness,
    measure_asymmetry,
    measure_colours,
    measure_diameter,
    measure_lesion,
    shape_of,
)

SIZES = (256, 1024, 4096)
CALLS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rows = {}
    print("| part | " + " | ".join(f"{size} px" for size in SIZES) + " |\n| --- |" + " --- |" * len(SIZES))
    took = {size: parts(size) for size in SIZES}
    for name in took[SIZES[0]]:
        rows[name] = {str(size): took[size][name] for size in SIZES}
        print(
            f"| {name} | " + " | ".join(f"{median:.2f} ({least:.2f})" for median, least in rows[name].values()) + " |"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"calls": CALLS, "median and least in ms": rows}, indent=1) + "\n")


def parts(size: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each part on an image of `size` by three quarters of it, as large as the decoder hands it on."""
    rng = np.random.default_rng(0)
    height = size * 3 // 4
    y, x = np.mgrid[:height, :size]
    angle = np.arctan2(y - height / 2, x - size / 2)
    mask = np.hypot(x - size / 2, y - height / 2) < height * (0.3 + 0.04 * np.cos(6 * angle))
    seen = min(size, 1024)
    rgb = rng.integers(0, 255, (seen * 3 // 4, seen, 3), dtype=np.uint8)
    shape = shape_of(mask)
    calls: dict[str, Callable[[], object]] = {
        "cutting out": lambda: shape_of(mask),
        "asymmetry": lambda: measure_asymmetry(shape),
        "border": lambda: compactness(shape),
        "colours": lambda: measure_colours(rgb, mask),
        "diameters": lambda: measure_diameter(mask),
        "everything": lambda: measure_lesion(rgb, mask),
    }
    return {name: milliseconds(call) for name, call in calls.items()}


def milliseconds(call: Callable[[], object]) -> tuple[float, float]:
    """Median and least."""
    times = []
    for number in range(CALLS + 3):
        start = time.process_time()
        call()
        if number >= 3:
            times.append((time.process_time() - start) * 1e3)
    return float(np.median(times)), min(times)


if __name__ == "__main__":
    main()
