"""What `dermoscope analyze` costs: start, latency, images a second, memory; beside it the same model in eager torch.

    python benchmarks/analyze.py
    python benchmarks/analyze.py --images photos --weights litemedsam.safetensors --count 2000 --json out.json

Without `--weights` only the package itself is measured. Both sides see the same images in the same run and take turns,
each in a process of its own, so that a busy moment of the machine does not count against one of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from dermoscope.bundle import Bundle

HERE = Path(__file__).parent
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
OURS, FLOAT32 = "dermoscope-auto", "dermoscope-float32"
REFERENCE_SIZE = 256
PARTS = ("start_s", "latency_ms", "throughput", "memory")
POLL_S = 0.05
SETTLE_S = 0.25  # threads of the side before still spin for a while and would slow the next one
MARKS = (0.1, 0.5, 1.0)
COMMON = "total of the stages of both sides"  # eager torch judges no quality
_FULL = "segment"  # images that the gate refuses end before this stage and would flatter the package


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=HERE.parent / "examples" / "images", help="folder of images")
    parser.add_argument("--weights", type=Path, help="litemedsam.safetensors; without it eager torch is left out")
    parser.add_argument("--count", type=int, default=2000, help="images of the memory run")
    parser.add_argument("--latency-count", type=int, default=60, help="images timed one by one")
    parser.add_argument("--folder-count", type=int, default=100, help="images of a throughput run")
    parser.add_argument("--modes", nargs="+", help="of the bundle, for throughput; by default all")
    parser.add_argument("--rounds", type=int, default=3, help="starts and throughput runs of each side")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="measure these only")
    parser.add_argument(
        "--eager", nargs="*", help="sides in eager torch to measure, such as eager-best; by default all"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sides = eager_sides() if arguments.eager is None else arguments.eager
    sides = sides if arguments.weights else []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        images = repeated(arguments.images, arguments.count, scratch / "many")
        few = repeated(arguments.images, arguments.folder_count, scratch / "few")
        files = sorted(images.iterdir())[: arguments.latency_count]
        result: dict[str, Any] = {"machine": machine()}
        parts: dict[str, Callable[[], Any]] = {
            "start_s": lambda: starts(files[0], scratch, arguments.rounds),
            "latency_ms": lambda: latencies(files, arguments.weights, sides, scratch),
            "throughput": lambda: throughput(few, arguments.weights, sides, scratch, arguments.rounds, arguments.modes),
            "memory": lambda: memory(images, arguments.weights, sides, few, scratch),
        }
        for part in arguments.parts:
            print(f"measuring {part}", file=sys.stderr)
            result[part] = parts[part]()
            if arguments.json:
                arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(table(result))


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    engines = {name: version(name) for name in ("openvino", "numpy")}
    return {"cores": os.cpu_count(), "architecture": platform.machine(), "load_at_start": load, **engines}


def repeated(folder: Path, count: int, out: Path) -> Path:
    """A folder with exactly `count` copies of the images of another, in turn."""
    sources = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not sources:
        raise SystemExit(f"{folder} holds no images")
    out.mkdir()
    for number in range(count):
        source = sources[number % len(sources)]
        shutil.copyfile(source, out / f"{number:06d}{source.suffix.lower()}")
    return out


def command(paths: Path, out: Path, *options: str) -> list[str]:
    """`dermoscope analyze` on some paths."""
    return [sys.executable, "-m", "dermoscope", "analyze", str(paths), "--out", str(out), "--json", *options]


def environment(cache: Path) -> dict[str, str]:
    """This environment with another cache folder."""
    return {**os.environ, "DERMOSCOPE_CACHE": str(cache)}


def starts(image: Path, scratch: Path, rounds: int) -> dict[str, float]:
    """Seconds from the command to its end for one image: with an empty cache, and again."""
    taken: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        cache = scratch / f"cache{number}"
        for kind in ("first", "second"):
            begin = time.perf_counter()
            run(command(image, scratch / f"start-{kind}{number}"), cache)
            taken[kind].append(time.perf_counter() - begin)
    return {kind: float(np.median(values)) for kind, values in taken.items()}


def run(arguments: list[str], cache: Path) -> dict[str, Any]:
    """Run the command and read its summary; exit code 3 (some inputs failed) is an answer too."""
    done = subprocess.run(arguments, env=environment(cache), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


class Worker:
    """One side in a process of its own; see `worker.py`."""

    def __init__(self, side: str, weights: Path | None, cache: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), side, str(weights)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(cache), text=True,
        )  # fmt: skip
        self.pid = self._process.pid
        self._answer()

    def ask(self, *request: str) -> dict[str, float]:
        """Send one request and wait for its answer."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a side of the benchmark ended early; its message is above")
        answer: dict[str, float] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def eager_sides() -> list[str]:
    """The modes of the bundle, and masks by prompts alone: at its input size, and at that of the weights."""
    bundle = Bundle.default()
    sizes = (bundle.description.encoder.input.size, REFERENCE_SIZE)
    return [*(f"eager-{mode}" for mode in bundle.description.modes), *(f"torch-{size}" for size in sizes)]


def latencies(files: list[Path], weights: Path | None, eager: list[str], scratch: Path) -> dict[str, Any]:
    """Median and 90th percentile a stage over the images that every side carried to the end."""
    sides = [OURS, FLOAT32, *eager]
    taken: dict[str, list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as stack:
        workers = {}
        for side in sides:
            workers[side] = Worker(side, weights, scratch / "cache")
            stack.callback(workers[side].close)
        for worker in workers.values():
            for file in files[:2]:
                worker.ask("one", str(file))
        for file in files:
            answers = {}
            for side, worker in workers.items():
                time.sleep(SETTLE_S)
                answers[side] = worker.ask("one", str(file))
            if all(_FULL in answer for answer in answers.values()):
                for side, answer in answers.items():
                    total = sum(answer.values())
                    taken[side].append({**answer, "total": total, COMMON: total - answer.get("quality", 0.0)})
    if not taken:
        raise SystemExit("the gate refused every image; give --images with dermoscopic ones")
    return {side: _quantiles(times) for side, times in taken.items()}


def _quantiles(times: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    summary = {}
    for stage in times[0]:
        values = [one[stage] for one in times]
        p90 = float(np.quantile(values, 0.9))
        summary[stage] = {"median": float(np.median(values)), "p90": p90, "n": len(values)}
    return summary


def throughput(
    folder: Path, weights: Path | None, eager: list[str], scratch: Path, rounds: int, modes: list[str] | None
) -> dict[str, float]:
    """Median images a second over a folder, without the start; the sides take turns."""
    rates: dict[str, list[float]] = defaultdict(list)
    modes = modes or list(Bundle.default().description.modes) or [""]
    with ExitStack() as stack:
        workers = {side: Worker(side, weights, scratch / "cache") for side in eager}
        for worker in workers.values():
            stack.callback(worker.close)
        for number in range(rounds):
            for mode, jobs in product(modes, ("1", "2")):
                out = scratch / f"folder{number}-{mode}-{jobs}"
                options = ["--bundle", mode] if mode else []
                summary = run(command(folder, out, "--no-pictures", "--jobs", jobs, *options), scratch / "cache")
                rates[" ".join(["dermoscope", mode, "jobs", jobs])].append(summary["done"] / summary["seconds"])
            for side, worker in workers.items():
                answer = worker.ask("folder", str(folder), str(scratch / f"folder{number}-{side}"))
                rates[side].append(answer["images"] / answer["seconds"])
    return {side: float(np.median(values)) for side, values in rates.items()}


def memory(folder: Path, weights: Path | None, eager: list[str], few: Path, scratch: Path) -> dict[str, Any]:
    """Resident memory in MiB of a run over the whole folder, and the peak of the eager sides over a few images."""
    count, out = sum(1 for _ in folder.iterdir()), scratch / "memory"
    samples: list[tuple[int, float]] = []
    with (scratch / "memory.log").open("w+") as log:
        process = subprocess.Popen(
            command(folder, out, "--no-pictures", "--jobs", "2"), env=environment(scratch / "cache"), stdout=log
        )
        lines, read = 0, 0
        peak = 0.0
        while process.poll() is None:
            results = out / "results.jsonl"
            if results.exists():
                with results.open("rb") as stream:
                    stream.seek(read)
                    chunk = stream.read()
                lines, read = lines + chunk.count(b"\n"), read + len(chunk)
            status = resident(process.pid)
            if status:
                samples.append((lines, status["VmRSS"]))
                peak = max(peak, status["VmHWM"])
            time.sleep(POLL_S)
    marks = {}
    for mark in MARKS:
        reached = [rss for lines, rss in samples if abs(lines - mark * count) <= max(2.0, 0.02 * count)]
        marks[f"{mark:.0%}"] = float(np.median(reached)) if reached else None
    peaks = {"dermoscope, jobs 2": peak}
    for side in eager:
        worker = Worker(side, weights, scratch / "cache")
        worker.ask("folder", str(few), str(scratch / f"memory-{side}"))
        peaks[side] = resident(worker.pid)["VmHWM"]
        worker.close()
    return {"images": count, "rss_mib_at": marks, "peak_mib": peaks}


def resident(pid: int) -> dict[str, float]:
    """`VmRSS` and `VmHWM` of a process in MiB, from /proc; nothing once it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM") if name in fields}


def table(result: dict[str, Any]) -> str:
    """The result as Markdown; ratios are against `dermoscope-auto`, and against two jobs of the first mode."""
    start, latency, rates = (result.get(key, {}) for key in PARTS[:3])
    lines = ["| | median | 90th percentile | times dermoscope-auto |", "|---|---|---|---|"]
    lines += [f"| {kind} `dermoscope analyze one.jpg`, s | {seconds:.2f} | | |" for kind, seconds in start.items()]
    for side, stages in latency.items():
        for stage, values in stages.items():
            ours = latency[OURS].get(stage)
            ratio = f"{values['median'] / ours['median']:.2f}" if ours and ours["median"] else ""
            lines.append(f"| {side}, {stage}, ms | {values['median']:.1f} | {values['p90']:.1f} | {ratio} |")
    best = next((rate for side, rate in rates.items() if side.endswith("jobs 2")), None)
    lines += [f"| {side}, images/s | {rate:.2f} | | {rate / best:.2f} |" for side, rate in rates.items()]
    if used := result.get("memory"):
        lines += [
            f"| memory at {mark} of {used['images']} images, MiB | {rss:.0f} | | |"
            if rss
            else f"| memory at {mark} | | | |"
            for mark, rss in used["rss_mib_at"].items()
        ]
        lines += [f"| peak memory, {side}, MiB | {peak:.0f} | | |" for side, peak in used["peak_mib"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
