"""`dermoscope data show`."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail

Switch = Annotated[bool, Parameter(show_default=False)]


def show(
    manifest: Path,
    /,
    *,
    out: Path = Path("dataset.html"),
    title: str | None = None,
    images: int = 24,
    seed: int = 0,
    names: Switch = False,
    json: Switch = False,
) -> int:
    """Write one offline page that shows a manifest: counts, ages, sexes, sites, and pictures with their masks.

    For example: dermoscope data show manifest.csv --out dataset.html

    Pictures are made anew from pixels, so that they carry no metadata. Names of images and files stay out unless asked
    for; the pictures themselves are patients' images all the same.

    Exit codes: 0 all done, 1 failed, 2 wrong usage, 3 done but some files are missing or cannot be read.

    Args:
        manifest: The manifest, as dermoscope data manifest writes it.
        out: The page to write.
        title: What the page calls the data set; by default the manifest's file name.
        images: Pictures of each class at most; 0 for none.
        seed: Which pictures: another seed shows others.
        names: Show image ids and paths, and age, sex and site of single images.
        json: Print what was done as JSON.
    """
    from dermoscope.batch import OutputError
    from dermoscope.data.manifest import read_manifest
    from dermoscope.report.dataset import write_dataset_page

    if images < 0:
        return fail(f"--images: needs 0 or more, not {images}", ExitCode.USAGE)
    try:
        summary = write_dataset_page(
            read_manifest(manifest), out, title=title or manifest.stem, images=images, seed=seed, names=names
        )
    except OutputError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{manifest}: cannot be read: {error.strerror}" if error.strerror else str(error))
    except (ValueError, ImportError) as error:
        return fail(str(error))
    code = ExitCode.PARTLY if summary.problems else ExitCode.DONE
    if json:
        done = {"page": str(out), **asdict(summary), "exit_code": int(code), "notice": RESEARCH_USE}
        print(json_format.dumps(done, indent=2))
    else:
        print(f"{summary.images:,} images counted, {summary.pictures:,} shown")
        if summary.problems:
            print(f"{summary.problems:,} files are missing or cannot be read; the page says which")
        print(f"Look here: {out}\n{RESEARCH_USE}")
    return code
