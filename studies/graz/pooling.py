"""Does it help to pool an encoder's embedding inside the lesion mask, outside it, or both, instead of everywhere?

The mask weighs the cells of the embedding that is there anyway. Each line trains our recipes `group` and `malignancy`
on other pooled columns of the same stored embeddings, and scores the test split.

    dermoscope embed runs/graz/probe.csv --encoder runs/graz/litemedsam-112 --store runs/graz/store --spatial
    python studies/graz/pooling.py --run runs/graz --encoder runs/graz/litemedsam-112 --manifest runs/graz/probe.csv
    python studies/graz/pooling.py ... --masks results-of-dermoscope-analyze

Without `--masks` the masks are those of the manifest; with it those that a model predicted. An image without a mask is
pooled everywhere.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from train import done, text

from dermoscope.data.manifest import Record, read_manifest
from dermoscope.encoders.folder import EncoderFolder
from dermoscope.evaluation.predictions import read_predictions
from dermoscope.features.errors import FeatureError
from dermoscope.features.store import FeatureStore
from dermoscope.images import decode
from dermoscope.training.head_run import train_head
from dermoscope.training.leaks import check_before_training, decide
from dermoscope.training.recipes import load_head_recipe
from dermoscope.training.run_folder import RunFolder, RunRecord

BATCH = 128
LEAST_WEIGHT = 1.0
"""Cells that a region must fill at least; a smaller one is pooled everywhere."""
POOLS = {
    "everywhere": ("mean",),
    "inside": ("inside mean",),
    "outside": ("outside mean",),
    "inside and outside": ("inside mean", "outside mean"),
    "all three": ("mean", "inside mean", "outside mean"),
    "everywhere, with deviation": ("mean", "std"),
    "all three, with deviation": ("mean", "std", "inside mean", "inside std", "outside mean", "outside std"),
}


@dataclass(frozen=True)
class Pooled:
    """Features in memory; is a `dermoscope.features.protocol.Features` of the original view.

    Attributes:
        rows: Image id to its row.
        values: `[N, C]` by column.
    """

    rows: dict[str, int]
    values: dict[str, NDArray[np.float32]]

    def of(self, records: Sequence[Record], view: str = "original", column: str = "mean") -> NDArray[np.float32]:
        """One column of some images, in their order."""
        if view not in self.views():
            raise FeatureError(f"only originals are pooled, not {view}")
        return self.values[column][[self.rows[record.image_id] for record in records]]

    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.values)

    def views(self) -> tuple[str, ...]:
        """The original alone."""
        return ("original",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/graz"), help="folder with the store")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--masks", type=Path, help="results of dermoscope analyze; by default the manifest's masks")
    arguments = parser.parse_args()
    encoder = EncoderFolder.load(arguments.encoder).description
    records = list(read_manifest(arguments.manifest))
    source = "predicted" if arguments.masks else "manifest"
    place = arguments.run / f"pooling-{encoder.name}-{arguments.manifest.stem}-{source}"
    paths = predicted_masks(arguments.masks) if arguments.masks else {r.image_id: r.mask_path for r in records}
    features = pool(FeatureStore.open(arguments.run / "store", encoder.fingerprint), records, paths)
    check = check_before_training(arguments.manifest, place, cache=arguments.run / "prints.sqlite", jobs=2)
    results: dict[str, dict[str, object]] = {}
    for question, metric in (("group", "balanced_accuracy"), ("malignancy", "auc")):
        for name, columns in POOLS.items():
            out = place / f"{question} {name}"
            if not (out / "head.json").exists():
                changes = [f"input.columns={json.dumps(columns)}", "sampling.train.views=[original]"]
                recipe = load_head_recipe(question, changes=changes)
                record = RunRecord.begin(
                    command=[Path(__file__), question, name],
                    seeds=recipe.seeds,
                    records=records,
                    check=check,
                    leaks=decide(check, None),
                )
                with RunFolder(out, record) as run:
                    train_head(recipe, records, features, encoder.fingerprint, run, out)
            if not (out / "test" / "metrics.json").exists():
                given = ["evaluate", str(out / "predictions.csv"), "--manifest", str(arguments.manifest)]
                done([*given, "--validation", str(out / "predictions.csv"), "--out", str(out / "test"), "--quiet"])
            measured = json.loads((out / "test" / "metrics.json").read_text(encoding="utf-8"))[question]["metrics"]
            (chosen_on,) = json.loads((out / "run.json").read_text(encoding="utf-8"))["metrics"].values()
            on_val = chosen_on["balanced_accuracy" if question == "group" else "mean_auc"]
            results[f"{question}, {name}"] = {"validation": on_val, **measured[metric]}
            print(f"| {question} | {name} | {metric} {text(measured[metric])} | val {on_val:.3f} |", flush=True)
    place.with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def predicted_masks(results: Path) -> dict[str, Path | None]:
    """Image id to mask file, for the images of which a mask was predicted."""
    predictions = read_predictions(results)
    masks = predictions.masks or ("",) * len(predictions.image_ids)
    return {one: results / mask for one, mask in zip(predictions.image_ids, masks, strict=True) if mask}


def pool(store: FeatureStore, records: Sequence[Record], masks: dict[str, Path | None]) -> Pooled:
    """Mean and deviation of each embedding everywhere, inside the mask and outside it."""
    columns: dict[str, list[NDArray[np.float32]]] = {}
    for start in range(0, len(records), BATCH):
        batch = records[start : start + BATCH]
        maps = store.maps_of(batch).astype(np.float32)
        everywhere = np.ones((len(batch), *maps.shape[2:]), np.float32)
        inside = np.stack([region(masks.get(record.image_id), maps.shape[2:]) for record in batch])
        for name, weights in (("", everywhere), ("inside ", inside), ("outside ", 1 - inside)):
            mean, std = moments(maps, weights)
            columns.setdefault(f"{name}mean", []).append(mean)
            columns.setdefault(f"{name}std", []).append(std)
    values = {name: np.concatenate(parts) for name, parts in columns.items()}
    return Pooled({record.image_id: row for row, record in enumerate(records)}, values)


def region(mask: Path | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Share of each cell `[h, w]` inside the mask; one half everywhere without a mask."""
    if mask is None:
        return np.full(shape, 0.5, np.float32)
    height, width = shape
    inside = (decode(mask).rgb[..., 0] > 127).astype(np.float32)
    return np.asarray(cv2.resize(inside, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def moments(maps: NDArray[np.float32], weights: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weighted mean and deviation `[B, C]` of maps `[B, C, h, w]` with weights `[B, h, w]`."""
    small = weights.sum(axis=(1, 2)) < LEAST_WEIGHT
    weights = np.where(small[:, None, None], 1.0, weights).astype(np.float32)
    weights = weights / weights.sum(axis=(1, 2), keepdims=True)
    mean = np.einsum("bchw,bhw->bc", maps, weights)
    square = np.einsum("bchw,bhw->bc", maps**2, weights)
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


if __name__ == "__main__":
    main()
