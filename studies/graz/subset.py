"""A manifest of fewer nevi: the training nevi are cut to a number, everything else stays.

The balanced recipes take at most 2,000 images a class, so an expensive encoder need not see all 6,000 training nevi.
Validation and test keep theirs.

    python studies/graz/subset.py --run runs/graz --nevi 1500
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from dermoscope.data.manifest import read_manifest, write_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/graz"), help="folder with manifest.csv")
    parser.add_argument("--nevi", type=int, default=1500)
    parser.add_argument("--source", help="this data set only")
    arguments = parser.parse_args()
    records = list(read_manifest(arguments.run / "manifest.csv"))
    nevi = sorted(record.image_id for record in records if (record.diagnosis, record.split) == ("NV", "train"))
    kept = set(np.random.default_rng(0).permutation(nevi)[: arguments.nevi].tolist())
    left_out = set(nevi) - kept
    fewer = [r for r in records if r.image_id not in left_out and arguments.source in (None, r.source)]
    out = arguments.run / f"fewer-nevi{'-' + arguments.source if arguments.source else ''}.csv"
    write_manifest(fewer, out)
    print(f"{len(fewer):,} of {len(records):,} images in {out}")


if __name__ == "__main__":
    main()
