"""What a lesion mask costs: each network, the automatic mask from file to outline, a correction by a click.

    python benchmarks/segment.py --images photos --weights litemedsam.safetensors --json out.json

Beside each network the same one in eager torch, on the same images and in turns, and its floor: its multiply-adds at
the speed of large matrix products (`floor.py`). With `--weights` encoder and decoder are those of the bundle's encoder;
the U-Net in torch has random weights of the same shape, which cost the same. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from floor import graph_flops, peaks

from dermoscope.bundle import Bundle
from dermoscope.encoders.inputs import prepare
from dermoscope.encoders.registry import encoder_spec
from dermoscope.engine import compile_graph
from dermoscope.images import decode
from dermoscope.segment.mask_network import INPUT
from dermoscope.segment.prompted_decoder import HAS_PREVIOUS, PREVIOUS
from dermoscope.segment.unet import UNet
from dermoscope.segmenter import Segmenter
from dermoscope.training.export import load_parts

HERE = Path(__file__).parent
SUFFIXES = {".jpg", ".jpeg", ".png"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=HERE.parent / "examples" / "images", help="folder of images")
    parser.add_argument("--weights", type=Path, help="of the bundle's encoder; without it its eager side is left out")
    parser.add_argument("--bundle", type=Path, help="by default the one that ships")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bundle = Bundle.load(arguments.bundle) if arguments.bundle else Bundle.default()
    files = sorted(path for path in arguments.images.iterdir() if path.suffix.lower() in SUFFIXES)[: arguments.count]
    if not files:
        parser.error(f"--images {arguments.images}: no image in it")
    took = measured(bundle, files, arguments.weights)
    flops, peak = floors(bundle), max(peaks().values())
    rows = {}
    for name, times in took.items():
        row = {"median_ms": float(np.median(times)), "p90_ms": float(np.quantile(times, 0.9))}
        if name in flops:
            row["floor_ms"] = flops[name] / peak * 1e3
        if (eager := f"{name}, eager torch") in took:
            row["eager_over_ours"] = float(np.median(took[eager]) / row["median_ms"])
        rows[name] = row
        print(f"| {name} | " + " | ".join(f"{key} {value:.2f}" for key, value in row.items()) + " |", flush=True)
    if arguments.json:
        result = {"images": len(files), "threads": torch.get_num_threads(), "peak_flops": peak, "rows": rows}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def measured(bundle: Bundle, files: list[Path], weights: Path | None) -> dict[str, list[float]]:
    """Milliseconds of every part on every image, after one image that does not count."""
    parts = bundle.description
    size, cells = parts.encoder.input.size, parts.encoder.input.map_size
    encoder, decoder = (compile_graph(bundle.graph_path(part)) for part in (parts.encoder, parts.decoder))
    network = compile_graph(bundle.graph_path(parts.mask_network)) if parts.mask_network else None
    unet = UNet(parts.mask_network.name).eval() if parts.mask_network else None
    eager = load_parts(encoder_spec(parts.encoder.name), weights, parts.encoder.input) if weights else None
    segmenter = Segmenter(bundle)
    box = {
        "points": np.array([[[0.25 * size, 0.25 * size], [0.75 * size, 0.75 * size]]], np.float32),
        "labels": np.array([[2, 3]]),
    }
    if PREVIOUS in decoder.inputs:
        box |= {PREVIOUS: np.zeros((1, 1, 4 * cells, 4 * cells), np.float32), HAS_PREVIOUS: np.zeros(1, np.float32)}
    tensors = {name: torch.from_numpy(value) for name, value in box.items()}
    took: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def clock(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        took[name].append((time.perf_counter() - start) * 1e3)

    for path in [files[0], *files]:
        rgb = decode(path, max_side=1024).rgb
        prepared = prepare(rgb, parts.encoder.input)
        given = {"image": prepared.image, "pool_weights": prepared.pool_weights}
        with clock("encoder"):
            embedding = encoder(given)["embedding"]
        with clock("decoder, one prompt"):
            decoder({"embedding": embedding, **box})
        with torch.inference_mode():
            if eager:
                asked = [torch.from_numpy(value) for value in given.values()]
                with clock("encoder, eager torch"):
                    eager.encoder(*asked)
                kept = torch.from_numpy(embedding)
                with clock("decoder, one prompt, eager torch"):
                    eager.decoder(kept, **tensors)
            if network and unet and parts.mask_network:
                image = prepare(rgb, parts.mask_network.input).image
                with clock("mask network"):
                    network({INPUT: image})
                pixels = torch.from_numpy(image)
                with clock("mask network, eager torch"):
                    unet(pixels)
        time.sleep(0.25)  # torch's threads spin for a while and would slow what comes next
        with clock("automatic mask, from file to outline"):
            segmenter.segment(path)
        opened = segmenter.open(path)
        opened.segment()
        with clock("one more click"):
            opened.refine([(opened.width / 2, opened.height / 2)], [1])
    return {name: times[1:] for name, times in took.items()}


def floors(bundle: Bundle) -> dict[str, float]:
    """FLOPs of each network for one image or prompt."""
    parts = bundle.description
    size, cells = parts.encoder.input.size, parts.encoder.input.map_size
    image, side = [1, 3, size, size], 4 * cells
    prompt = {"embedding": [1, 256, cells, cells], "points": [1, 2, 2], "labels": [1, 2]}
    if PREVIOUS in compile_graph(bundle.graph_path(parts.decoder)).inputs:
        prompt |= {PREVIOUS: [1, 1, side, side], HAS_PREVIOUS: [1]}
    found = {
        "encoder": graph_flops(
            bundle.graph_path(parts.encoder), {"image": image, "pool_weights": [1, 1, cells, cells]}
        ),
        "decoder, one prompt": graph_flops(bundle.graph_path(parts.decoder), prompt),
    }
    if parts.mask_network:
        own = parts.mask_network.input.size
        found["mask network"] = graph_flops(bundle.graph_path(parts.mask_network), {INPUT: [1, 3, own, own]})
    return {name: float(value) for name, value in found.items()}


if __name__ == "__main__":
    main()
