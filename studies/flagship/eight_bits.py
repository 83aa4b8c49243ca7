"""Whether eight-bit integers pay: the shipped graphs quantised after training, timed and scored beside themselves.

    python studies/flagship/eight_bits.py --run runs/flagship --graphs encoder.onnx --out runs/int8-encoder
    python studies/flagship/eight_bits.py --run runs/flagship --graphs mask_network network --out runs/int8-networks

Weights by channel, activations by their range over whole training images, also for networks that see crops (ONNX
Runtime's static quantisation, QDQ). An `--out` that is there is measured as it is. Both bundles see the same images in
turn: validation images for speed and agreement of every stage, and for the paired difference in log loss and in the AUC
of malignancy, with a bootstrap over lesions. Nothing is fitted anew.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from sklearn.metrics import roc_auc_score

from dermoscope.analysis import Analysis
from dermoscope.analyzer import Analyzer
from dermoscope.bundle import Bundle
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.encoders.inputs import InputContract, prepare
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.images import ImageError, decode
from dermoscope.training.export import write_bundle
from dermoscope.training.tasks import DEFAULT_TASKS

STAGES = ("encode", "segment", "classify")


class Images(CalibrationDataReader):
    """Inputs of one graph for images of the training split."""

    def __init__(self, records: list[Record], contract: InputContract, names: set[str]) -> None:
        self._inputs = self._prepared(records, contract, names)

    def _prepared(
        self, records: list[Record], contract: InputContract, names: set[str]
    ) -> Iterator[dict[str, NDArray[Any]]]:
        for record in records:
            found = prepare(decode(record.path).rgb, contract)
            given = {"image": found.image, "pool_weights": found.pool_weights}
            yield {name: value for name, value in given.items() if name in names}

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next image, or none."""
        return next(self._inputs, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--mode", help="by default its first")
    parser.add_argument("--graphs", nargs="+", required=True, help="beginnings of their names")
    parser.add_argument("--calibration", type=int, default=200, help="training images")
    parser.add_argument("--count", type=int, default=300, help="validation images")
    parser.add_argument("--out", type=Path, required=True, help="folder of the other bundle")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bundle = Bundle.load(arguments.bundle) if arguments.bundle else Bundle.default()
    records = [
        r for r in read_manifest(arguments.run / "manifest.csv") if DEFAULT_TASKS["diagnosis"].label(r) is not None
    ]
    chosen = np.random.default_rng(0).permutation(len(records))
    shuffled = [records[row] for row in chosen.tolist()]
    if not arguments.out.exists():
        learnt = [r for r in shuffled if r.split == "train"][: arguments.calibration]
        quantise(bundle, arguments.graphs, learnt, arguments.out)
    sides = {
        name: Analyzer(one, mode=arguments.mode)
        for name, one in (("as it ships", bundle), ("eight bits", Bundle.load(arguments.out)))
    }
    held = [r for r in shuffled if r.split == "val"][: arguments.count]
    found = compared(held, sides)
    print(json.dumps(found, indent=1))
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        arguments.json.write_text(f"{json.dumps({**kept, ' '.join(arguments.graphs): found}, indent=1)}\n")


def quantise(bundle: Bundle, beginnings: list[str], records: list[Record], out: Path) -> None:
    """Write the bundle with some of its graphs in eight bits."""
    shutil.copytree(bundle.folder, out)
    description = bundle.description
    contracts = {description.encoder.graph: description.encoder.input}
    if description.mask_network:
        contracts[description.mask_network.graph] = description.mask_network.input
    for mode in description.modes.values():
        contracts |= {member.graph: member.input for member in mode.networks}
    for graph, contract in contracts.items():
        if graph.startswith(tuple(beginnings)):
            path = out / graph
            names = {one.name for one in onnx.load(path).graph.input}
            quantize_static(
                path,
                out / f"small-{graph}",
                Images(records, contract, names),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
                op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            )
            (out / f"small-{graph}").replace(path)
            print(f"{graph}: {(bundle.folder / graph).stat().st_size:,} bytes, now {path.stat().st_size:,}")
    write_bundle(description, out)


def compared(records: list[Record], sides: dict[str, Analyzer]) -> dict[str, Any]:
    """Milliseconds a stage of each side, and what the other one costs in answers."""
    times: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in sides}
    said: dict[str, list[Analysis]] = {name: [] for name in sides}
    kept: list[Record] = []
    for record in records:
        try:
            answers = {name: analyzer.analyze(record.path).analysis for name, analyzer in sides.items()}
        except ImageError:
            continue
        kept.append(record)
        for name, answer in answers.items():
            said[name].append(answer)
            for stage, ms in {**answer.timings_ms, "whole": sum(answer.timings_ms.values())}.items():
                times[name][stage].append(ms)
    task = DEFAULT_TASKS["diagnosis"]
    labels = np.array([task.label(record) for record in kept], np.int64)
    malignant = np.array([DEFAULT_TASKS["malignancy"].label(record) == 1 for record in kept])
    odds = {n: np.array([[one.diagnosis[code] for code in task.classes] for one in of]) for n, of in said.items()}
    risk = {
        n: np.array([one.malignancy.probability if one.malignancy else 0.0 for one in of]) for n, of in said.items()
    }
    before, after = sides
    rows = np.arange(len(labels))
    loss = {name: -np.log(np.maximum(of[rows, labels], 1e-9)) for name, of in odds.items()}
    groups = [record.group_id for record in kept]

    def area(chosen: NDArray[np.intp]) -> float:
        truth = malignant[chosen]
        return float(roc_auc_score(truth, risk[after][chosen]) - roc_auc_score(truth, risk[before][chosen]))

    overlaps = [share for one, other in zip(*said.values(), strict=True) if (share := overlap(one, other))]
    return {
        "images": len(kept),
        "milliseconds": {
            name: {stage: round(float(np.median(of[stage])), 1) for stage in (*STAGES, "whole") if of[stage]}
            for name, of in times.items()
        },
        "log loss, difference": shown(
            grouped_bootstrap(lambda r: float((loss[after] - loss[before])[r].mean()), groups)
        ),
        "AUC of malignancy, difference": shown(grouped_bootstrap(area, groups)),
        "risk, largest difference": round(float(np.abs(risk[after] - risk[before]).max()), 4),
        "same diagnosis": round(float(np.mean(odds[after].argmax(1) == odds[before].argmax(1))), 4),
        "both have a mask": len(overlaps),
        "smaller mask's area over the larger one's, median": round(float(np.median(overlaps)), 4) if overlaps else None,
    }


def overlap(one: Analysis, other: Analysis) -> float:
    """The smaller mask's area over the larger one's; 0 where one is missing."""
    areas = sorted(found.mask.area_fraction if found.mask else 0.0 for found in (one, other))
    return areas[0] / areas[1] if areas[1] else 0.0


def shown(estimate: Estimate) -> list[float]:
    """Value, lower and upper end."""
    return [round(value, 4) for value in (estimate.value, estimate.low, estimate.high)]


if __name__ == "__main__":
    main()
