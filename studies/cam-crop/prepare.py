"""Writes the manifests of the study of second looks.

    python studies/cam-crop/prepare.py --data $DERMOSCOPE_DATA --out runs/cam-crop

* `isic2017.csv`: ISIC 2017 Part 3 in its official splits, 2,000, 150 and 600 images. What the leak check finds between
  those is printed; it stays, because the published numbers have it.
* `without-doubles.csv`: the same without the training images that show what an image of `val` or `test` shows.
* `with-ham10000.csv`: the first, and in `train` every image of HAM10000 that shows a nevus, a melanoma or a benign
  keratosis, but for those that the leak check takes for an image of `val` or `test`. Of keratoses, ISIC 2017 has the
  seborrheic ones; HAM10000 does not tell them from lentigines and lichenoid ones.
* `truth/`: the true outlines of the images that ISIC 2018 shares, at the size of theirs here, which is that of another
  frame of the same picture where a download was made smaller. The manifests name them; no training reads them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from dermoscope.data.ham10000 import HAM10000
from dermoscope.data.isic2017 import ISIC2017
from dermoscope.data.isic2018 import ISIC2018Task1
from dermoscope.data.leakage import check_leaks
from dermoscope.data.manifest import Record, write_manifest
from dermoscope.images import decode, read_mask

CODES = {"NV", "MEL", "BKL"}
HELD_OUT = {"val", "test"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ISIC2017 and HAM10000")
    parser.add_argument("--out", type=Path, default=Path("runs/cam-crop"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    official = with_outlines(
        list(ISIC2017(arguments.data / "ISIC2017").records()), arguments.data / "ISIC2018_256", arguments.out / "truth"
    )
    write_manifest(official, arguments.out / "isic2017.csv")
    more = [
        record.model_copy(update={"split": "train"})
        for record in HAM10000(arguments.data / "HAM10000").records()
        if record.diagnosis in CODES
    ]
    every = [*official, *more]
    findings = [
        found for found in check_leaks(every, cache=arguments.out / "prints.sqlite", jobs=2).findings if found.is_leak
    ]
    own = sum({member.source for member in found.members} == {official[0].source} for found in findings)
    held = {
        (member.source, member.image_id)
        for found in findings
        if HELD_OUT & set(found.splits)
        for member in found.members
        if member.split == "train"
    }
    kept, alone = ([one for one in of if (one.source, one.image_id) not in held] for of in (more, official))
    write_manifest([*official, *kept], arguments.out / "with-ham10000.csv")
    write_manifest(alone, arguments.out / "without-doubles.csv")
    print(f"{own} leaks between the official splits, {len(official) - len(alone)} training images with a double there")
    print(f"{len(kept)} images of HAM10000 added, {len(more) - len(kept)} left out")
    print(counts(official))


def with_outlines(records: list[Record], isic2018: Path, out: Path) -> list[Record]:
    """The images with the masks that ISIC 2018 has of them."""
    out.mkdir(exist_ok=True)
    masks = {record.image_id: record.mask_path for record in ISIC2018Task1(isic2018).records()}
    found = []
    for record in records:
        if (mask := masks.get(record.image_id)) is not None:
            path = out / f"{record.image_id}.png"
            if not path.exists():
                Image.fromarray(read_mask(mask)).resize(decode(record.path).rgb.shape[1::-1]).save(path)
            record = record.model_copy(update={"mask_path": path})
        found.append(record)
    print(f"{sum(record.mask_path is not None for record in found)} images with a true outline")
    return found


def counts(records: list[Record]) -> str:
    """Images of each split and diagnosis."""
    splits = ("train", "val", "test")
    found = {s: {c: sum(r.split == s and r.diagnosis == c for r in records) for c in sorted(CODES)} for s in splits}
    return "; ".join(f"{split}: {', '.join(f'{c} {n}' for c, n in of.items())}" for split, of in found.items())


if __name__ == "__main__":
    main()
