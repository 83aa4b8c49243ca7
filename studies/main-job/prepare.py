"""Writes the manifest of the main job, and cuts the healthy skin.

    python studies/main-job/prepare.py --data $DERMOSCOPE_DATA --out runs/main-job

Splits mean: `train` to fit, `val` for every choice (epochs, calibration, thresholds), `test` for the numbers reported.

* HAM10000: `test` is the lesion-grouped validation set of `splits/ham10000_cls.csv`; an eighth of the lesions of its
  training set, again lesion-grouped, becomes `val`.
* ISIC 2018 Task 1: the split of `splits/isic2018_task1_seg.csv`, whose test images are the official ISIC 2017 test ids.
* Healthy skin: the largest lesion-free square of each 512 px ISIC 2018 image, in that image's split.
* Not skin: textures (DTD) and photographs are held out by category; all of BSDS500 is held out.

These splits know only the lesion ids of their sources. Where the leak check finds that pictures under several ids show
one lesion, they get one lesion id, and all of them the split of the most held out: `test` gains twins of its images.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
from sklearn.model_selection import StratifiedGroupKFold

from dermoscope import taxonomy
from dermoscope.data.folder import folder_records
from dermoscope.data.ham10000 import HAM10000
from dermoscope.data.healthy_skin import largest_lesion_free_square
from dermoscope.data.isic2018 import ISIC2018Task1, column_by_image
from dermoscope.data.leakage import Kind, check_leaks
from dermoscope.data.manifest import Record, write_manifest
from dermoscope.data.splits import groups_of
from dermoscope.images import decode, field_of_view, read_mask

LEAST_SIDE = 160
DTD_SPLIT = {"blotchy": "test", "bubbly": "test", "bumpy": "test", "cobwebbed": "val"}
HEALTHY = "healthy-skin"
HELD_OUT = ("test", "val", "train")  # the most held out first
PRINTS = "prints.sqlite"  # small copies of the images, for the leak check


def ham10000(data: Path) -> Iterator[Record]:
    with (data / "ISIC2019" / "ISIC_2019_Training_GroundTruth.csv").open(newline="") as stream:
        isic2019 = taxonomy.isic2019_diagnoses(csv.DictReader(stream))
    official = column_by_image(data / "splits" / "ham10000_cls.csv", "image", "split")
    records = list(HAM10000(data / "HAM10000").records())
    training = [r for r in records if official[r.image_id] == "train"]
    folds = StratifiedGroupKFold(8, shuffle=True, random_state=0)
    _, held = next(folds.split(training, [r.diagnosis for r in training], [r.lesion_id for r in training]))
    held_out = {training[index].image_id for index in held}
    for record in records:
        split = "test" if official[record.image_id] == "val" else "val" if record.image_id in held_out else "train"
        diagnosis = taxonomy.resolve_akiec(record.diagnosis, record.image_id, isic2019)
        yield record.model_copy(update={"split": split, "diagnosis": diagnosis})


def isic2018(data: Path, folder: str) -> Iterator[Record]:
    splits = column_by_image(data / "splits" / "isic2018_task1_seg.csv", "image", "split")
    diagnoses = column_by_image(data / folder / "labels.csv", "image", "dx2019")
    for record in ISIC2018Task1(data / folder, diagnoses, splits).records():
        if record.split != "drop_dup":
            yield record


def healthy_skin(data: Path, out: Path) -> Iterator[Record]:
    out.mkdir(parents=True, exist_ok=True)
    for record in isic2018(data, "ISIC2018"):
        assert record.mask_path is not None
        lesion = read_mask(record.mask_path)
        left, top, side = largest_lesion_free_square(lesion, margin=12)
        if side < LEAST_SIDE:
            continue
        square = decode(record.path).rgb[top : top + side, left : left + side]
        if field_of_view(square).mean() < 0.8:
            continue  # mostly the dark surround of the dermatoscope
        path = out / f"{record.image_id}.jpg"
        cv2.imwrite(str(path), cv2.cvtColor(square, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
        yield Record(image_id=record.image_id, path=path, source=HEALTHY, split=record.split)


def not_skin(data: Path) -> Iterator[Record]:
    for record in folder_records(data / "DTD" / "images", diagnosis=taxonomy.NOT_SKIN, source="DTD"):
        yield record.model_copy(update={"split": DTD_SPLIT.get(record.site, "train")})
    photographs = data / "natural" / "imagenet_samples"
    for index, record in enumerate(folder_records(photographs, diagnosis=taxonomy.NOT_SKIN, source="photographs")):
        # One image a category, in the order of the categories: neighbours are alike, so whole blocks are held out.
        block = index // 50 % 5
        yield record.model_copy(update={"split": ("train", "train", "train", "val", "test")[block]})
    for record in folder_records(data / "natural" / "bsds500", diagnosis=taxonomy.NOT_SKIN, source="BSDS500"):
        yield record.model_copy(update={"split": "test"})


def together(records: Sequence[Record], prints: Path) -> list[Record]:
    """The same records, where pictures of one lesion have one lesion id and one split."""
    findings = check_leaks(records, cache=prints, jobs=2).findings
    same = [[m.image_id for m in f.members] for f in findings if f.kind in (Kind.SAME_FILE, Kind.NEAR_DUPLICATE)]
    numbers = groups_of(records, [(first, other) for first, *others in same for other in others])
    groups: defaultdict[int, list[Record]] = defaultdict(list)
    for record, number in zip(records, numbers, strict=True):
        groups[number].append(record)
    lesions = {number: {record.group_id for record in group} for number, group in groups.items()}
    splits = {number: min((r.split for r in group), key=HELD_OUT.index) for number, group in groups.items()}
    joined = [
        record.model_copy(update={"lesion_id": min(lesions[number]), "split": splits[number]})
        if len(lesions[number]) > 1
        else record
        for record, number in zip(records, numbers, strict=True)
    ]
    moved = sum(new.split != old.split for new, old in zip(joined, records, strict=True))
    several = sum(len(ids) > 1 for ids in lesions.values())
    print(f"{several} lesions under several ids; {moved} images change their split")
    return joined


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with HAM10000, ISIC2018, DTD, natural, splits")
    parser.add_argument("--out", type=Path, default=Path("runs/main-job"))
    arguments = parser.parse_args()
    skin = [
        *ham10000(arguments.data),
        *isic2018(arguments.data, "ISIC2018_256"),
        *healthy_skin(arguments.data, arguments.out / "healthy-skin"),
    ]
    records = [*together(skin, arguments.out / PRINTS), *not_skin(arguments.data)]
    write_manifest(records, arguments.out / "manifest.csv")
    print(f"{len(records)} images in {arguments.out / 'manifest.csv'}")


if __name__ == "__main__":
    main()
