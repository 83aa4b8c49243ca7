"""Writes the manifests of the Graz study: HAM10000, ISIC 2018 Task 1, DTD; split by lesion and, to compare, by image.

    python studies/graz/prepare.py --data $DERMOSCOPE_DATA --out runs/graz

* `manifest.csv`: 70/15/15 by lesion, every class in proportion; pictures that the leak check takes for one lesion stay
  together. Every number of ours rests on it.
* `image-level.csv`: the same images in the split of the thesis, which ignores lesions and therefore leaks; only to set
  beside the published numbers.

The thesis used ISIC 2019 (33,569 images) and all 47 textures of DTD. These are HAM10000 and ISIC 2018 Task 1, 12,609
images, most of which are in ISIC 2019 too, and as many textures as `--data` holds.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dermoscope import taxonomy
from dermoscope.data.folder import folder_records
from dermoscope.data.ham10000 import HAM10000
from dermoscope.data.isic2018 import ISIC2018Task1, column_by_image
from dermoscope.data.leakage import Kind, check_leaks
from dermoscope.data.manifest import Record, write_manifest
from dermoscope.data.splits import grouped_split, image_level_system_1

PARTS = ("train", "val", "test")


def skin(data: Path) -> Iterator[Record]:
    """Dermoscopic images; `AKIEC` is told apart by ISIC 2019."""
    with (data / "ISIC2019" / "ISIC_2019_Training_GroundTruth.csv").open(newline="", encoding="utf-8") as stream:
        isic2019 = taxonomy.isic2019_diagnoses(csv.DictReader(stream))
    for record in HAM10000(data / "HAM10000").records():
        diagnosis = taxonomy.resolve_akiec(record.diagnosis, record.image_id, isic2019)
        yield record.model_copy(update={"diagnosis": diagnosis})
    diagnoses = column_by_image(data / "ISIC2018_256" / "labels.csv", "image", "dx2019")
    yield from ISIC2018Task1(data / "ISIC2018_256", diagnoses).records()


def first_part(parts: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Brings textures that are crops of one photograph together, in the first of their parts."""
    moved = {image_id: parts[image_id] for pair in pairs for image_id in pair}
    while changed := {
        image_id: min(moved[one], moved[other], key=PARTS.index)
        for one, other in pairs
        for image_id in (one, other)
        if moved[image_id] != min(moved[one], moved[other], key=PARTS.index)
    }:
        moved |= changed
    return moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with HAM10000, ISIC2018_256, ISIC2019, DTD")
    parser.add_argument("--out", type=Path, default=Path("runs/graz"))
    arguments = parser.parse_args()
    dermoscopic = list(skin(arguments.data))
    textures = list(folder_records(arguments.data / "DTD" / "images", diagnosis=taxonomy.NOT_SKIN, source="DTD"))
    records = [*dermoscopic, *textures]
    findings = check_leaks(records, cache=arguments.out / "prints.sqlite", jobs=2).findings
    same = [f for f in findings if f.kind in (Kind.SAME_FILE, Kind.NEAR_DUPLICATE)]
    pairs = [(f.members[0].image_id, other.image_id) for f in same for other in f.members[1:]]
    drawn_from = {record.image_id: record.source for record in records}
    linked = [pair for pair in pairs if drawn_from[pair[0]] != "DTD"]
    by_lesion = grouped_split(records, seed=0, linked=linked).parts
    by_lesion |= first_part(by_lesion, [pair for pair in pairs if drawn_from[pair[0]] == "DTD"])
    # The thesis split each data set by itself.
    by_image = {**image_level_system_1(dermoscopic).parts, **image_level_system_1(textures).parts}
    for name, parts in (("manifest.csv", by_lesion), ("image-level.csv", by_image)):
        parted = [record.model_copy(update={"split": parts[record.image_id]}) for record in records]
        write_manifest(parted, arguments.out / name)
        counts = Counter((record.split, record.diagnosis or "none") for record in parted)
        print(arguments.out / name)
        for part in PARTS:
            row = {code: number for (of, code), number in sorted(counts.items()) if of == part}
            print(f"  {part}: {sum(row.values()):,} {row}")


if __name__ == "__main__":
    main()
