"""What `dermoscope embed` costs: images a second here and on Ray, how near the floor, and memory.

    python benchmarks/embed.py --encoder encoder-folder --images photos
    python benchmarks/embed.py --encoder sam2-512 --images photos --weights sam2_hiera_tiny.safetensors --json out.json
    python benchmarks/embed.py --encoder small-encoder --images photos --count 0 --memory 100 1000 10000

Every run has a process of its own and a new store. With `--weights` the same encoder also runs in eager torch, in
float32 and in bfloat16, in the plain loop a user would write (`eager_encoders.py`), and one image is compared between
the sides. `floor.py` says what the floor is. Sides take turns. The images are written anew, each with another corner,
so that no two have the same pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from floor import floor, precision_name
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.encoders.registry import encoder_spec
from dermoscope.engine import Precision
from dermoscope.images import decode

SIDES = ("local 1", "local 2", "local 2 float32", "ray 1", "ray 2")
EAGER_FLOAT32 = ("transformers float32", "torch float32")
FLOOR, AGREEMENT = "floor", "agreement"
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}
POLL_S = 0.2
WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of an exported encoder")
    parser.add_argument("--images", type=Path, required=True, help="folder of images, searched to any depth")
    parser.add_argument("--weights", type=Path, help="the encoder's weights; without them eager torch is left out")
    parser.add_argument("--count", type=int, default=200, help="images of a throughput run; 0 for none")
    parser.add_argument("--rounds", type=int, default=2, help="throughput runs of each side")
    parser.add_argument("--memory", type=int, nargs="*", default=[100, 1_000, 10_000], help="images of memory runs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("SIDE", "STORE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        side, store = arguments.one
        print(json.dumps(one(side, arguments, Path(store))), flush=True)
        return
    result: dict[str, Any] = {"machine": machine(arguments)}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if arguments.count:
            result |= throughput(arguments, scratch)
        if arguments.memory:
            result["memory"] = [memory(arguments, count, scratch) for count in arguments.memory]
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(table(result))


def distinct(folder: Path, count: int, out: Path) -> Path:
    """A folder of `count` JPEGs made of the images of another in turn, each with another corner."""
    sources = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)[:50]
    if not sources:
        raise SystemExit(f"{folder} holds no images")
    pictures = [decode(path).rgb for path in sources]
    out.mkdir()
    for number in range(count):
        picture: NDArray[np.uint8] = pictures[number % len(pictures)].copy()
        picture[:16, :16] = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        cv2.imwrite(str(out / f"{number:06}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
    return out


def machine(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the numbers were measured on."""
    libraries = ("openvino", *(("torch", "transformers") if arguments.weights else ()))
    versions = {name: version(name) for name in libraries}
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "load_at_start": os.getloadavg()[0],
        **versions,
    }


def eager_sides(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The loops a user would write: with `transformers` for the encoders of SAM 2, else with the package's modules."""
    if not arguments.weights:
        return ()
    spec = encoder_spec(EncoderFolder.load(arguments.encoder).description.name)
    kind = "transformers" if spec.architecture == "sam2-hiera" else "torch"
    return f"{kind} float32", f"{kind} bfloat16"


def throughput(arguments: argparse.Namespace, scratch: Path) -> dict[str, dict[str, Any]]:
    """Agreement of the sides, the floor with the largest peaks of all rounds, and medians of images a second."""
    images = distinct(arguments.images, arguments.count, scratch / "images")
    result: dict[str, dict[str, Any]] = {}
    if arguments.weights:
        result["agreement"], _ = in_process(arguments, AGREEMENT, images, scratch)
    least: dict[str, list[float]] = defaultdict(list)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(arguments.rounds):
        for key, value in in_process(arguments, FLOOR, images, scratch)[0].items():
            least[key].append(value)
        for side in (*SIDES, *eager_sides(arguments)):
            answer, cost = in_process(arguments, side, images, scratch / f"store{number}-{side.replace(' ', '-')}")
            print(side, answer, cost, file=sys.stderr)
            for key, value in (answer | cost).items():
                found[side][key].append(value)
    result["floor"] = {key: max(values) for key, values in least.items()}
    result["images_per_s"] = {
        side: {key: float(np.median(values)) for key, values in of.items()} for side, of in found.items()
    }
    return result


def memory(arguments: argparse.Namespace, count: int, scratch: Path) -> dict[str, float]:
    """Peak memory of the local engine with two jobs over a number of images."""
    images = distinct(arguments.images, count, scratch / f"memory{count}")
    answer, cost = in_process(arguments, "local 2", images, scratch / f"memory-store{count}")
    print(count, answer, cost, file=sys.stderr)
    return {"images": count, **answer, **cost}


def in_process(
    arguments: argparse.Namespace, side: str, images: Path, store: Path
) -> tuple[dict[str, float], dict[str, float]]:
    """One run in a process of its own: its answer, and its memory and processor time, children included."""
    command = [sys.executable, __file__, "--encoder", str(arguments.encoder), "--images", str(images)]
    command += ["--weights", str(arguments.weights)] if arguments.weights else []
    process = subprocess.Popen([*command, "--one", side, str(store)], stdout=subprocess.PIPE, text=True)
    peak, spent = 0.0, dict[int, float]()
    while process.poll() is None:
        mebibytes, seconds = held(process.pid)
        peak = max(peak, mebibytes)
        spent |= seconds
        time.sleep(POLL_S)
    assert process.stdout
    if process.returncode:
        raise SystemExit(f"{side} ended with {process.returncode}; its message is above")
    answer: dict[str, float] = json.loads(process.stdout.read().splitlines()[-1])
    return answer, {"peak_mib": peak, "cpu_s": sum(spent.values())}


def held(pid: int) -> tuple[float, dict[int, float]]:
    """Memory in MiB of a process and its children, shared pages counted once, and processor seconds of each."""
    children: dict[int, list[int]] = defaultdict(list)
    seconds = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        children[int(fields[1])].append(int(folder.name))
        seconds[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    family, total = [pid], 0
    for one in family:
        family += children[one]
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total / 1024, {one: seconds[one] for one in family if one in seconds}


def one(side: str, arguments: argparse.Namespace, store: Path) -> dict[str, float]:
    """What this process was started for."""
    if side == FLOOR:
        return floor(arguments.encoder)
    paths = sorted(arguments.images.iterdir())
    if side in SIDES:
        return embed_run(side, paths, arguments, store)
    import eager_encoders

    encoder = EncoderFolder.load(arguments.encoder)
    if side == AGREEMENT:
        return eager_encoders.agreement(encoder, arguments.weights, paths[0])
    precision: Literal["float32", "bfloat16"] = "bfloat16" if side.endswith("bfloat16") else "float32"
    start, *marks = eager_encoders.timed(encoder, arguments.weights, precision, paths)
    return rates(marks, marks[-1] - start)


def embed_run(side: str, paths: list[Path], arguments: argparse.Namespace, store: Path) -> dict[str, float]:
    """Our path, decoding to stored rows."""
    from dermoscope.features.embed import EmbedProgress, embed
    from dermoscope.features.local_engine import LocalEngine
    from dermoscope.features.ray_engine import RayEngine

    kind, jobs = side.split()[:2]
    encoder = EncoderFolder.load(arguments.encoder)
    marks: list[float] = []

    def on_progress(_: EmbedProgress) -> None:
        marks.append(time.perf_counter())

    make = LocalEngine if kind == "local" else RayEngine
    engine = make(encoder, jobs=int(jobs), precision=asked_precision(side))
    records = [Record(image_id=path.stem, path=path) for path in paths]
    start = time.perf_counter()
    summary = embed(records, encoder, engine, store, views=("original",), columns=("mean",), on_progress=on_progress)
    seconds = time.perf_counter() - start
    if summary.done != len(paths):
        raise SystemExit(f"{summary.failed} images failed")
    return rates(marks, seconds)


def asked_precision(side: str) -> Precision:
    """What a side of ours is told to compute with."""
    return "float32" if side.endswith("float32") else "auto"


def rates(marks: list[float], seconds: float) -> dict[str, float]:
    """Images a second: `whole` with the start of workers and writing, `steady` from the first images to the last."""
    steady = (len(marks) - 1 - WARM_UP) / (marks[-1] - marks[WARM_UP])
    return {"whole": len(marks) / seconds, "steady": steady}


def title(side: str, precision: str) -> str:
    """A side for people."""
    kind, jobs = side.split()[:2]
    return f"{kind}, jobs {jobs}, {precision}" if side in SIDES else f"eager {kind} in one loop, {precision}"


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = []
    if sides := result.get("images_per_s"):
        least = result["floor"]
        lines += [f"- {name}: {value:.6g}" for name, value in result.get("agreement", {}).items()]
        lines += [
            f"- floor in {name}: {least['flops'] / peak:.3f} s an image, {least['flops'] / 1e9:.2f} GFLOP at "
            f"{peak / 1e9:,.0f} GFLOP/s"
            for name, peak in least.items()
            if name != "flops"
        ]
        lines += ["", "| | images/s, whole run | steady | to eager float32 | of the floor | processor s | peak MiB |"]
        lines += ["|---|---|---|---|---|---|---|"]
        eager = next((values["steady"] for side, values in sides.items() if side in EAGER_FLOAT32), None)
        for side, values in sides.items():
            precision = precision_name(asked_precision(side)) if side in SIDES else side.split()[1]
            steady = values["steady"]
            share = steady * least["flops"] / least.get(precision, least["float32"])
            ratio = f"{steady / eager:.2f}" if eager else "–"
            cells = (f"{values['whole']:.2f}", f"{steady:.2f}", ratio, f"{share:.0%}")
            cost = (f"{values['cpu_s']:.0f}", f"{values['peak_mib']:.0f}")
            lines.append(f"| {' | '.join((title(side, precision), *cells, *cost))} |")
    if runs := result.get("memory"):
        lines += ["", "| images | peak MiB | images/s, steady |", "|---|---|---|"]
        lines += [f"| {run['images']:,} | {run['peak_mib']:.0f} | {run['steady']:.1f} |" for run in runs]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
