"""What light, lens, frame and file cost: held-out images of HAM10000 as another camera might have given them.

    python studies/flagship/other_cameras.py --run runs/flagship --mode best --json studies/flagship/other_cameras.json

Each change is made to the same images; none moves the lesion, so that outlines can be compared. The networks have
learnt on images with other light, a frame, less focus and JPEG artefacts, too, made by other code and mostly milder
than here; noise and few pixels they have not seen, and noise is smoothed on the way (`dermoscope.images.grain`). AUC
and calibration error of malignancy and sensitivity at the operating point count every image, also those that the gate
refuses, as the risk is always told; the Dice coefficient with the true outline is over images that the gate lets
through with the change and without. Differences are to the images as they are, paired, with 95 % intervals over
lesions. Real other cameras differ in more than one way: the official test images of ISIC 2017 (`evaluate.py`) tell
more, and of fewer cameras.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from evaluate import auc, mean
from numpy.typing import NDArray
from tqdm import tqdm

from dermoscope.analyzer import Analyzer, load_analyzer
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.evaluation.calibration import expected_calibration_error
from dermoscope.evaluation.intervals import Estimate, grouped_bootstrap
from dermoscope.images import decode, read_mask
from dermoscope.training.augmentation.overlays import ink
from dermoscope.training.recipes.augmentation import InkPart
from dermoscope.training.tasks import DEFAULT_TASKS

RGB = NDArray[np.uint8]
AS_THEY_ARE = "as they are"
FRAME_RADIUS = 0.5
"""Of the longer side: what a round lens leaves of a photograph."""


def light(red: float, green: float, blue: float) -> Callable[[RGB], RGB]:
    return lambda rgb: np.uint8(np.clip(rgb * np.array([red, green, blue]), 0, 255))


def flat(rgb: RGB) -> RGB:
    return np.uint8(np.clip(0.7 * (rgb.astype(np.float32) - 128) + 108, 0, 255))


def jpeg(rgb: RGB, quality: int) -> RGB:
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def small(rgb: RGB) -> RGB:
    return np.asarray(cv2.resize(rgb, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA), np.uint8)


def blurred(rgb: RGB) -> RGB:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.01 * max(rgb.shape)), np.uint8)


def noisy(rgb: RGB, level: float = 12) -> RGB:
    grain = np.random.default_rng(0).normal(0, level, rgb.shape)
    return np.uint8(np.clip(rgb + grain, 0, 255))


def inked(rgb: RGB) -> RGB:
    """A ruler or strokes of a marker, always the same ones on an image of the same size."""
    return np.asarray(ink(rgb, InkPart(), np.random.default_rng(rgb.shape[0])), np.uint8)


def framed(rgb: RGB) -> RGB:
    height, width = rgb.shape[:2]
    y, x = np.ogrid[:height, :width]
    radius = FRAME_RADIUS * max(height, width)
    inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < radius**2
    return np.uint8(rgb * inside[..., None])


CHANGES: dict[str, Callable[[RGB], RGB]] = {
    AS_THEY_ARE: lambda rgb: rgb,
    "warm light": light(1.12, 1.0, 0.8),
    "cold light": light(0.85, 1.0, 1.15),
    "dark and flat": flat,
    "out of focus": blurred,
    "noise": noisy,
    "noise behind JPEG, quality 75": lambda rgb: jpeg(noisy(rgb), 75),
    "240 x 180 pixels": small,
    "JPEG, quality 15": lambda rgb: jpeg(rgb, 15),
    "ruler or ink": inked,
    "round black frame": framed,
}


@dataclass(frozen=True, eq=False)
class Said:
    """Of N images: risk, whether flagged, Dice with the true outline, refused, withheld, warned; `[N]` each."""

    risk: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    dice: NDArray[np.float64]
    refused: NDArray[np.bool_]
    withheld: NDArray[np.bool_]
    warned: NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/flagship"))
    parser.add_argument("--bundle", type=Path, help="by default the one inside the package")
    parser.add_argument("--mode", help="by default its first")
    parser.add_argument("--count", type=int, default=500, help="images, drawn at random")
    parser.add_argument("--json", type=Path, help="a file that the numbers are added to")
    arguments = parser.parse_args()
    if arguments.json and not arguments.json.parent.is_dir():
        parser.error(f"--json: there is no folder {arguments.json.parent}")
    records = [record for record in read_manifest(arguments.run / "test-ham10000.csv") if record.mask_path]
    order = np.random.default_rng(0).permutation(len(records))[: arguments.count]
    chosen = [records[row] for row in order.tolist()]
    analyzer = load_analyzer(arguments.bundle, mode=arguments.mode, streams=2)
    malignant = np.array([DEFAULT_TASKS["malignancy"].label(record) == 1 for record in chosen])
    print(f"{len(chosen)} images, {malignant.sum()} malignant, mode {analyzer.mode}\n")
    before = None
    found = {}
    for name, change in CHANGES.items():
        said = answers(chosen, analyzer, change, name)
        before = before or said
        found[name] = compared(said, before, malignant, [record.group_id for record in chosen])
        if said is before:
            print(f"| images | {' | '.join(found[name])} |\n|{'---|' * (1 + len(found[name]))}")
        print(f"| {name} | {' | '.join(map(shown, found[name].values()))} |", flush=True)
    if arguments.json:
        kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        kept[analyzer.mode] = {
            name: {what: [round(v, 4) for v in (one.value, one.low, one.high)] for what, one in of.items()}
            for name, of in found.items()
        }
        arguments.json.write_text(f"{json.dumps(kept, indent=1)}\n")


def answers(records: list[Record], analyzer: Analyzer, change: Callable[[RGB], RGB], name: str) -> Said:
    """What is said of the images after a change."""

    def ask(record: Record) -> tuple[float, bool, float, bool, bool, bool]:
        assert record.mask_path
        outcome = analyzer.analyze(change(np.asarray(decode(record.path).rgb)))
        one, mask = outcome.analysis, outcome.mask
        truth = read_mask(record.mask_path)
        drawn = np.zeros(truth.shape, bool)
        if mask is not None:
            drawn = cv2.resize(mask.astype(np.uint8), truth.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        overlap = 2 * (drawn & truth).sum() / max(drawn.sum() + truth.sum(), 1)
        assert one.malignancy
        refused = one.gate is not None and not one.gate.is_skin
        warned = bool(one.evidence and one.evidence.warning)
        return one.malignancy.probability, one.malignancy.flagged, float(overlap), refused, one.abstained, warned

    with ThreadPoolExecutor(2) as pool:
        rows = list(tqdm(pool.map(ask, records), name, len(records), leave=False))
    return Said(*(np.array(column) for column in zip(*rows, strict=True)))


def compared(said: Said, before: Said, malignant: NDArray[np.bool_], groups: list[str]) -> dict[str, Estimate]:
    """The measures of a change, and differences to before."""
    own = [group for group, is_in in zip(groups, malignant.tolist(), strict=True) if is_in]
    others = [group for group, is_in in zip(groups, malignant.tolist(), strict=True) if not is_in]

    def error(rows: NDArray[np.intp]) -> float:
        return expected_calibration_error(malignant[rows], said.risk[rows])

    area, area_before = auc(malignant, said.risk), auc(malignant, before.risk)
    drawn = ~(said.refused | before.refused)
    drawn_groups = [group for group, is_in in zip(groups, drawn.tolist(), strict=True) if is_in]
    return {
        "AUC, malignancy": grouped_bootstrap(area, groups),
        "AUC, difference": grouped_bootstrap(lambda rows: area(rows) - area_before(rows), groups),
        "calibration error": grouped_bootstrap(error, groups),
        "sensitivity": grouped_bootstrap(mean(said.flagged[malignant]), own),
        "flagged, of benign": grouped_bootstrap(mean(said.flagged[~malignant]), others),
        "Dice": grouped_bootstrap(mean(said.dice[drawn]), drawn_groups),
        "Dice, difference": grouped_bootstrap(mean((said.dice - before.dice)[drawn]), drawn_groups),
        "refused": grouped_bootstrap(mean(said.refused), groups),
        "withheld": grouped_bootstrap(mean(said.withheld), groups),
        "warned of the evidence": grouped_bootstrap(mean(said.warned), groups),
    }


def shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


if __name__ == "__main__":
    main()
