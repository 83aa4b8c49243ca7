"""Runs the command line over every kind of bad and of odd but fine input that the tests know.

    python studies/main-job/bad_inputs.py --out runs/main-job/bad-inputs

Prints the exit code, how many kinds there were, and the reason given for each failed input.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from dermoscope.cli import main as dermoscope
from tests.bad_inputs import write_bad_inputs, write_unusual_good_inputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/main-job/bad-inputs"))
    arguments = parser.parse_args()
    corpus = arguments.out / "corpus"
    if corpus.exists():
        parser.error(f"--out: {corpus} is there already; delete it or choose another folder")
    for folder in ("bad", "odd"):
        (corpus / folder).mkdir(parents=True)
    bad, odd = write_bad_inputs(corpus / "bad"), write_unusual_good_inputs(corpus / "odd")
    results = arguments.out / "results"
    paths = [str(path) for path in (*bad.values(), *odd.values())]
    code = dermoscope(["analyze", "--out", str(results), "--no-pictures", "--no-report", "--quiet", "--", *paths])
    with (results / "results.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        rows = list(csv.DictReader(stream))
    failed = [row for row in rows if row["status"] == "failed"]
    print(f"exit code {code}: {len(bad)} bad kinds and {len(odd)} odd but fine ones")
    print(f"{len(failed)} of {len(rows)} rows failed")
    for row in failed:
        print(f"  {row['image_id'][:32]:32}  {row['reason'][:110]}")


if __name__ == "__main__":
    main()
