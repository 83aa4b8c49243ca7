"""Draws what the runs learnt to look at, and where their features lie.

    python studies/girona/figures.py --run runs/girona --out studies/girona/figures

Into the study: `features.svg`, the pooled features of the full crop of test images on their first two principal
components, with the mean of each class, for cross-entropy and for every loss together. Into the run folder, because it
shows images: `maps.png`, rows of a test image with its mask and, for each variant, the maps of both classes, orange for
and purple against, each map by its own largest value.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from dermoscope.camnet.lesion_views import CropRules, lesion_views
from dermoscope.camnet.network import CAMNetwork
from dermoscope.data.manifest import Record, read_manifest
from dermoscope.encoders.inputs import prepare
from dermoscope.evaluation.figures.style import page
from dermoscope.images import decode, draw_evidence, read_mask
from dermoscope.training.cam_description import CAMModelDescription
from dermoscope.training.cam_model_file import load_cam_run

VARIANTS = ("cross-entropy", "centre", "divergence", "penalised-divergence", "lesion-focus", "all-losses")
SEED, CROPS = 42, "three-crops"
SIDE, ROWS = 160, 8
FULL = -1  # the last of the three crops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/girona"))
    parser.add_argument("--out", type=Path, default=Path("studies/girona/figures"))
    arguments = parser.parse_args()
    folders = {name: arguments.run / "ablation" / "binary" / f"{name}-{CROPS}-{SEED}" for name in VARIANTS}
    there = {name: folder for name, folder in folders.items() if (folder / "predictions.csv").exists()}
    records = [record for record in read_manifest(arguments.run / "by-lesion.csv") if record.split == "test"]
    map_rows(there, records, arguments.run / "maps.png")
    truth = {record.image_id: record.diagnosis != "NV" for record in records}
    features({name: there[name] for name in ("cross-entropy", "all-losses") if name in there}, truth, arguments.out)


def map_rows(folders: dict[str, Path], records: list[Record], path: Path) -> None:
    """Nevi and other lesions in turn, each with its mask and every variant's maps."""
    networks = {name: load_cam_run(folder) for name, folder in folders.items()}
    nevi, others = ([r for r in records if (r.diagnosis == "NV") == nevus] for nevus in (True, False))
    chosen = [
        record for pair in zip(nevi[:: len(nevi) // 4], others[:: len(others) // 4], strict=False) for record in pair
    ]
    rows = [row_of(record, networks) for record in chosen[:ROWS]]
    names = ["image", "mask", *(f"{name}, {label}" for name in folders for label in ("nevus", "other"))]
    head = np.full((18, len(names) * SIDE, 3), 255, np.uint8)
    for place, name in enumerate(names):
        cv2.putText(head, name, (place * SIDE + 3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (0, 0, 0), 1, cv2.LINE_AA)
    Image.fromarray(np.vstack([head, *rows])).save(path)


def row_of(record: Record, networks: dict[str, tuple[CAMModelDescription, CAMNetwork]]) -> NDArray[np.uint8]:
    """An image, its mask, and the maps of the full crop."""
    assert record.mask_path is not None
    rgb, mask = decode(record.path).rgb, read_mask(record.mask_path)
    description, _ = next(iter(networks.values()))
    squares, masks, _ = lesion_views(rgb, mask, description.cleaning, CropRules(), SIDE)
    cells = [squares[0], np.repeat(masks[0][..., None], 3, axis=2)]
    for described, network in networks.values():
        with torch.inference_mode():
            answer = network(torch.from_numpy(prepare(squares[0], described.contract).image))
        cells += [draw_evidence(squares[0], cam) for cam in answer.cams[0].numpy()]
    return np.hstack(cells)


def features(folders: dict[str, Path], truth: dict[str, bool], out: Path) -> None:
    """Pooled features of test images on their principal components, one panel a variant."""
    with page(out / "features.svg", 7, 3.4, note="Test images, full crop; crosses are class means") as figure:
        axes = figure.subplots(1, len(folders), squeeze=False)[0]
        for axis, (name, folder) in zip(axes, folders.items(), strict=True):
            values = load_file(folder / "features.safetensors")["test"][:, FULL].float().numpy()
            with (folder / "predictions.csv").open(newline="") as stream:
                images = [row["image_id"] for row in csv.DictReader(stream) if row["split"] == "test"]
            positive = np.array([truth[image] for image in images])
            centred = values - values.mean(axis=0)
            _, spread, directions = np.linalg.svd(centred, full_matrices=False)
            points = centred @ directions[:2].T
            for label, own in (("nevus", ~positive), ("other", positive)):
                dots = axis.scatter(*points[own].T, s=3, alpha=0.5, label=label, linewidths=0)
                shade = dots.get_facecolor()[0][:3]
                axis.scatter(*points[own].mean(axis=0), s=90, marker="X", color=shade, edgecolors="black", zorder=5)
            within = np.mean([centred[own].var(axis=0).sum() for own in (positive, ~positive)])
            between = np.square(centred[positive].mean(axis=0) - centred[~positive].mean(axis=0)).sum()
            axis.set_title(f"{name}: between over within {between / within:.2f}")
            shares = spread**2 / np.square(spread).sum()
            axis.set_xlabel(f"first component, {shares[0]:.0%}")
            axis.set_ylabel(f"second, {shares[1]:.0%}")
        axes[0].legend()


if __name__ == "__main__":
    main()
