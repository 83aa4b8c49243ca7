"""A manifest of fewer images: so many of each diagnosis, drawn at random, of the parts that are named.

An expensive encoder need not see all 6,000 training nevi, of which the balanced recipes take at most 2,000.

    python studies/graz/subset.py --run runs/graz --cap train:NV=1500 --out fewer-nevi.csv
    python studies/graz/subset.py --run runs/graz --of fewer-nevi.csv --cap train=300 --cap train:NOT_SKIN=400 \
        --out sampled.csv
    python studies/graz/subset.py --run runs/graz --of image-level.csv --images-of fewer-nevi.csv \
        --out image-level-fewer-nevi.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from dermoscope.data.manifest import Record, read_manifest, write_manifest


def cap(text: str) -> tuple[str, str | None, int]:
    """`train:NV=1500` as part, diagnosis and number; `train=300` holds for every diagnosis."""
    where, _, number = text.partition("=")
    part, _, diagnosis = where.partition(":")
    return part, diagnosis or None, int(number)


def drawn(records: list[Record], part: str, diagnosis: str, number: int) -> set[str]:
    """Which images of a part and diagnosis stay."""
    ids = sorted(record.image_id for record in records if (record.split, record.diagnosis) == (part, diagnosis))
    return set(np.random.default_rng(0).permutation(ids)[:number].tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/graz"), help="folder of the manifests")
    parser.add_argument("--of", default="manifest.csv")
    parser.add_argument("--cap", type=cap, action="append", default=[], metavar="PART[:DIAGNOSIS]=N")
    parser.add_argument("--parts", nargs="+", default=["train", "val", "test"])
    parser.add_argument("--images-of", metavar="MANIFEST", help="only images of this other manifest")
    parser.add_argument("--source", help="this data set only")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    records = list(read_manifest(arguments.run / arguments.of))
    general = {part: number for part, diagnosis, number in arguments.cap if diagnosis is None}
    special = {(part, diagnosis): number for part, diagnosis, number in arguments.cap if diagnosis}
    cells = {(record.split, record.diagnosis) for record in records}
    if arguments.images_of:
        wanted = {record.image_id for record in read_manifest(arguments.run / arguments.images_of)}
        records = [record for record in records if record.image_id in wanted]
    kept: set[str] = set()
    for part, diagnosis in cells:
        number = special.get((part, diagnosis), general.get(part, len(records)))
        kept |= drawn(records, part, diagnosis, number)
    chosen = [
        record
        for record in records
        if record.image_id in kept and record.split in arguments.parts and arguments.source in (None, record.source)
    ]
    write_manifest(chosen, arguments.run / arguments.out)
    print(f"{len(chosen):,} of {len(records):,} images in {arguments.run / arguments.out}")


if __name__ == "__main__":
    main()
