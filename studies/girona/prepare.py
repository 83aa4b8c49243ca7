"""Writes the manifests of the study of class activation maps out of that of the main job: one split by lesion for all.

    python studies/main-job/prepare.py --data $DERMOSCOPE_DATA --out runs/main-job
    python studies/girona/prepare.py --of runs/main-job/manifest.csv --out runs/girona
    dermoscope segment "$DERMOSCOPE_DATA/HAM10000/HAM10000_images_part_*/*.jpg" --out runs/girona/masks

* `by-lesion.csv`: all of HAM10000, with the splits of the main job, which keep the images of a lesion together.
* `by-image.csv`: the same images dealt anew, in the same numbers, without regard to lesions. It shows what such a split
  is worth, as the published numbers have one, and is good for nothing else.

The masks are those that the default model draws by itself, so that no crop of a test image knows its true outline.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from dermoscope.data.manifest import read_manifest, write_manifest

SOURCE = "HAM10000"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", type=Path, required=True, help="manifest of studies/main-job/prepare.py")
    parser.add_argument("--out", type=Path, default=Path("runs/girona"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    records = [record for record in read_manifest(arguments.of) if record.source == SOURCE and record.split]
    write_manifest(records, arguments.out / "by-lesion.csv")
    dealt = random.Random(0).sample([record.split for record in records], len(records))
    by_image = [record.model_copy(update={"split": split}) for record, split in zip(records, dealt, strict=True)]
    write_manifest(by_image, arguments.out / "by-image.csv")
    shared = {r.lesion_id for r in by_image if r.split == "train"} & {
        r.lesion_id for r in by_image if r.split == "test"
    }
    tested = [record for record in by_image if record.split == "test"]
    leaked = sum(record.lesion_id in shared for record in tested)
    print(f"{len(records)} images; by image, {leaked} of {len(tested)} test images have their lesion in train")


if __name__ == "__main__":
    main()
