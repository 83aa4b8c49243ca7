"""How fast the service answers, how it bears load, and what it keeps in memory.

    python benchmarks/service.py                     # a minute each at 1, 4 and 16 clients, then 2,000 requests
    python benchmarks/service.py --seconds 5 --requests 50 --clicks 20 --json service.json

Starts `dermoscope serve` and asks it over the loopback interface, as the page does. One line a figure:

    analyse      median and 95th percentile of POST /v1/analyses with one image, seconds, and images a second
    refused      answers 429 among them; clients wait as Retry-After says and ask again
    health       the slowest GET /v1/health while 16 clients are served, seconds
    refine       from a click to the new outline, seconds
    memory       resident memory of the service after the first requests and after the last one, MB
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import httpx

EXAMPLES = Path(__file__).parents[1] / "examples" / "images"
WARM = 10


def main() -> None:
    chosen = arguments()
    files = [path.read_bytes() for path in sorted(chosen.images.iterdir()) if path.is_file()]
    figures: dict[str, float] = {}
    with serving(chosen.jobs) as (address, process):
        measure_load(address, files[:1] * WARM, 1, 60.0, most=WARM)
        for clients in chosen.clients:
            figures |= report_load(*measure_load(address, files, clients, chosen.seconds), clients)
        figures |= report_refine(measure_refine(address, chosen.clicks))
        before = resident_megabytes(process.pid)
        start = time.perf_counter()
        measure_load(address, files, 4, float("inf"), most=chosen.requests)
        after = resident_megabytes(process.pid)
        figures |= {"memory_before_mb": before, "memory_after_mb": after, "memory_requests": chosen.requests}
        print(
            f"memory     {before:8.0f} MB, after {chosen.requests:,} requests {after:8.0f} MB "
            f"({time.perf_counter() - start:.0f} s)"
        )
    if chosen.json:
        chosen.json.write_text(json.dumps({name: round(value, 5) for name, value in figures.items()}, indent=2) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=EXAMPLES, help="folder of the images that are sent")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16], help="how many ask at once")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each number of clients")
    parser.add_argument("--clicks", type=int, default=100, help="clicks of the refine figure")
    parser.add_argument("--requests", type=int, default=2000, help="requests of the memory figure")
    parser.add_argument("--jobs", type=int, help="images computed at once; as dermoscope serve chooses if left out")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


@contextmanager
def serving(jobs: int | None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "dermoscope", "serve", "--port", "0", "--no-history", "--quiet"]
    command += ["--jobs", str(jobs)] if jobs else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = re.search(r"http://\S+", process.stdout.readline())
        if said is None:
            raise SystemExit("the service did not start; its own message is above")
        try:
            yield said[0], process
        finally:
            process.terminate()


def measure_load(
    address: str, files: Sequence[bytes], clients: int, seconds: float, *, most: float = float("inf")
) -> tuple[list[float], int, float, float]:
    """Seconds of each answer, how many were refused, how long it all took, and the slowest answer about health."""
    end, lock = time.perf_counter() + seconds, threading.Lock()
    taken: list[float] = []
    refused, begun = 0, 0
    over = threading.Event()
    health = [0.0]

    def ask(files: Iterator[bytes]) -> None:
        nonlocal refused, begun
        with httpx.Client(base_url=address, timeout=300) as client:
            while True:
                with lock:
                    if time.perf_counter() >= end or begun >= most:
                        return
                    begun += 1
                data = next(files)
                start = time.perf_counter()
                while (answer := client.post("v1/analyses", files=[("image", data)])).status_code == 429:
                    with lock:
                        refused += 1
                    time.sleep(float(answer.headers["retry-after"]))
                answer.raise_for_status()
                with lock:
                    taken.append(time.perf_counter() - start)

    def watch() -> None:
        with httpx.Client(base_url=address, timeout=300) as client:
            while not over.wait(0.2):
                start = time.perf_counter()
                client.get("v1/health").raise_for_status()
                health.append(time.perf_counter() - start)

    begin = time.perf_counter()
    threads = [
        threading.Thread(target=ask, args=(cycle([*files[first % len(files) :], *files[: first % len(files)]]),))
        for first in range(clients)
    ]
    watcher = threading.Thread(target=watch)
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - begin
    over.set()
    watcher.join()
    return taken, refused, spent, max(health)


def measure_refine(address: str, clicks: int) -> list[float]:
    """Seconds from each click to its outline."""
    with httpx.Client(base_url=address, timeout=300) as client:
        image = next(EXAMPLES.glob("*network_light*")).read_bytes()
        token = client.post("v1/analyses?keep=true", files=[("image", image)]).json()["results"][0]["image"]
        taken = []
        for number in range(clicks):
            if number % 10 == 0:
                client.post(f"v1/images/{token}/reset").raise_for_status()
            point = [250 + 10 * (number % 10), 150 + 8 * (number % 7), 1]
            start = time.perf_counter()
            client.post(f"v1/images/{token}/refine", json={"points": [point]}).raise_for_status()
            taken.append(time.perf_counter() - start)
    return taken


def report_load(taken: list[float], refused: int, spent: float, health: float, clients: int) -> dict[str, float]:
    middle, most = statistics.median(taken), percentile_95(taken)
    rate = len(taken) / spent
    print(
        f"analyse    {clients:3} clients: median {middle:7.3f} s, 95th percentile {most:7.3f} s, {rate:6.2f} images a "
        f"second, n={len(taken)}, refused {refused}, health at most {health:.3f} s",
        flush=True,
    )
    name = f"analyse_{clients}"
    return {
        f"{name}_p50_s": middle,
        f"{name}_p95_s": most,
        f"{name}_images_per_s": rate,
        f"{name}_n": len(taken),
        f"{name}_refused": refused,
        f"{name}_health_max_s": health,
    }


def report_refine(taken: list[float]) -> dict[str, float]:
    middle, most = statistics.median(taken), percentile_95(taken)
    print(f"refine     median {middle:7.3f} s, 95th percentile {most:7.3f} s, n={len(taken)}", flush=True)
    return {"refine_p50_s": middle, "refine_p95_s": most, "refine_n": len(taken)}


def percentile_95(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def resident_megabytes(pid: int) -> float:
    """Of a process, as Linux counts it."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
