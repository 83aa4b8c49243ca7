"""How the comparison of pictures in `dermoscope data check` grows: time and peak memory by number of images.

    DERMOSCOPE_DATA=… python benchmarks/leak_check.py --jobs 2

Each size runs in a process of its own. With DERMOSCOPE_DATA, which holds HAM10000, ISIC2017 and ISIC2018_256, the
thumbnails are those of its real images in random order, then more made of them: rotated by 10 to 80°, a fifth to a half
of the frame cut away, other light and noise, which is more than the check promises to see through, but keeps the
statistics that make different lesions alike. Without it they are made up: blobs with structure on skin. Every hundredth
is a flipped or turned copy of the one before. Reading images is not part of the time; of real ones it is measured
apart, on 500 files. Prints one line of JSON a size.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.leakage.pictures import near_duplicates
from dermoscope.data.leakage.rows import RowFile
from dermoscope.data.leakage.signatures import turned
from dermoscope.data.leakage.thumbnails import SIDE, Print, PrintCache, print_of

COPY_EVERY = 100
BLOCK = 1024
READ = 500
SOURCES = ("HAM10000", "ISIC2017", "ISIC2018_256")

Picture = NDArray[np.uint8]


def made_up(number: int) -> Picture:
    generator = np.random.default_rng(number)
    rows, columns = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE - 0.5
    angle = np.arctan2(rows, columns)
    edge = 0.24 + 0.04 * generator.standard_normal()
    for wave in range(1, 6):
        edge = edge + 0.03 * generator.standard_normal() * np.cos(wave * angle + generator.uniform(0, 6))
    inside = 1 / (1 + np.exp((np.hypot(rows, columns) - edge) * 40))
    structure: NDArray[np.float64] = np.zeros((SIDE, SIDE))
    for size, weight in ((5, 8.0), (10, 8.0), (20, 5.5), (40, 3.5)):
        structure = structure + weight * cv2.resize(generator.standard_normal((size, size)), (SIDE, SIDE))
    grey = 180 - generator.uniform(30, 110) * inside + structure * (0.37 + inside)
    return np.asarray(np.clip(grey, 0, 255), np.uint8)


def changed(picture: Picture, number: int) -> Picture:
    """Another picture like this one: turned and cropped by more than the check sees through, in other light."""
    generator = np.random.default_rng(number)
    angle = generator.uniform(10, 80) + 90 * generator.integers(4)
    middle = (SIDE / 2 - 0.5, SIDE / 2 - 0.5)
    transform = np.asarray(cv2.getRotationMatrix2D(middle, angle, generator.uniform(1.25, 2.0)), np.float64)
    transform[:, 2] += generator.uniform(-0.1, 0.1, 2) * SIDE
    out = cv2.warpAffine(picture, transform, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    grey = out * generator.uniform(0.7, 1.2) + generator.uniform(-20, 20)
    return np.asarray(np.clip(grey + 2 * generator.standard_normal(grey.shape), 0, 255), np.uint8)


def real_thumbnails(folder: Path, cache: Path | None) -> list[Picture]:
    """Of every different content among the dermoscopic images, in random order."""
    paths = sorted(path for name in SOURCES for path in (folder / name).rglob("*.jpg"))
    random.Random(0).shuffle(paths)
    with PrintCache(cache) as prints:
        made = {found.sha256: found.thumbnail for found in prints.prints(paths) if isinstance(found, Print)}
    some = paths[:READ]
    start = time.process_time()
    for path in some:
        print_of(path)
    milliseconds = 1000 * (time.process_time() - start) / max(1, len(some))
    print(json.dumps({"real images": len(made), "reading_cpu_milliseconds": round(milliseconds, 2)}), flush=True)
    return list(made.values())


def pictures(size: int, real: list[Picture]) -> Iterator[Picture]:
    last = np.zeros((SIDE, SIDE), np.uint8)
    for number in range(size):
        if number % COPY_EVERY == COPY_EVERY - 1:
            yield turned(last, number // COPY_EVERY % 8)
        else:
            own = real[number % len(real)] if real else made_up(number)
            last = own if number < len(real) or not real else changed(own, number)
            yield last


def make(path: Path, size: int, cache: Path | None) -> None:
    folder = os.environ.get("DERMOSCOPE_DATA")
    real = real_thumbnails(Path(folder), cache) if folder else []
    with path.open("wb") as stream:
        for picture in pictures(size, real):
            stream.write(picture.tobytes())


def measure(path: Path, size: int, jobs: int) -> dict[str, float]:
    with path.open("rb") as stream, RowFile((SIDE, SIDE), np.uint8) as thumbnails:
        for start in range(0, size, BLOCK):
            block = stream.read(min(BLOCK, size - start) * SIDE * SIDE)
            thumbnails.append(np.frombuffer(block, np.uint8).reshape(-1, SIDE, SIDE))
        before = resource.getrusage(resource.RUSAGE_SELF)
        begin = time.perf_counter()
        pairs, _ = near_duplicates(thumbnails, jobs=jobs)
        seconds = time.perf_counter() - begin
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
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 30_000, 100_000])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="prints.sqlite of an earlier check, which spares reading the images")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.make, max(arguments.sizes), arguments.cache)
        return
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.sizes[0], arguments.jobs)), flush=True)
        return
    # Every step in a process of its own: the peak memory of one is also that of those it starts.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "thumbnails"
        again = [sys.executable, __file__, "--jobs", str(arguments.jobs), "--sizes"]
        cache = ["--cache", str(arguments.cache)] if arguments.cache else []
        subprocess.run([*again, str(max(arguments.sizes)), "--make", str(path), *cache], check=True)
        for size in arguments.sizes:
            subprocess.run([*again, str(size), "--measure", str(path)], check=True)


if __name__ == "__main__":
    main()
