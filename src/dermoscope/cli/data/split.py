"""`dermoscope data split`."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from dermoscope.cli.exits import ExitCode, fail

Method = Literal["grouped", "image-level-system-1-70-15-15", "image-level-system-2-60-15-25"]


def split(
    manifest: Path,
    /,
    *,
    out: Path,
    method: Method = "grouped",
    fractions: Annotated[tuple[float, float, float], Parameter(consume_multiple=True)] = (0.7, 0.15, 0.15),
    folds: int | None = None,
    seed: int | None = None,
    keep_together: Path | None = None,
    manifest_out: Path | None = None,
) -> int:
    """Split a manifest by lesion and patient, with every class in proportion, into a file with a hash.

    For example, seven tenths to train on, and then five folds:

    dermoscope data split manifest.csv --out splits/grouped.csv --fractions 0.7 0.15 0.15

    dermoscope data split manifest.csv --out splits/folds.csv --folds 5

    dermoscope data split masks.csv --out splits.csv --manifest-out to-train.csv

    Writes image_id and split (or fold) as CSV, and beside it a JSON file with sha256, method, seed and counts. The
    image-level methods ignore lesions: they leak, and exist only to compare with published numbers.

    Args:
        manifest: A CSV or Parquet manifest.
        out: The CSV file to write.
        method: How to split.
        fractions: Shares of train, validation and test, for the method grouped; a test share of 0 makes no test set.
        folds: Make this many equal folds instead, for the method grouped.
        seed: For the shuffling; by default 0, and 42 for the image-level methods, as published.
        keep_together: A leaks.json of dermoscope data check, whose near-duplicates shall not be parted either.
        manifest_out: Write the manifest too, with the new split in it, as dermoscope train wants it.
    """
    from dermoscope.data.manifest import read_manifest, write_manifest
    from dermoscope.data.splits import IMAGE_LEVEL_SPLITS, grouped_folds, grouped_split

    if method != "grouped" and (folds is not None or keep_together is not None):
        return fail(f"--folds and --keep-together do not go with --method {method}", ExitCode.USAGE)
    if manifest_out is not None and (folds is not None or manifest_out == out):
        return fail(
            "--manifest-out: names another file than --out, and goes with train, val and test, not --folds",
            ExitCode.USAGE,
        )
    try:
        records = list(read_manifest(manifest))
        if method != "grouped":
            make = IMAGE_LEVEL_SPLITS[method]
            made = make(records) if seed is None else make(records, seed=seed)
        else:
            known = {record.image_id for record in records}
            linked = _linked(keep_together, known) if keep_together else []
            if folds is not None:
                made = grouped_folds(records, folds, seed=seed or 0, linked=linked)
            else:
                shares = fractions if fractions[2] else fractions[:2]
                made = grouped_split(records, shares, seed=seed or 0, linked=linked)
        made.write(out)
        if manifest_out is not None:
            write_manifest(made.apply(records), manifest_out)
    except (OSError, ValueError) as error:
        return fail(str(error))
    for part, counts in made.counts.items():
        classes = ", ".join(f"{diagnosis or 'no diagnosis'} {number:,}" for diagnosis, number in counts.items())
        print(f"{part:>6}  {sum(counts.values()):>7,} images: {classes}")
    print(f"{out}: {made.method}, seed {made.seed}, sha256 {made.sha256}")
    return ExitCode.DONE


def _linked(report: Path, known: set[str]) -> list[tuple[str, str]]:
    """Pairs of image ids of a leak check of which both are in the manifest."""
    try:
        findings = json_format.loads(report.read_text(encoding="utf-8"))["findings"]
        found = [[member["image_id"] for member in finding["members"]] for finding in findings]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{report} is no report of dermoscope data check") from error
    return [(ids[0], other) for ids in found for other in ids[1:] if ids[0] != other and {ids[0], other} <= known]
