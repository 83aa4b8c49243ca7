"""What class activation maps cost: a network's graph with them beside the same one without, and a whole classification.

    python benchmarks/class_maps.py --json out.json

Each network is exported twice with the same weights, with logits, maps and feature, and with logits and feature alone.
Both are compiled for one thread and take turns on one crop in one process; a second copy of the graph without maps
takes turns, too, and its ratio shows what is noise. The same graph compiled anew is some percent faster or slower, so
all are compiled several times: the ratio is the median of the compilations, beside the least and the largest one.

Then one image through `LesionClassifier`: two networks, three crops, the parts beside the whole.

Times are processor time of that one thread, medians: what else runs on the machine counts little. Weights are random.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dermoscope import __version__
from dermoscope.camnet.lesion_views import Cleaning, CropRules, LesionViews, lesion_views
from dermoscope.camnet.network import CAMNetwork
from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.engine import CACHE_VARIABLE, EngineName, NamedGraph, Precision, compile_graph
from dermoscope.ensemble.ensemble import Ensemble, EnsembleDescription
from dermoscope.features.encoder import arithmetic
from dermoscope.heads.calibration import calibrated_probabilities
from dermoscope.images import decode
from dermoscope.lesion_classifier import DESCRIPTION, ClassifierDescription, LesionClassifier
from dermoscope.member_networks import INPUT, OUTPUTS
from dermoscope.model_folder import write_sums
from dermoscope.network_parts import MemberPart
from dermoscope.training.onnx_graph import export_onnx
from dermoscope.training.recipes.cams import CropsPart

HERE = Path(__file__).parent
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
BACKBONES = ("tf_efficientnet_lite0", "efficientnet_b0")
SIZES = (128, 224, 299)
CLASSES = (2, 7)
ENGINES: tuple[tuple[EngineName, Precision], ...] = (
    ("openvino", "auto"),
    ("openvino", "float32"),
    ("onnxruntime", "float32"),
)
MOST = 1.05
"""What maps may take, over the time without them."""
WARM_UP = 10
IMAGE_SIZES = ((600, 450), (1024, 768))
CLEANINGS = {
    "outer circle": Cleaning(),
    "and hair": Cleaning(hair=True),
    "and colour constancy": Cleaning(colour_constancy=True),
}


class Outputs(nn.Module):
    """A network with what a graph gives, with maps or without."""

    def __init__(self, network: CAMNetwork, *, maps: bool) -> None:
        super().__init__()
        self.network, self.maps = network, maps

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Of images `[1, 3, S, S]`."""
        answer = self.network(image)
        return (answer.logits, answer.cams, answer.features) if self.maps else (answer.logits, answer.features)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=HERE.parent / "examples" / "images", help="folder of images")
    parser.add_argument("--count", type=int, default=20, help="images")
    parser.add_argument("--compilations", type=int, default=7, help="how often every graph is compiled")
    parser.add_argument("--rounds", type=int, default=50, help="calls of every graph after each of them")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.images.iterdir() if path.suffix.lower() in SUFFIXES)[: arguments.count]
    if not files:
        parser.error(f"--images {arguments.images}: no image in it")
    cv2.setNumThreads(1)
    images = [decode(path, max_side=1024).rgb for path in files]
    with TemporaryDirectory() as name:
        folder = Path(name)
        os.environ[CACHE_VARIABLE] = str(folder / "compiled")
        ratios = [
            row
            for backbone, classes, size in product(BACKBONES, CLASSES, SIZES)
            for row in compared(folder, backbone, classes, size, arguments.compilations, arguments.rounds)
        ]
        parts = [row for size in IMAGE_SIZES for row in profiled(folder, images, size)]
    print(f"largest ratio {max(row['ratio']['median'] for row in ratios):.3f}; at most {MOST} is asked for")
    if arguments.json:
        result = {
            "images": len(images),
            "compilations": arguments.compilations,
            "rounds": arguments.rounds,
            "ratios": ratios,
            "parts": parts,
        }
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def compared(
    folder: Path, backbone: str, classes: int, size: int, compilations: int, rounds: int
) -> Iterator[dict[str, Any]]:
    """Both graphs of one network through every engine."""
    network = random_network(backbone, classes)
    graphs = {maps: graph_path(folder, backbone, classes, size, maps=maps) for maps in (True, False)}
    for maps, path in graphs.items():
        names = OUTPUTS if maps else (OUTPUTS[0], OUTPUTS[2])
        export_onnx(Outputs(network, maps=maps), {INPUT: torch.rand(1, 3, size, size)}, names, path)
    crop = {INPUT: np.random.default_rng(0).uniform(-1, 1, (1, 3, size, size)).astype(np.float32)}
    for engine, precision in ENGINES:
        took = [in_turns(compiled(graphs, engine, precision), crop, rounds) for _ in range(compilations)]
        times = {f"{name}_ms": float(np.median([one[name] for one in took])) for name in ("without", "with")}
        ratios = {as_: spread(took, name) for as_, name in (("ratio", "with"), ("noise", "again"))}
        about = {"backbone": backbone, "classes": classes, "size": size, "engine": arithmetic(engine, precision)}
        shown = [*map(str, about.values()), *(f"{value:.2f}" for value in times.values())]
        shown += [f"{ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f})" for ratio in ratios.values()]
        print(f"| {' | '.join(shown)} |", flush=True)
        yield about | times | ratios


def compiled(graphs: Mapping[bool, Path], engine: EngineName, precision: Precision) -> dict[str, NamedGraph]:
    """The graph with maps, and twice the one without.

    One thread: engines that share their work among several wait for the slowest, and that is noise.
    """
    return {
        name: compile_graph(graphs[maps], engine=engine, precision=precision, threads=1)
        for name, maps in (("with", True), ("without", False), ("again", False))
    }


def profiled(folder: Path, images: list[NDArray[np.uint8]], size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """Milliseconds of each part of a classification, for every way of cleaning; the lesion is an ellipse."""
    width, height = size
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), (width // 5, height // 5), 0, 0, 360, 1, -1)
    lesion = mask.astype(bool)
    resized = [np.asarray(cv2.resize(image, size), np.uint8) for image in images]
    for name, cleaning in CLEANINGS.items():
        description = written(folder, cleaning)
        classifier = LesionClassifier(folder, threads=1)
        graphs = [compile_graph(folder / member.graph, threads=1) for member in description.members]
        ensemble = Ensemble(description.ensemble)
        took: dict[str, list[float]] = defaultdict(list)
        for rgb in (resized[0], *resized):
            with clock(took, "whole"):
                look = classifier.look(rgb, lesion)
            probabilities = in_parts(description.members, graphs, ensemble, rgb, lesion, took)
            np.testing.assert_allclose(probabilities, look.probabilities, atol=1e-6)
        row = {part: float(np.median(times[1:])) for part, times in took.items()}
        print(f"| {width} × {height} | {name} | " + " | ".join(f"{part} {ms:.2f}" for part, ms in row.items()) + " |")
        yield {"image": list(size), "cleaning": name, **row}


def in_parts(
    parts: Sequence[MemberPart],
    graphs: Sequence[NamedGraph],
    ensemble: Ensemble,
    rgb: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    took: dict[str, list[float]],
) -> NDArray[np.float64]:
    """What `LesionClassifier.look` does, each part under a clock of its own; its probabilities."""
    answers, own = [], defaultdict[str, list[float]](list)
    views: dict[tuple[Cleaning, CropRules, int], LesionViews] = {}
    for member, graph in zip(parts, graphs, strict=True):
        with clock(own, "cleaning and cutting"):
            key = member.cleaning, member.crops, member.side
            if key not in views:
                views[key] = lesion_views(rgb, mask, *key)
            squares = views[key].squares
        with clock(own, "scaling"):
            inputs = [prepare(square, member.input).image for square in squares]
        with clock(own, "graphs"):
            found = [graph({INPUT: one}) for one in inputs]
        answers.append(np.concatenate([one["logits"] for one in found]))
    with clock(own, "combining"):
        members = calibrated_probabilities(np.stack(answers), 1.0, np.zeros(len(ensemble.description.classes)))
        probabilities = ensemble.combine(members[:, :, None])[0]
    for part, times in own.items():
        took[part].append(sum(times))
    return np.asarray(probabilities)


def written(folder: Path, cleaning: Cleaning) -> ClassifierDescription:
    """A classifier of both networks at the middle size, in a folder that holds their graphs already."""
    size, crops = SIZES[1], CropRules(names=("tight", "middle", "full"))
    members = tuple(
        MemberPart(
            name=backbone,
            graph=graph_path(folder, backbone, CLASSES[0], size, maps=True).name,
            input=InputContract(size=size, fit="squash", scaling="imagenet", map_size=size // 32),
            side=CropsPart().side(size),
            cleaning=cleaning,
            crops=crops,
            backbone=backbone,
            licence="none: random weights",
        )
        for backbone in BACKBONES
    )
    ensemble = EnsembleDescription(
        schema_version=1,
        classes=("benign", "malignant"),
        members=BACKBONES,
        crops=crops.names,
        across="together",
        rule="dempster-shafer",
    )
    description = ClassifierDescription(
        schema_version=1,
        name="random",
        version=__version__,
        task="malignancy",
        definition="not-nevus",
        members=members,
        ensemble=ensemble,
    )
    (folder / DESCRIPTION).write_text(description.model_dump_json())
    write_sums(folder)
    return description


def graph_path(folder: Path, backbone: str, classes: int, size: int, *, maps: bool) -> Path:
    """Where a graph lies."""
    return folder / f"{backbone}-{classes}-{size}-{'maps' if maps else 'plain'}.onnx"


def random_network(backbone: str, classes: int) -> CAMNetwork:
    """Random weights, normalised on noise, so that no value of the graph is so small that it is slow."""
    torch.manual_seed(0)
    network = CAMNetwork(backbone, classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.inference_mode():
        network.train()(torch.rand(8, 3, 128, 128))
    return network.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload,no-any-return]


def in_turns(
    graphs: Mapping[str, NamedGraph], crop: Mapping[str, NDArray[np.float32]], rounds: int
) -> dict[str, float]:
    """Median milliseconds of a call of each graph; in every round all are called, in an order that is drawn for it."""
    took: dict[str, list[float]] = defaultdict(list)
    random = np.random.default_rng(0)
    for _ in range(WARM_UP + rounds):
        for name in random.permutation(list(graphs)).tolist():
            with clock(took, name):
                graphs[name](crop)
    return {name: float(np.median(times[WARM_UP:])) for name, times in took.items()}


def spread(took: Sequence[Mapping[str, float]], name: str) -> dict[str, float]:
    """How much longer a graph took than the one without maps, over the compilations."""
    ratios = np.array([one[name] / one["without"] for one in took])
    return {"median": float(np.median(ratios)), "low": float(ratios.min()), "high": float(ratios.max())}


@contextmanager
def clock(took: dict[str, list[float]], name: str) -> Iterator[None]:
    """Add the milliseconds of what it holds."""
    start = time.process_time()
    yield
    took[name].append((time.process_time() - start) * 1e3)


if __name__ == "__main__":
    main()
