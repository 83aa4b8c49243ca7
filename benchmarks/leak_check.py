"""How the comparison of pictures in `dermoscope data check` grows: time and peak memory by number of images.

    python benchmarks/leak_check.py --sizes 1000 10000 100000 --jobs 2

Each size runs in a process of its own on made-up thumbnails: blobs with structure on skin, so that many pairs agree
roughly, as dermoscopic images do; every hundredth is a flipped or turned copy of another. Making and reading files is
not part of it. Prints one line of JSON a size.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage.pictures import near_duplicates
from dermoscope.data.leakage.signatures import turned
from dermoscope.data.leakage.thumbnails import SIDE

COPY_EVERY = 100


def made_up(number: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(number)
    rows, columns = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE - 0.5
    angle = np.arctan2(rows, columns)
    edge = 0.24 + 0.04 * random.standard_normal()
    for wave in range(1, 6):
        edge = edge + 0.03 * random.standard_normal() * np.cos(wave * angle + random.uniform(0, 6))
    inside = 1 / (1 + np.exp((np.hypot(rows, columns) - edge) * 40))
    structure = np.zeros((SIDE, SIDE))
    for size, weight in ((5, 8.0), (10, 8.0), (20, 5.5), (40, 3.5)):
        structure += weight * cv2.resize(random.standard_normal((size, size)), (SIDE, SIDE))
    grey = 180 - random.uniform(30, 110) * inside + structure * (0.37 + inside)
    return np.asarray(np.clip(grey, 0, 255), np.uint8)


def measure(size: int, jobs: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "thumbnails"
        with path.open("wb") as stream:
            for number in range(size):
                is_copy = number % COPY_EVERY == COPY_EVERY - 1
                picture = turned(made_up(number - 1), number // COPY_EVERY % 8) if is_copy else made_up(number)
                stream.write(picture.tobytes())
        thumbnails = np.memmap(path, np.uint8, "r", shape=(size, SIDE, SIDE))
        before = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter()
        pairs, _ = near_duplicates(thumbnails, jobs=jobs)
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
    planted = {(number - 1, number) for number in range(COPY_EVERY - 1, size, COPY_EVERY)}
    found = {(pair.first, pair.second) for pair in pairs}
    return {
        "images": size,
        "jobs": jobs,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_megabytes": round(after.ru_maxrss / 1024),  # kilobytes on Linux
        "peak_megabytes_before": round(before.ru_maxrss / 1024),
        "planted": len(planted),
        "planted_found": len(planted & found),
        "others_found": len(found - planted),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.jobs)), flush=True)
        return
    for size in arguments.sizes:
        command = [sys.executable, __file__, "--one", str(size), "--jobs", str(arguments.jobs)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
