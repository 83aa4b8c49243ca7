"""What `dermoscope embed` costs: images a second here and on Ray, and memory as the number of images grows.

    python benchmarks/embed.py --encoder encoder-folder --images photos
    python benchmarks/embed.py --encoder encoder-folder --images photos --weights litemedsam.safetensors --json out.json
    python benchmarks/embed.py --encoder small-encoder --images photos --count 0 --memory 100 1000 10000

Every run has a process of its own and a new store. With `--weights` the same encoder also runs in eager torch, in the
plain loop a user would write: Pillow decodes and resizes, one image at a time, torch with its usual threads; sides take
turns. The images are written anew, each with another corner, so that no two have the same pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.images import decode

SIDES = ("local 1", "local 2", "ray 1", "ray 2")
TORCH = "torch 0"
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
        kind, jobs = side.split()
        paths = sorted(arguments.images.iterdir())
        measure = torch_run if kind == "torch" else embed_run
        print(json.dumps(measure(kind, int(jobs), paths, arguments, Path(store))), flush=True)
        return
    result: dict[str, Any] = {"cores": os.cpu_count(), "load_at_start": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if arguments.count:
            result["images_per_s"] = throughput(arguments, scratch)
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


def throughput(arguments: argparse.Namespace, scratch: Path) -> dict[str, dict[str, float]]:
    """Median images a second of each side: over the whole run, and between the first image and the last."""
    images = distinct(arguments.images, arguments.count, scratch / "images")
    sides = [*SIDES, *([TORCH] if arguments.weights else [])]
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(arguments.rounds):
        for side in sides:
            answer = in_process(arguments, side, images, scratch / f"store{number}-{side}")
            print(side, answer, file=sys.stderr)
            for key, value in answer.items():
                found[side][key].append(value)
    return {side: {key: float(np.median(values)) for key, values in of.items()} for side, of in found.items()}


def memory(arguments: argparse.Namespace, count: int, scratch: Path) -> dict[str, float]:
    """Peak memory of the local engine with two jobs over a number of images."""
    images = distinct(arguments.images, count, scratch / f"memory{count}")
    answer = in_process(arguments, "local 2", images, scratch / f"memory-store{count}")
    print(count, answer, file=sys.stderr)
    return {"images": count, **answer}


def in_process(arguments: argparse.Namespace, side: str, images: Path, store: Path) -> dict[str, float]:
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
    return {**answer, "peak_mib": peak, "cpu_s": sum(spent.values())}


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


def embed_run(kind: str, jobs: int, paths: list[Path], arguments: argparse.Namespace, store: Path) -> dict[str, float]:
    """Our path, decoding to stored rows."""
    from dermoscope.features.embed import EmbedProgress, embed
    from dermoscope.features.local_engine import LocalEngine
    from dermoscope.features.ray_engine import RayEngine

    encoder = EncoderFolder.load(arguments.encoder)
    marks: list[float] = []

    def on_progress(_: EmbedProgress) -> None:
        marks.append(time.perf_counter())

    engine = LocalEngine(encoder, jobs=jobs) if kind == "local" else RayEngine(encoder, jobs=jobs)
    records = [Record(image_id=path.stem, path=path) for path in paths]
    start = time.perf_counter()
    summary = embed(records, encoder, engine, store, views=("original",), columns=("mean",), on_progress=on_progress)
    seconds = time.perf_counter() - start
    if summary.done != len(paths):
        raise SystemExit(f"{summary.failed} images failed")
    return rates(marks, seconds)


def torch_run(
    _kind: str, _jobs: int, paths: list[Path], arguments: argparse.Namespace, _store: Path
) -> dict[str, float]:
    """Eager torch in a plain loop; the means stay in memory."""
    import torch
    from PIL import Image

    from dermoscope.encoders.load import load_encoder
    from dermoscope.encoders.registry import IMAGENET_MEAN, IMAGENET_STD, encoder_spec

    description = EncoderFolder.load(arguments.encoder).description
    contract = description.contract
    encoder = load_encoder(encoder_spec(description.name), arguments.weights).eval()
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    marks = []
    start = time.perf_counter()
    with torch.inference_mode():
        for path in paths:
            with Image.open(path) as opened:
                image = opened.convert("RGB").resize((contract.size, contract.size), Image.Resampling.BOX)
            values = np.asarray(image, np.float32)
            if contract.scaling == "min-max":
                values = (values - values.min()) / max(float(np.ptp(values)), 1e-8)
            else:
                values = (values / 255 - mean) / std
            encoder(torch.from_numpy(values.transpose(2, 0, 1)[None].copy())).mean(dim=(2, 3)).numpy()
            marks.append(time.perf_counter())
    return rates(marks, time.perf_counter() - start)


def rates(marks: list[float], seconds: float) -> dict[str, float]:
    """Images a second: `whole` with the start of workers and writing, `steady` from the first images to the last."""
    steady = (len(marks) - 1 - WARM_UP) / (marks[-1] - marks[WARM_UP])
    return {"whole": len(marks) / seconds, "steady": steady}


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = []
    if sides := result.get("images_per_s"):
        lines += ["| | images/s, whole run | images/s, steady | processor s | peak MiB |", "|---|---|---|---|---|"]
        for side, values in sides.items():
            name = "eager torch, one loop" if side == TORCH else f"{side.split()[0]}, jobs {side.split()[1]}"
            speed = f"{values['whole']:.2f} | {values['steady']:.2f}"
            lines.append(f"| {name} | {speed} | {values['cpu_s']:.0f} | {values['peak_mib']:.0f} |")
    if runs := result.get("memory"):
        lines += ["", "| images | peak MiB | images/s, steady |", "|---|---|---|"]
        lines += [f"| {run['images']:,} | {run['peak_mib']:.0f} | {run['steady']:.1f} |" for run in runs]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
