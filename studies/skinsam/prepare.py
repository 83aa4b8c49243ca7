"""Writes the manifests of the mask study out of that of the main job, so that both have one split by lesion.

    python studies/main-job/prepare.py --data $DERMOSCOPE_DATA --out runs/main-job
    python studies/skinsam/prepare.py --of runs/main-job/manifest.csv --out runs/skinsam

* `manifest.csv`: every image with a mask, and healthy skin with an empty one, so that "no lesion" is an answer, too.
* `fewer-nevi.csv`: the same with at most 2,000 nevi of HAM10000 in `train`; they are two thirds of it and much alike.
* `balanced.csv`: at most 700 of those and 600 pieces of healthy skin, so that ISIC 2018 is a third.
* `without-HAM10000.csv`, `without-ISIC2018.csv`: one source left out of `train` and `val`, for testing on it, and the
  healthy skin that was cut from its images too: else "looks like that source" would mean "no lesion".
* `without-HAM10000-lesions.csv` and its like: without any healthy skin.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from dermoscope.data.manifest import Record, read_manifest, write_manifest
from dermoscope.images import decode

HEALTHY, FROM_HEALTHY = "healthy-skin", "-healthy"
MOST_NEVI = 2000
MOST_NEVI_BALANCED, MOST_HEALTHY_BALANCED = 700, 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", type=Path, required=True, help="manifest of studies/main-job/prepare.py")
    parser.add_argument("--out", type=Path, default=Path("runs/skinsam"))
    arguments = parser.parse_args()
    records = list(with_masks(read_manifest(arguments.of), arguments.out / "empty-masks"))
    write_manifest(records, arguments.out / "manifest.csv")
    fewer = with_fewer(records, "HAM10000", "NV", MOST_NEVI)
    write_manifest(fewer, arguments.out / "fewer-nevi.csv")
    balanced = with_fewer(fewer, "HAM10000", "NV", MOST_NEVI_BALANCED)
    balanced = with_fewer(balanced, HEALTHY, "", MOST_HEALTHY_BALANCED)
    write_manifest(balanced, arguments.out / "balanced.csv")
    for source in sorted({record.source for record in records} - {HEALTHY}):
        own = {record.image_id for record in records if record.source == source}
        others = [r for r in fewer if r.split == "test" or r.image_id.removesuffix(FROM_HEALTHY) not in own]
        lesions = [r for r in others if r.split == "test" or r.source != HEALTHY]
        write_manifest(others, arguments.out / f"without-{source}.csv")
        write_manifest(lesions, arguments.out / f"without-{source}-lesions.csv")
    print(f"{len(records)} images, {len(fewer)} with fewer nevi")


def with_masks(records: Iterable[Record], empty: Path) -> Iterator[Record]:
    """Those that have a mask, and healthy skin with one that is empty."""
    empty.mkdir(parents=True, exist_ok=True)
    for record in records:
        if record.mask_path is not None:
            yield record
        elif record.source == HEALTHY:
            height, width = decode(record.path).rgb.shape[:2]
            path = empty / f"{record.image_id}.png"
            Image.fromarray(np.zeros((height, width), np.uint8)).save(path)
            # The image it was cut from has that name already.
            name = f"{record.image_id}{FROM_HEALTHY}"
            yield record.model_copy(update={"image_id": name, "mask_path": path, "lesion_id": record.group_id})


def with_fewer(records: list[Record], source: str, diagnosis: str, most: int) -> list[Record]:
    """At most so many images of a source and a diagnosis to learn from."""
    chosen = [r.image_id for r in records if (r.source, r.diagnosis, r.split) == (source, diagnosis, "train")]
    dropped = set(random.Random(0).sample(chosen, max(0, len(chosen) - most)))
    return [record for record in records if record.image_id not in dropped]


if __name__ == "__main__":
    main()
