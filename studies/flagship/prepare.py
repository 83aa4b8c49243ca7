"""Writes the manifest of the flagship: every image with a diagnosis that may be learnt from, and the held-out ones.

    python studies/main-job/prepare.py --data $DERMOSCOPE_DATA --out runs/main-job
    python studies/cam-crop/prepare.py --data $DERMOSCOPE_DATA --out runs/cam-crop
    python studies/flagship/prepare.py --main-job runs/main-job/manifest.csv --isic2017 runs/cam-crop/isic2017.csv \
        --out runs/flagship

* HAM10000 and ISIC 2018 have the splits of the main job, ISIC 2017 its official ones. An image of ISIC 2017 that is one
  of ISIC 2018, too, comes once, as that of ISIC 2017, in the split of the more held out.
* Training images that the leak check takes for pictures of a lesion in `val` or `test` are left out.
* So are training and validation images without an outline: crops for training are cut around true outlines, the
  network meets predicted ones when the mode is fitted.

`manifest.csv` is for training and fitting; `manifest-other-cameras.csv` has the same validation images, and of
HAM10000's nevi only those of one lesion in four, so that a third of the training images come from elsewhere.
`test-ham10000.csv` and `test-isic2017.csv` have their test images alone; of ISIC 2017, the official ones.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from dermoscope.data.leakage import check_leaks
from dermoscope.data.manifest import Record, read_manifest, write_manifest

HELD_OUT = ("test", "val", "train", "")  # the most held out first
LEARNT_FROM = ("HAM10000", "ISIC2018")
NEVI_KEPT = 0.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--main-job", type=Path, required=True)
    parser.add_argument("--isic2017", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/flagship"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    records = [r for r in read_manifest(arguments.main_job) if r.source in LEARNT_FROM and r.diagnosis]
    isic2017 = list(read_manifest(arguments.isic2017))
    records = one_lesion_one_split(records, isic2017)
    leaks = [
        found for found in check_leaks(records, cache=arguments.out / "prints.sqlite", jobs=2).findings if found.is_leak
    ]
    leaking = {
        (member.source, member.image_id)
        for found in leaks
        for member in found.members
        if HELD_OUT.index(member.split) > min(HELD_OUT.index(split) for split in found.splits)
    }
    kept = [
        record
        for record in records
        if record.split
        and (record.source, record.image_id) not in leaking
        and (record.split == "test" or record.mask_path)
    ]
    learnt = [record for record in kept if record.split != "test"]
    write_manifest(learnt, arguments.out / "manifest.csv")
    write_manifest(fewer_nevi(learnt), arguments.out / "manifest-other-cameras.csv")
    official = {record.image_id for record in isic2017 if record.split == "test"}
    for name, chosen in (
        ("ham10000", [r for r in kept if r.source == "HAM10000" and r.split == "test"]),
        ("isic2017", [r for r in kept if r.source == "ISIC2017" and r.image_id in official]),
    ):
        write_manifest(chosen, arguments.out / f"test-{name}.csv")
    print(f"{len(leaks)} leaks, {len(leaking)} images of them left out")
    for (source, split), count in sorted(Counter((r.source, r.split) for r in kept).items()):
        print(f"{source} {split}: {count:,}")


def fewer_nevi(records: list[Record]) -> list[Record]:
    """All but three quarters of the nevi, by lesion, that HAM10000 has in training."""
    common = {r.group_id for r in records if (r.source, r.diagnosis, r.split) == ("HAM10000", "NV", "train")}
    order = np.random.default_rng(0).permutation(sorted(common)).tolist()
    left_out = set(order[round(NEVI_KEPT * len(order)) :])
    return [record for record in records if record.group_id not in left_out]


def one_lesion_one_split(records: list[Record], isic2017: list[Record]) -> list[Record]:
    """Each image once, each lesion in the most held-out split that any of its images has."""
    lesion_of = {record.image_id: record.group_id for record in records if record.source == "ISIC2018"}
    twins = [r.model_copy(update={"lesion_id": lesion_of.get(r.image_id, r.image_id)}) for r in isic2017]
    every = [r.model_copy(update={"lesion_id": r.group_id}) for r in records] + twins
    splits: dict[str, str] = {}
    for record in every:
        before = splits.get(record.group_id, record.split)
        splits[record.group_id] = min(before, record.split, key=HELD_OUT.index)
    twin_ids = {record.image_id for record in twins}
    once = [r for r in every if r.source == "ISIC2017" or r.image_id not in twin_ids]
    return [r.model_copy(update={"split": splits[r.group_id]}) if r.split else r for r in once]


if __name__ == "__main__":
    main()
